"""The G-test of counts against laws, and how far off a law may be before it nearly always tells."""

from collections.abc import Callable

import numpy as np
from scipy.special import chdtrc, chdtri, chndtr

ALARM = 1e-6  # the chance that a right program fails a statistical check
SEEN = 0.99  # the chance that what a check is said to find fails it
_RARE = 20.0  # below so many expected, cells are pooled
_NEAR, _FAR = 1e-3, 5.0  # where it is looked for


def g_test(counts: np.ndarray, laws: np.ndarray) -> float:
    """The p-value of counts [rows, cells] under each row's law."""
    statistic, freedom = _statistic(counts, laws)
    return float(chdtrc(freedom, statistic))


def smallest(law: Callable[[float], np.ndarray], rows: int) -> float:
    """The smallest x whose laws [rows, cells] fail a G-test against those of 0 with the chance `SEEN`.

    rows: counts a row has. The statistic of counts that follow another law is noncentral chi squared; its
    noncentrality is that of the expected counts.
    """
    from scipy.optimize import brentq  # slow to import

    right = law(0.0)

    def short(x: float) -> float:
        far, freedom = _statistic(rows * law(x), right)
        return float(1.0 - chndtr(chdtri(freedom, ALARM), freedom, far)) - SEEN

    return float(brentq(short, _NEAR, _FAR, xtol=1e-4))


def _statistic(counts: np.ndarray, laws: np.ndarray) -> tuple[float, int]:
    """The statistic and its degrees of freedom.

    A row's cells that expect fewer than `_RARE` are pooled, together with the least of the others, so
    that the statistic is as good as chi squared.
    """
    statistic, freedom = 0.0, 0
    for seen, law in zip(counts, laws, strict=True):
        order = np.argsort(law)
        expected, found = seen.sum() * law[order], seen[order]
        pooled = int((expected < _RARE).sum())
        if pooled:
            expected = np.append(expected[: pooled + 1].sum(), expected[pooled + 1 :])
            found = np.append(found[: pooled + 1].sum(), found[pooled + 1 :])
        there = found > 0
        statistic += 2.0 * float((found[there] * np.log(found[there] / expected[there])).sum())
        freedom += len(expected) - 1
    return statistic, freedom
