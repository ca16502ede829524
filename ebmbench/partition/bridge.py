"""Bridge sampling: Bennett's acceptance ratio on walks in both directions.

Of all estimates that weigh forward and reverse walks by a function of their weight, this one has the
least variance (Bennett 1976, eq. 7 to 12; Meng & Wong 1996, section 3; on paths Crooks 2000 and Shirts et
al. 2003). Half of the chains walk each way.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit

from ebmbench.kernels.api import Backend
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.partition import BaseRates, LogZ
from ebmbench.partition._start import Beginning
from ebmbench.partition._works import Walks, forward, reverse

NAME = "bridge"


@dataclass(frozen=True)
class Config(Beginning):
    """See `Beginning`; chains: of both ways together, at least 4."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.chains >= 4, f"bridge needs at least 4 chains, but is given {self.chains}")


def estimate(k: Backend, model: Model, config: Config, base: BaseRates, seed: int) -> LogZ:
    """Log Z from half of `config.chains` chains each way on backend k."""
    half = config.chains // 2
    there = forward(k, model, config, base, seed, half)
    return of_walks(there, reverse(k, model, config, base, seed, half, there.schedule), base)


def of_walks(there: Walks, back: Walks, base: BaseRates) -> LogZ:
    """The estimate from walks forward and walks back; its log_weights are both, forward first."""
    log_z, std_error = acceptance_ratio(there.log_weights, back.log_weights)
    both = back._replace(log_weights=np.concatenate([there.log_weights, back.log_weights]))
    return both.estimate(NAME, log_z, std_error, None, base)


def acceptance_ratio(forward: np.ndarray, reverse: np.ndarray) -> tuple[float, float]:
    """Log Z and its standard error from log weights of walks forward [n] and back [m].

    Log Z is the root L of sum_i s(f_i - L - M) = sum_j s(L + M - r_j), with s the logistic function and
    M = log n / m. The variance is var(s) / (n mean(s)**2) over the one side plus the like over the other
    (Bennett 1976, eq. 10a).
    """
    from scipy.optimize import brentq  # takes long to import

    ratio = np.log(len(forward) / len(reverse))

    def accepted(log_z: float) -> tuple[np.ndarray, np.ndarray]:
        return log_expit(forward - log_z - ratio), log_expit(log_z + ratio - reverse)

    def excess(log_z: float) -> float:
        there, back = accepted(log_z)
        # Falls as log_z rises. A tenth of the time of scipy's logsumexp, on a few chains.
        return float(np.logaddexp.reduce(there) - np.logaddexp.reduce(back))

    # At L + M = min(weights) - |M| the left side holds at least n s(|M|), the right at most m s(-|M|).
    lowest = min(forward.min(), reverse.min()) - abs(ratio) - ratio
    highest = max(forward.max(), reverse.max()) + abs(ratio) - ratio
    log_z = float(brentq(excess, lowest - 1.0, highest + 1.0, xtol=1e-12, rtol=1e-14))
    return log_z, float(np.sqrt(sum(_relative_variance(side) for side in accepted(log_z))))


def _relative_variance(log_x: np.ndarray) -> float:
    """The variance of the mean of e**log_x over the square of that mean."""
    x = np.exp(log_x - log_x.max())
    return float(x.var(ddof=1) / x.mean() ** 2 / len(x))
