"""learnergy: the sampling, energy and optimiser of its Bernoulli RBM in PyTorch."""

import importlib
from functools import partial
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work, _torch

NAME = "learnergy"
PACKAGE = "learnergy"
DEVICES = ("cpu", "cuda")
PRECISIONS = ("float32",)
settings = _torch.settings
missing = _torch.missing


def _rbm(place: Place, model: RBM, **options: Any) -> Any:
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    made = importlib.import_module("learnergy.models.bernoulli").RBM(
        model.n_visible, model.n_hidden, use_gpu=place.device == "cuda", **options
    )
    with torch.no_grad():  # its visible biases are a, its hidden ones b
        for parameter, array in ((made.W, model.W), (made.a, model.b), (made.b, model.c)):
            parameter.copy_(torch.tensor(array))
    return made


def gibbs(place: Place, model: RBM, v: np.ndarray, sweeps: int) -> Work:
    """See the package; its `gibbs_sampling` draws h once more at the end, which is left out here."""
    torch = importlib.import_module("torch")
    rbm = _rbm(place, model)
    state = {"v": torch.tensor(v, dtype=torch.float32, device=place.device)}

    @torch.no_grad()
    def run() -> None:
        for _ in range(sweeps):
            state["h"] = rbm.hidden_sampling(state["v"])[1]
            state["v"] = rbm.visible_sampling(state["h"])[1]

    return _torch.work(place, run, lambda: state)


def cd(
    place: Place, model: RBM, rows: np.ndarray, batch: int, updates: int, k: int, rate: float,
    momentum: float,
) -> Work:  # fmt: skip
    """See the package; the loop of its `fit` without the loader and what that monitors."""
    torch = importlib.import_module("torch")
    rbm = _rbm(place, model, steps=k, learning_rate=rate, momentum=momentum)
    data = torch.tensor(rows, dtype=torch.float32, device=place.device)
    order: Any = iter(())
    last: dict[str, Any] = {}

    def run() -> None:
        nonlocal order
        for _ in range(updates):
            index = next(order, None)
            if index is None:
                shuffled = torch.randperm(len(data), device=place.device)
                order = iter(shuffled[: len(data) // batch * batch].split(batch))
                index = next(order)
            positive = data[index]
            with torch.no_grad():
                there = rbm.gibbs_sampling(positive)[-1]
            cost = rbm.energy(positive).mean() - rbm.energy(there).mean()
            rbm.optimizer.zero_grad()
            cost.backward()
            rbm.optimizer.step()
        last.update(batch=positive, chains=there)

    return _torch.work(place, run, lambda: {"W": rbm.W, "b": rbm.a, "c": rbm.b} | last)


def _score(name: str, place: Place, model: RBM, v: np.ndarray) -> Work:
    """See the package."""
    torch = importlib.import_module("torch")
    rbm = _rbm(place, model)
    rows, last = torch.tensor(v, dtype=torch.float32, device=place.device), {}

    def run() -> None:
        last["score"] = getattr(rbm, name)(rows)

    return _torch.work(place, run, lambda: last)


JOBS = _torch.threaded({
    "gibbs": gibbs, "cd": cd, "score_free_energy": partial(_score, "energy"),
    "score_pseudolikelihood": partial(_score, "pseudo_likelihood"),
})  # fmt: skip
