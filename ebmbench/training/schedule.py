"""Step sizes over a run: what every optimiser's rate follows."""

import numpy as np

from ebmbench.options import require

SCHEDULES = ("constant", "linear")


def check_schedule(rate: float, schedule: str) -> None:
    """`UserError` unless rate > 0 and the schedule is known."""
    require(
        0 < rate <= 1e30,  # what float32 holds
        f"the learning rate must be positive and at most 1e30, but is {rate}",
    )
    require(
        schedule in SCHEDULES,
        f"schedule must be one of {', '.join(SCHEDULES)}, but is {schedule!r}",
    )


def check_planned(what: str, done: int, updates: int, steps: int) -> None:
    """`UserError` where so many more updates are none, or too many: the schedule has no rate for them."""
    whole = isinstance(updates, int | np.integer) and updates >= 0
    require(whole, f"the number of updates must be a whole one of at least 0, but is {updates}")
    all_of_them = done + updates
    sentence = f"the {what} was planned for {steps} updates, so {all_of_them} are too many"
    require(all_of_them <= steps, sentence)


def scheduled_rate(rate: float, schedule: str, step: int, steps: int) -> float:
    """The step size of update number `step` of `steps`: `constant`, or falling `linear`ly to zero."""
    return rate * (1.0 - step / steps) if schedule == "linear" else rate
