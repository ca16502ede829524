"""What samples of two versions say: the rules, and nothing else."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from scipy import stats

THRESHOLD = 0.05  # a slowdown below this is nobody's concern
CONFIDENCE = 0.99
LEAST = 5  # pairs from which on a bound is believed
QUALITY_STEP = 0.05  # nats, likewise
_RESAMPLES = 9999


class Verdict(Enum):
    """What became of one figure, and the exit status where it is the worst of all."""

    PASS = 0
    REGRESSED = 1
    AMBIGUOUS = 3
    NOT_MEASURED = 4

    @property
    def words(self) -> str:
        """As it is told."""
        return self.name.replace("_", " ")


class Change(NamedTuple):
    """By how much a figure rose from base to new, and the one-sided lower bound of that."""

    estimate: float
    low: float
    step: float  # what counts as a change

    @property
    def suspect(self) -> bool:
        """Whether it seems worse."""
        return self.estimate > self.step

    @property
    def flagged(self) -> bool:
        """Whether it is worse, but for one chance in a hundred."""
        return self.suspect and self.low > 0


def slowdown(base: Sequence[float], new: Sequence[float], threshold: float = THRESHOLD) -> Change:
    """The median of log(new / base) over pairs of processes, and its bootstrap bound.

    base, new: seconds, a pair of processes each. The threshold is a share: 0.05 stands for 5 % slower.
    """
    ratios = np.log(np.asarray(new) / np.asarray(base))
    bound = stats.bootstrap(
        (ratios,), np.median, confidence_level=CONFIDENCE, alternative="greater", method="percentile",
        n_resamples=_RESAMPLES, rng=np.random.default_rng(0),
    ).confidence_interval.low  # fmt: skip
    return Change(float(np.median(ratios)), float(bound), float(np.log1p(threshold)))


def loss(base: Sequence[float], new: Sequence[float]) -> Change:
    """The mean of new - base over seeds, of a figure of which less is better, and Student's bound.

    Where a change leaves the bits alone the difference is 0, and so is its bound.
    """
    differences = np.asarray(new) - np.asarray(base)
    mean = float(differences.mean())
    if not differences.any():
        return Change(0.0, 0.0, QUALITY_STEP)
    spread = differences.std(ddof=1) / np.sqrt(len(differences))
    low = mean - float(stats.t.ppf(CONFIDENCE, len(differences) - 1)) * float(spread)
    return Change(mean, low, QUALITY_STEP)


def decide(first: Change | None, second: Change | None = None) -> Verdict:
    """The verdict from one measurement, or from two where the first was suspect; None: there is none."""
    if first is None:
        return Verdict.NOT_MEASURED
    if not first.suspect:
        return Verdict.PASS
    if second is None or not second.suspect:
        return Verdict.AMBIGUOUS
    return Verdict.REGRESSED if first.flagged and second.flagged else Verdict.AMBIGUOUS


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The one that decides the exit status: what is regressed before what is not known."""
    order = (Verdict.REGRESSED, Verdict.NOT_MEASURED, Verdict.AMBIGUOUS, Verdict.PASS)
    return min(verdicts, key=order.index, default=Verdict.NOT_MEASURED)
