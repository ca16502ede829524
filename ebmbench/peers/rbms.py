"""rbms: its Bernoulli RBM in PyTorch, its annealing and its gradient under an optimiser of torch."""

import importlib
from itertools import pairwise
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work, _torch

NAME = "rbms"
PACKAGE = "rbms"
DEVICES = ("cpu", "cuda")
PRECISIONS = ("float32",)
settings = _torch.settings
missing = _torch.missing


def _rbm(place: Place, W: np.ndarray, b: np.ndarray, c: np.ndarray) -> Any:
    torch = importlib.import_module("torch")
    BBRBM = importlib.import_module("rbms.bernoulli_bernoulli.classes").BBRBM
    arrays = [torch.tensor(x, dtype=getattr(torch, place.precision)) for x in (W, b, c)]
    return BBRBM(*arrays, device=torch.device(place.device))


def gibbs(place: Place, model: RBM, v: np.ndarray, sweeps: int) -> Work:
    """See the package; its `sample_state` draws h once more at the end, which is left out here."""
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    rbm = _rbm(place, model.W, model.b, model.c)
    chains = {"visible": torch.tensor(v, dtype=rbm.dtype, device=rbm.device)}

    @torch.no_grad()
    def run() -> None:
        nonlocal chains
        for _ in range(sweeps):
            chains = rbm.sample_visibles(rbm.sample_hiddens(chains))

    names = {"v": "visible", "h": "hidden"}
    return _torch.work(place, run, lambda: {one: chains[name] for one, name in names.items()})


def ais(place: Place, model: RBM, bias: np.ndarray, betas: np.ndarray, chains: int) -> Work:
    """See the package; `compute_partition_function_ais` with another base and schedule."""
    torch = importlib.import_module("torch")
    module = importlib.import_module("rbms.partition_function.ais")
    torch.manual_seed(0)
    rbm = _rbm(place, model.W, model.b, model.c)
    base = _rbm(place, np.zeros_like(model.W), bias, np.zeros_like(model.c))
    last: dict[str, Any] = {}

    @torch.no_grad()
    def run() -> None:
        log_weights = torch.zeros(chains, device=rbm.device)
        states = base.init_chains(num_samples=chains)
        for before, after in pairwise(module.interpolate_ebm(base, rbm, betas.tolist())):
            log_weights, states = module.update_weights_ais(before, after, states, log_weights)
        last["log_weights"] = log_weights

    return _torch.work(place, run, lambda: last)


def sml(
    place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray, batch: int, updates: int,
    rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(place, model, rows, chains, batch, updates, 1, rate, momentum)


def cd(
    place: Place, model: RBM, rows: np.ndarray, batch: int, updates: int, k: int, rate: float,
    momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(place, model, rows, None, batch, updates, k, rate, momentum)


def _train(
    place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray | None, batch: int, updates: int,
    sweeps: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """Its training loop without the archive, the centring and the normalised step."""
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    rbm = _rbm(place, model.W, model.b, model.c)
    rbm.init_grad()
    optimiser = torch.optim.SGD(rbm.parameters(), lr=rate, momentum=momentum, maximize=True)
    data = torch.tensor(rows, dtype=rbm.dtype, device=rbm.device)
    persistent = None
    if chains is not None:
        start = torch.tensor(chains, dtype=rbm.dtype, device=rbm.device)
        persistent = rbm.init_chains(len(chains), start_v=start)
    order: Any = iter(())
    last: dict[str, Any] = {}

    @torch.no_grad()
    def run() -> None:
        nonlocal persistent, order
        for _ in range(updates):
            index = next(order, None)
            if index is None:
                shuffled = torch.randperm(len(data), device=place.device)
                order = iter(shuffled[: len(data) // batch * batch].split(batch))
                index = next(order)
            positive = rbm.init_chains(batch, start_v=data[index])
            there = rbm.sample_state(positive if persistent is None else persistent, sweeps)
            if persistent is not None:
                persistent = there
            rbm.compute_gradient(positive, there, centered=False)
            optimiser.step()
        last.update(batch=positive["visible"], chains=there["visible"])

    names = {"W": rbm.weight_matrix, "b": rbm.vbias, "c": rbm.hbias}
    return _torch.work(place, run, lambda: names | last)


def free_energy(place: Place, model: RBM, v: np.ndarray) -> Work:
    """See the package; its energy of v."""
    torch = importlib.import_module("torch")
    rbm = _rbm(place, model.W, model.b, model.c)
    rows, last = torch.tensor(v, dtype=rbm.dtype, device=rbm.device), {}

    def run() -> None:
        last["score"] = rbm.compute_energy_visibles(rows)

    return _torch.work(place, run, lambda: last)


JOBS = _torch.threaded(
    {"gibbs": gibbs, "ais": ais, "sml": sml, "cd": cd, "score_free_energy": free_energy}
)
