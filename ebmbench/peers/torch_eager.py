"""torch as one writes it: a kernel a line, in place where it can be."""

import importlib
from itertools import pairwise
from typing import Any

import numpy as np

from ebmbench.errors import Unavailable
from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work, _torch, _torch_jobs

NAME = "torch_eager"
PACKAGE = "torch"
DEVICES = ("cpu", "cuda")
PRECISIONS = ("float32", "bfloat16")


def ais(place: Place, model: RBM, bias: np.ndarray, betas: np.ndarray, chains: int) -> Work:
    """See the package; in float32 alone, as bfloat16 does not tell one temperature from the next."""
    if place.precision != "float32":
        raise Unavailable(f"peer {NAME} anneals in float32, not in {place.precision}")
    torch = importlib.import_module(PACKAGE)
    torch.manual_seed(0)
    given = (
        torch.tensor(x, dtype=torch.float32, device=place.device) for x in (model.W, model.b, model.c)
    )
    W, b, c = given
    base = torch.tensor(bias, dtype=torch.float32, device=place.device)
    softplus = torch.nn.functional.softplus
    last: dict[str, Any] = {}

    def draw(x: Any) -> Any:
        p = x.sigmoid_()
        return torch.rand_like(p).lt_(p)

    @torch.no_grad()
    def run() -> None:
        v = draw(base.repeat(chains, 1))
        log_weights = torch.zeros(chains, dtype=torch.float64, device=place.device)
        for before, beta in pairwise(betas.tolist()):
            x = torch.addmm(c, v, W)
            log_weights += (v @ (b - base)).mul_(beta - before)
            log_weights += (softplus(beta * x) - softplus(before * x)).sum(1)
            h = draw(x.mul_(beta))
            v = draw(torch.addmm(base.lerp(b, beta), h, W.T, alpha=beta))
        last["log_weights"] = log_weights

    return _torch.work(place, run, lambda: last)


JOBS = _torch_jobs.jobs(_torch.repeated) | _torch.threaded({"ais": ais})
settings = _torch.settings
missing = _torch.missing
