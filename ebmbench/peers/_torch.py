"""The jobs in torch, for every way to run it: eager, under CUDA graphs, compiled.

Sampling is `addmm` and `uniform < sigmoid` in place, without a gradient tape; the objectives over
single flips are differentiated by autograd.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work

# From a function of tensors that stay where they are, and a number of times: what runs it so often.
Prepare = Callable[[Any, Callable[[], None], int], Callable[[], None]]


def jobs(prepare: Prepare) -> dict[str, Any]:
    """The jobs by name."""
    found: dict[str, Any] = {"gibbs": gibbs, "sml": sml, "cd": cd}
    found |= {name: partial(flips, objective=name) for name in ("pseudolikelihood", "ratio_matching")}
    return threaded({name: partial(build, prepare) for name, build in found.items()})


def missing(place: Place) -> str | None:
    """Why torch cannot run at this place, or None."""
    if place.device == "cuda" and not _torch().cuda.is_available():
        return "finds no GPU: this torch has no CUDA, or no driver for it"
    return None


def repeated(torch: Any, step: Callable[[], None], times: int) -> Callable[[], None]:
    """A step run so often, one after the other."""

    def run() -> None:
        for _ in range(times):
            step()

    return run


def _torch() -> Any:
    return importlib.import_module("torch")


def _tensor(torch: Any, place: Place, array: np.ndarray) -> Any:
    return torch.tensor(array, dtype=getattr(torch, place.precision), device=place.device)


def _model(torch: Any, place: Place, model: RBM) -> list[Any]:
    return [_tensor(torch, place, x) for x in (model.W, model.b, model.c)]


def _wait(torch: Any, place: Place) -> None:
    if place.device == "cuda":
        torch.cuda.synchronize()


def work(place: Place, run: Callable[[], None], shown: Callable[[], dict[str, Any]]) -> Work:
    """A `Work` whose result is these tensors."""

    def result() -> dict[str, np.ndarray]:
        return {name: x.detach().double().cpu().numpy() for name, x in shown().items()}

    return Work(run, partial(_wait, _torch(), place), result)


def settings(place: Place) -> dict[str, tuple]:
    """All threads or one, where the processor computes; see the package."""
    return {"threads": tuple({_torch().get_num_threads(): 0, 1: 0})} if place.device == "cpu" else {}


def threaded(builders: dict[str, Callable[..., Work]]) -> dict[str, Callable[..., Work]]:
    """The jobs with a number of threads, which holds while a piece runs."""

    def with_threads(build: Callable[..., Work], *given: Any, threads: int | None = None) -> Work:
        if threads is None:
            return build(*given)
        torch = _torch()

        def limited(do: Callable[..., Any], *rest: Any) -> Any:
            before = torch.get_num_threads()
            torch.set_num_threads(threads)
            try:
                return do(*rest)
            finally:
                torch.set_num_threads(before)

        made = limited(build, *given)
        return made._replace(run=partial(limited, made.run))

    return {name: partial(with_threads, build) for name, build in builders.items()}


def _draw(torch: Any, out: Any, p: Any, bias: Any, given: Any, W: Any) -> None:
    """Units given the other layer: p becomes their probability, out their states."""
    torch.addmm(bias, given, W, out=p)
    p.sigmoid_()
    out.uniform_().lt_(p)


def gibbs(prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, sweeps: int) -> Work:
    """See the package."""
    torch = _torch()
    with torch.no_grad():
        torch.manual_seed(0)
        W, b, c = _model(torch, place, model)
        v = _tensor(torch, place, rows)
        h = v.new_empty(len(v), model.n_hidden)
        p_v, p_h = torch.empty_like(v), torch.empty_like(h)

        def sweep() -> None:
            _draw(torch, h, p_h, c, v, W)
            _draw(torch, v, p_v, b, h, W.T)

        start = v.clone()
        run = torch.no_grad()(prepare(torch, sweep, sweeps))
        v.copy_(start)  # preparing may have run it
    return work(place, run, lambda: {"v": v, "h": h})


def sml(
    prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray, batch: int,
    updates: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(prepare, place, model, rows, chains, batch, updates, 1, rate, momentum)


def cd(
    prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, batch: int, updates: int, k: int,
    rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(prepare, place, model, rows, None, batch, updates, k, rate, momentum)


def _train(
    prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray | None, batch: int,
    updates: int, sweeps: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """Batches in a random order, momentum, updates in place; without chains they start at the batch."""
    torch = _torch()
    with torch.no_grad():
        torch.manual_seed(0)
        parameters = _model(torch, place, model)
        W, b, c = parameters
        velocity = [torch.zeros_like(x) for x in parameters]
        data = _tensor(torch, place, rows)
        positive = data[:batch].clone()
        v = positive.clone() if chains is None else _tensor(torch, place, chains)
        h = v.new_empty(len(v), model.n_hidden)
        p_v, p_h = torch.empty_like(v), torch.empty_like(h)

        def update() -> None:
            p_data = torch.addmm(c, positive, W).sigmoid_()
            for sweep in range(sweeps):
                _draw(torch, h, p_h, c, positive if chains is None and sweep == 0 else v, W)
                _draw(torch, v, p_v, b, h, W.T)
            p_model = torch.addmm(c, v, W).sigmoid_()
            # The gradient of W goes straight into its velocity.
            speed_W, *speeds = velocity
            speed_W.addmm_(positive.T, p_data, beta=momentum, alpha=rate / batch)
            W.add_(speed_W.addmm_(v.T, p_model, alpha=-rate / len(v)))
            gradients = positive.mean(0) - v.mean(0), p_data.mean(0) - p_model.mean(0)
            for parameter, speed, g in zip((b, c), speeds, gradients, strict=True):
                parameter.add_(speed.mul_(momentum).add_(g, alpha=rate))

        # Preparing may run it, so what it changes is put back.
        before = [x.clone() for x in (*parameters, v)]
        step = prepare(torch, update, 1)
        for x, old in zip((*parameters, v), before, strict=True):
            x.copy_(old)
        for speed in velocity:
            speed.zero_()
        order: Any = iter(())

        @torch.no_grad()
        def run() -> None:
            nonlocal order
            for _ in range(updates):
                index = next(order, None)
                if index is None:
                    shuffled = torch.randperm(len(data), device=place.device)
                    order = iter(shuffled[: len(data) // batch * batch].split(batch))
                    index = next(order)
                torch.index_select(data, 0, index, out=positive)
                step()

    shown = {"W": W, "b": b, "c": c, "batch": positive, "chains": v, "h": h}
    return work(place, run, lambda: shown)


def flips(prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, objective: str) -> Work:
    """See the package; vectorised, a tensor [rows, n_visible, n_hidden], and a gradient tape."""
    torch = _torch()
    softplus, logsigmoid = torch.nn.functional.softplus, torch.nn.functional.logsigmoid
    parameters = [x.requires_grad_() for x in _model(torch, place, model)]
    W, b, c = parameters
    v = _tensor(torch, place, rows)
    found = [torch.empty_like(x, requires_grad=False) for x in parameters]
    value = v.new_empty(())

    def step() -> None:
        x = torch.addmm(c, v, W)
        sign = 1 - 2 * v
        flipped = softplus(x[:, None, :] + sign[:, :, None] * W).sum(2)
        d = -sign * b - flipped + softplus(x).sum(1, keepdim=True)
        each = logsigmoid(d) if objective == "pseudolikelihood" else -(torch.sigmoid(-d) ** 2)
        mean = each.sum(1).mean()
        gradient = torch.autograd.grad(mean, parameters)
        with torch.no_grad():
            value.copy_(mean)
            for out, g in zip(found, gradient, strict=True):
                out.copy_(g)

    names = dict(zip("Wbc", found, strict=True))
    return work(place, prepare(torch, step, 1), lambda: names | {"value": value})
