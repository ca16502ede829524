"""What the tasks that train have in common: when they look at a model, and when it reached a target."""

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import numpy as np

from ebmbench.options import require

SPACINGS: dict[str, Callable[..., np.ndarray]] = {"log": np.geomspace, "linear": np.linspace}


def check(spacing: str, targets: Iterable[Any]) -> None:
    """`UserError` for a spacing that is not known, or a target that is no number."""
    require(spacing in SPACINGS, f"spacing must be one of {', '.join(SPACINGS)}, but is {spacing!r}")
    for target in targets:
        number = isinstance(target, int | float) and not isinstance(target, bool)
        require(number and isfinite(target), f"targets must be finite numbers, but one is {target!r}")


def checkpoints(updates: int, count: int, spacing: str, stride: int = 1) -> list[int]:
    """Numbers of updates, the first one or later, the last one always among them.

    stride: all are multiples of it, as `updates` is.
    """
    first = 1.0 if spacing == "log" else updates / count
    wanted = SPACINGS[spacing](first, updates, count).round()
    return sorted({updates, *(-(-int(n) // stride) * stride for n in wanted)} - {0})


def first_at(
    target: float, curve: list[dict[str, Any]], seconds: float, measure: str, sign: int = 1
) -> dict[str, Any]:
    """The first checkpoint whose measure is as good as a target; or for how long there was none.

    sign: -1 where less is better; points without the measure are passed over. after: seconds of the
    checkpoint before, so the target was reached between the two.
    """
    after = 0.0
    for point in curve:
        if measure in point and sign * (point[measure] - target) >= 0:
            found = {"reached": True, "seconds": point["seconds"], "after": after, "censored_at": None}
            return {"target": target, **found}
        after = point["seconds"]
    return {"target": target, "reached": False, "seconds": None, "after": after, "censored_at": seconds}
