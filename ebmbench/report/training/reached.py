"""Between which times the seeds of a group reached each target log-likelihood, or how long they tried.

A model is looked at now and then: a target is reached after the last look that finds the model below it
and by the first look that does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ebmbench.report.text import MISSING, duration, durations


@dataclass(frozen=True)
class Reached:
    """Clocked seconds to a target, a value each seed.

    seconds: of the first look at or above the target, infinite where there is none; after: what the time
    must exceed: the seconds of the look before that, or of all the training that did not reach it; NaN
    where this is not known.
    """

    seconds: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many seeds reached it."""
        return int(np.isfinite(self.seconds).sum())

    @property
    def median(self) -> float:
        """By when the median seed was there; infinite where too few of them reached the target."""
        return float(np.median(self.seconds))

    @property
    def bound(self) -> float:
        """What the median exceeds: the median of what every seed's time exceeds, which may be 0 s.

        NaN where nothing is known of any seed.
        """
        known = np.isfinite(self.after)
        return float(np.median(np.where(known, self.after, 0.0))) if known.any() else np.nan

    @property
    def text(self) -> str:
        """Where the median lies: `31 to 46 s`, `by 46 s`, or `> 123 s` where it is censored."""
        if self.median == 0:
            return "from the start"
        if not np.isfinite(self.median):
            return f"> {duration(self.bound)}" if self.bound > 0 else MISSING
        return durations(self.bound, self.median) if self.bound > 0 else f"by {duration(self.median)}"


def reached(group: pd.DataFrame) -> dict[float, Reached]:
    """For each target in nats that the tidy rows of a group name, hardest first."""
    seeds = [
        (_by_target(entries), train_s)
        for entries, train_s in zip(group["seconds_to_target"], group["train_s"], strict=True)
    ]
    targets = sorted({target for found, _ in seeds for target in found}, reverse=True)
    times = {}
    for target in targets:
        each = [found.get(target, (np.inf, float(train_s))) for found, train_s in seeds]
        seconds, after = zip(*each, strict=True)
        times[target] = Reached(seconds, after)
    return times


def _by_target(entries: Any) -> dict[float, tuple[float, float]]:
    """Of one seed: target -> (seconds of the first look that finds it reached, of the last before)."""
    entries = [entry for entry in entries if isinstance(entry, dict)] if _is_list(entries) else []
    return {float(entry["target"]): _times(entry) for entry in entries if "target" in entry}


def _times(entry: dict[str, Any]) -> tuple[float, float]:
    seconds = entry.get("seconds")
    reached = entry.get("reached", seconds is not None) and seconds is not None
    after = entry.get("after" if reached else "censored_at")
    return float(seconds or 0.0) if reached else np.inf, np.nan if after is None else float(after)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, dict))
