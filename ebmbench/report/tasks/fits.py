"""The power with which an error falls, fitted on logarithms."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ebmbench.report.text import number

_COVERAGE = 0.95


@dataclass(frozen=True)
class Slope:
    """The exponent p of error ∝ n^p, the mean over the seeds, and the ends of its 95 % interval.

    NaN where it is not known: the interval with a single seed, all with a single n.
    """

    value: float
    low: float
    high: float
    seeds: int

    @property
    def text(self) -> str:
        """`−1.02 [−1.10, −0.94]`."""
        return f"{number(self.value)} {self.interval}".strip()

    @property
    def interval(self) -> str:
        """The interval in brackets; a word where a single seed gives none."""
        if np.isfinite(self.low):
            return f"[{number(self.low)}, {number(self.high)}]"
        return "(1 seed, no interval)" if self.seeds == 1 else ""

    def agrees(self, expected: float) -> bool | None:
        """Whether the interval holds the expected exponent; None without one."""
        if not np.isfinite(self.low):
            return None
        slack = 1e-9  # an exact power law leaves rounding
        return bool(self.low - slack <= expected <= self.high + slack)


def slope(points: pd.DataFrame) -> Slope:
    """Of `error` against `n`, from the columns n, error and seed, whose values are positive.

    Each seed has a slope of its own, by least squares; the interval is Student's for their mean. So it
    holds, too, where one seed's data sets are nested and their errors depend on each other.
    """
    slopes = []
    for _, own in points.groupby("seed", dropna=False):
        if own["n"].nunique() > 1:
            slopes.append(float(np.polyfit(np.log(own["n"]), np.log(own["error"]), 1)[0]))
    if not slopes:
        return Slope(np.nan, np.nan, np.nan, 0)
    mean, seeds = float(np.mean(slopes)), len(slopes)
    if seeds == 1:
        return Slope(mean, np.nan, np.nan, 1)
    half = stdtrit(seeds - 1, 0.5 + _COVERAGE / 2) * np.std(slopes, ddof=1) / np.sqrt(seeds)
    return Slope(mean, mean - float(half), mean + float(half), seeds)
