"""Which inverse temperatures a walk between the base rates and the model visits, and what it is told.

`paper` is the schedule of Salakhutdinov & Murray (2008).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ebmbench.options import require

PAPER, ADAPTIVE = "paper", "adaptive"
_WORDS = f"{PAPER!r}, {ADAPTIVE!r} or a number of temperatures"
MOST = 10**8


class Schedule(NamedTuple):
    """Inverse temperatures, float64 [K] from 0 to 1; their name; `reached`: see `LogZ`."""

    betas: np.ndarray
    name: str
    reached: bool | None = None


@dataclass(frozen=True)
class Annealing:
    """What every method that anneals is told.

    betas: `paper`, `adaptive`, or the number of evenly spaced inverse temperatures, at least 2; chains;
    error: the standard error of log Z in nats that `adaptive` is to reach; most_betas: the number of
    temperatures at which it gives up; arithmetic: see `Backend.put`.
    """

    betas: int | str = 1000
    chains: int = 100
    error: float = 0.1
    most_betas: int = 100_000
    arithmetic: str = "float"

    def __post_init__(self) -> None:
        if not isinstance(self.betas, str):
            require(isinstance(self.betas, int), f"betas must be {_WORDS}, but is {self.betas!r}")
            require(
                2 <= self.betas <= MOST,
                f"the number of temperatures must lie between 2 and 10**8, but is {self.betas}",
            )
        else:
            require(self.betas in (PAPER, ADAPTIVE), f"betas must be {_WORDS}, but is {self.betas!r}")
        require(self.chains >= 2, f"annealing needs at least 2 chains, but is given {self.chains}")
        require(0 < self.error < np.inf, f"the wanted error must be positive, but is {self.error:g}")
        require(
            2 <= self.most_betas <= MOST,
            f"the most temperatures must lie between 2 and 10**8, but are {self.most_betas}",
        )

    @property
    def adaptive(self) -> bool:
        """Whether the schedule must be found by trying."""
        return self.betas == ADAPTIVE

    @property
    def schedule(self) -> Schedule:
        """The schedule, where it is known beforehand."""
        if self.betas == PAPER:
            parts = (0.0, 0.5, 500), (0.5, 0.9, 4_000), (0.9, 1.0, 10_000)
            betas = np.concatenate([np.linspace(*part) for part in parts])
            return Schedule(betas, "paper (500 on [0, 0.5], 4000 on [0.5, 0.9], 10000 on [0.9, 1])")
        return Schedule(np.linspace(0.0, 1.0, int(self.betas)), f"linear ({self.betas} on [0, 1])")
