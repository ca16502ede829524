"""Sweeps of an Ising model in torch, for every way to run it."""

import numpy as np

from ebmbench.peers import Place, Work
from ebmbench.peers._ising import halves, heard, whole
from ebmbench.peers._torch import Prepare, package, tensor, work


def ising(
    prepare: Prepare, place: Place, torus: tuple[int, int], weight: float, bias: float, v: np.ndarray,
    sweeps: int,
) -> Work:  # fmt: skip
    """See the package."""
    torch = package()
    height, width = torus
    with torch.no_grad():
        torch.manual_seed(0)
        colours = [tensor(place, half) for half in halves(v, height, width)]
        odd = (torch.arange(height, device=place.device) % 2 == 1)[None, :, None]

        def sweep() -> None:
            for n in (0, 1):
                x = heard(torch.roll, torch.where, odd, colours[1 - n], n == 0)
                p = x.mul_(weight).add_(bias).sigmoid_()
                colours[n].uniform_().lt_(p)

        starts = [half.clone() for half in colours]
        run = torch.no_grad()(prepare(torch, sweep, sweeps))
        for half, start in zip(colours, starts, strict=True):
            half.copy_(start)  # preparing may have run it

    made = work(place, run, lambda: dict(zip(("first", "other"), colours, strict=True)))
    return made._replace(result=lambda: {"v": whole(**made.result())})
