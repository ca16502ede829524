"""When the seeds of a group reached each target log-likelihood, or how long they tried."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ebmbench.report.text import MISSING, duration


@dataclass(frozen=True)
class Reached:
    """Clocked seconds to a target, a value each seed: infinite where it was never reached.

    `tried` holds the same times, but for a seed that never reached the target how long it trained (NaN
    if unknown), which its time must exceed.
    """

    seconds: tuple[float, ...]
    tried: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many seeds reached it."""
        return int(np.isfinite(self.seconds).sum())

    @property
    def median(self) -> float:
        """Over the seeds; infinite where it is censored, because too few of them reached the target."""
        return float(np.median(self.seconds))

    @property
    def bound(self) -> float:
        """What the median is or exceeds: the median of what every seed's time is or exceeds."""
        return float(np.nanmedian(self.tried)) if np.isfinite(self.tried).any() else np.nan

    @property
    def text(self) -> str:
        """The median, `> 123 s` where it is censored."""
        if np.isfinite(self.median):
            return duration(self.median)
        return f"> {duration(self.bound)}" if np.isfinite(self.bound) else MISSING


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
        seconds, tried = zip(*each, strict=True)
        times[target] = Reached(seconds, tried)
    return times


def _by_target(entries: Any) -> dict[float, tuple[float, float]]:
    """Of one seed: target -> (seconds, seconds tried)."""
    entries = [entry for entry in entries if isinstance(entry, dict)] if _is_list(entries) else []
    return {float(entry["target"]): _times(entry) for entry in entries if "target" in entry}


def _times(entry: dict[str, Any]) -> tuple[float, float]:
    seconds = entry.get("seconds")
    if entry.get("reached", seconds is not None) and seconds is not None:
        return float(seconds), float(seconds)
    censored = entry.get("censored_at")
    return np.inf, np.nan if censored is None else float(censored)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, dict))
