"""Adam: steps in units of each parameter's own recent gradients (Kingma & Ba 2015, algorithm 1)."""

from dataclasses import dataclass

from ebmbench.options import require
from ebmbench.training.schedule import check_schedule, scheduled_rate


@dataclass(frozen=True)
class Adam:
    """Settings of the optimiser; what one step does is `Backend.adam`.

    rate: step size, > 0; beta1, beta2 in [0, 1): decay of the running means of the gradient and of its
    square; epsilon > 0: added to the square root of the latter; schedule: the rate stays `constant` or
    falls `linear`ly to zero over the whole run.
    """

    rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    schedule: str = "constant"

    def __post_init__(self) -> None:
        check_schedule(self.rate, self.schedule)
        for name, beta in (("beta1", self.beta1), ("beta2", self.beta2)):
            require(0 <= beta < 1, f"{name} must lie in [0, 1), but is {beta}")
        require(
            1e-30 <= self.epsilon < float("inf"),  # what float32 holds
            f"epsilon must be at least 1e-30 and finite, but is {self.epsilon}",
        )

    def rate_at(self, step: int, steps: int) -> float:
        """The step size of update number `step` of `steps`."""
        return scheduled_rate(self.rate, self.schedule, step, steps)
