"""Gibbs sampling, training and flips of an RBM in torch.

Sampling is `addmm` and `uniform < sigmoid` in place, without a gradient tape; the objectives over
single flips are differentiated by autograd.
"""

from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM, TwoLayers
from ebmbench.peers import Place, Work
from ebmbench.peers._torch import Prepare, epoch, package, prepared, tensor, work


def _model(place: Place, model: TwoLayers) -> list[Any]:
    return [tensor(place, x) for x in (model.W, model.b, model.c)]


def draw(torch: Any, out: Any, p: Any, bias: Any, given: Any, W: Any) -> None:
    """Units given the other layer: p becomes their probability, out their states."""
    torch.addmm(bias, given, W, out=p)
    p.sigmoid_()
    out.uniform_().lt_(p)


def gibbs(prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, sweeps: int) -> Work:
    """See the package."""
    torch = package()
    with torch.no_grad():
        torch.manual_seed(0)
        W, b, c = _model(place, model)
        v = tensor(place, rows)
        h = v.new_empty(len(v), model.n_hidden)
        p_v, p_h = torch.empty_like(v), torch.empty_like(h)

        def sweep() -> None:
            draw(torch, h, p_h, c, v, W)
            draw(torch, v, p_v, b, h, W.T)

        start = v.clone()
        run = torch.no_grad()(prepare(torch, sweep, sweeps))
        v.copy_(start)  # preparing may have run it
    return work(place, run, lambda: {"v": v, "h": h})


def restore(
    prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, evidence: np.ndarray, sweeps: int
) -> Work:  # fmt: skip
    """See the package."""
    torch = package()
    with torch.no_grad():
        torch.manual_seed(0)
        W, b, c = _model(place, model)
        bias = b + tensor(place, evidence)
        start = tensor(place, rows)
        v, total = start.clone(), torch.zeros(start.shape, device=start.device)
        h = v.new_empty(len(v), model.n_hidden)
        p_v, p_h = torch.empty_like(v), torch.empty_like(h)

        def sweep() -> None:
            draw(torch, h, p_h, c, v, W)
            draw(torch, v, p_v, bias, h, W.T)

        def counted() -> None:
            sweep()
            total.add_(p_v)

        first = sweeps // 2
        warming, counting = prepare(torch, sweep, first), prepare(torch, counted, sweeps - first)

        @torch.no_grad()
        def run() -> None:
            v.copy_(start)
            total.zero_()
            warming()
            counting()

    return work(place, run, lambda: {"means": total / (sweeps - first)})


def sml(
    prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray, batch: int,
    updates: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    data, v = tensor(place, rows), tensor(place, chains)
    training = Training(prepare, place, model, data, v, batch, 1, rate, momentum)
    run = epoch(place, len(data), batch, updates, training.load, training.step)
    return work(place, run, lambda: training.shown)


def cd(
    prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, batch: int, updates: int, k: int,
    rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    data = tensor(place, rows)
    training = Training(prepare, place, model, data, None, batch, k, rate, momentum)
    run = epoch(place, len(data), batch, updates, training.load, training.step)
    return work(place, run, lambda: training.shown)


class Training:
    """An RBM whose step() is an update with momentum, in place, from the batch of the last `load`.

    rows: on the device; chains: likewise, or None where they start at the batch. shown: the tensors that
    change, by name; index: the numbers of the last batch's rows.
    """

    def __init__(
        self, prepare: Prepare, place: Place, model: TwoLayers, rows: Any, chains: Any, batch: int,
        sweeps: int, rate: float, momentum: float,
    ) -> None:  # fmt: skip
        torch = package()
        with torch.no_grad():
            torch.manual_seed(0)
            parameters = _model(place, model)
            W, b, c = parameters
            velocity = [torch.zeros_like(x) for x in parameters]
            positive = rows[:batch].clone()
            v = positive.clone() if chains is None else chains
            h = v.new_empty(len(v), model.n_hidden)
            p_v, p_h = torch.empty_like(v), torch.empty_like(h)

            def update() -> None:
                p_data = torch.addmm(c, positive, W).sigmoid_()
                for sweep in range(sweeps):
                    draw(torch, h, p_h, c, positive if chains is None and sweep == 0 else v, W)
                    draw(torch, v, p_v, b, h, W.T)
                p_model = torch.addmm(c, v, W).sigmoid_()
                # The gradient of W goes straight into its velocity.
                speed_W, *speeds = velocity
                speed_W.addmm_(positive.T, p_data, beta=momentum, alpha=rate / batch)
                W.add_(speed_W.addmm_(v.T, p_model, alpha=-rate / len(v)))
                gradients = positive.mean(0) - v.mean(0), p_data.mean(0) - p_model.mean(0)
                for parameter, speed, g in zip((b, c), speeds, gradients, strict=True):
                    parameter.add_(speed.mul_(momentum).add_(g, alpha=rate))

            self.step = prepared(prepare, update, (*parameters, *velocity, v))
        self._torch, self._rows = torch, rows
        self.index: Any = None
        self.shown = {"W": W, "b": b, "c": c, "batch": positive, "chains": v, "h": h}

    def load(self, index: Any) -> None:
        """Take the rows of these numbers as the batch."""
        self.index = index
        self._torch.index_select(self._rows, 0, index, out=self.shown["batch"])


def flips(prepare: Prepare, place: Place, model: RBM, rows: np.ndarray, objective: str) -> Work:
    """See the package; vectorised, a tensor [rows, n_visible, n_hidden], and a gradient tape."""
    torch = package()
    softplus, logsigmoid = torch.nn.functional.softplus, torch.nn.functional.logsigmoid
    parameters = [x.requires_grad_() for x in _model(place, model)]
    W, b, c = parameters
    v = tensor(place, rows)
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
