"""How well chains sample: effective sample size, R-hat, and distance from an enumerated law.

The first two are ArviZ's (arviz-stats), which is imported when they are asked for, as is scipy.stats.
"""

from typing import Any

import numpy as np

from ebmbench.errors import Unavailable


def effective_sample_size(draws: np.ndarray) -> float:
    """Bulk effective sample size of a scalar statistic, draws [chains, sweeps] (Vehtari et al. 2021).

    How many independent draws estimate the middle of its law as well. NaN where a draw is not finite
    or there are fewer than 4 sweeps.
    """
    return float(_arviz().ess(draws, method="bulk"))


def r_hat(draws: np.ndarray) -> float:
    """Rank-normalised split R-hat of draws [chains, sweeps]; above 1.01 the chains disagree."""
    return float(_arviz().rhat(draws, method="rank"))


def _arviz() -> Any:
    try:
        from arviz_stats.base import array_stats
    except ImportError as error:
        raise Unavailable(f"the diagnostics of chains need the package {error.name}") from None
    return array_stats


def visits(v: np.ndarray) -> np.ndarray:
    """How often each visible state occurs in binary rows [n, n_visible], int64 [2**n_visible].

    States are numbered as by `models.enumerate.states`: unit 0 is the lowest bit.
    """
    numbers = v.astype(np.int64) @ (1 << np.arange(v.shape[1]))
    return np.bincount(numbers, minlength=2 ** v.shape[1])


def total_variation(counts: np.ndarray, law: np.ndarray) -> float:
    """Half the sum of |share - probability| over all states; in [0, 1]."""
    return float(0.5 * np.abs(counts / counts.sum() - law).sum())


def total_variation_floor(law: np.ndarray, draws: float) -> float:
    """The expected total variation of this many independent draws from the law itself.

    A count is binomial, and its mean absolute deviation is 2 m (1 - p) P(count = m) with m the first
    whole number above n p (De Moivre; see Diaconis & Zabell 1991). draws is rounded to n >= 1.
    """
    from scipy.stats import binom

    n = max(1, round(draws))
    m = np.floor(n * law) + 1.0
    deviation = 2.0 * m * (1.0 - law) * binom.pmf(m, n, law)
    return float(0.5 * deviation.sum() / n)
