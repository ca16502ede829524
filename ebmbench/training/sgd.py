"""Stochastic gradient ascent: step size schedules, momentum, weight decay, centring."""

from dataclasses import dataclass

from ebmbench.options import require
from ebmbench.training.schedule import check_schedule, scheduled_rate

# The share of the newest batch in the offsets of a centred gradient (Melchior et al. 2016, section 4).
CENTRING_SLIDING = 0.01


@dataclass(frozen=True)
class SGD:
    """Settings of the optimiser.

    rate: step size, > 0; momentum in [0, 1); decay: weight decay of W, >= 0; schedule: the rate stays
    `constant` or falls `linear`ly to zero over the whole run; centred: use the centred gradient.
    """

    rate: float = 0.05
    momentum: float = 0.5
    decay: float = 0.0
    schedule: str = "constant"
    centred: bool = False

    def __post_init__(self) -> None:
        check_schedule(self.rate, self.schedule)
        require(0 <= self.momentum < 1, f"momentum must lie in [0, 1), but is {self.momentum}")
        require(
            0 <= self.decay < float("inf"),
            f"weight decay must be at least 0 and finite, but is {self.decay}",
        )

    def rate_at(self, step: int, steps: int) -> float:
        """The step size of update number `step` of `steps`."""
        return scheduled_rate(self.rate, self.schedule, step, steps)
