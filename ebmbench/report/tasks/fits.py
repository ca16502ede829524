"""Powers: with which an error falls, and with which a cost grows, fitted on logarithms."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ebmbench.report.text import number

_COVERAGE = 0.95
_APART = 0.1  # logarithms between two x that tell an exponent


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


@dataclass(frozen=True)
class Power:
    """y = level x**exponent, and the ends of the exponent's 95 % interval; last: between the last two x.

    It is NaN where those are nearly the same. An interval tells how far the points lie from a straight
    line of logarithms, so it is wide, too, where the line bends; then `last` is nearer to what larger x
    will cost.
    """

    exponent: float
    low: float
    high: float
    level: float
    last: float

    def at(self, x: np.ndarray) -> np.ndarray:
        """The fitted y."""
        return self.level * x**self.exponent

    @property
    def text(self) -> str:
        """`1.57 [1.21, 1.93]`."""
        return f"{number(self.exponent)} {self.interval}"

    @property
    def interval(self) -> str:
        """The interval in brackets."""
        return f"[{number(self.low)}, {number(self.high)}]"


def power(x: np.ndarray, y: np.ndarray) -> Power:
    """Of positive y against at least 3 positive x in ascending order, by least squares of logarithms."""
    x, y = np.log(x), np.log(y)
    exponent, level = np.polyfit(x, y, 1)
    left = y - level - exponent * x
    error = np.sqrt(left @ left / (len(x) - 2) / np.square(x - x.mean()).sum())
    half = stdtrit(len(x) - 2, 0.5 + _COVERAGE / 2) * error
    last = (y[-1] - y[-2]) / (x[-1] - x[-2]) if x[-1] - x[-2] > _APART else np.nan
    return Power(*map(float, (exponent, exponent - half, exponent + half, np.exp(level), last)))
