"""What the log weights of independent walks say together."""

import numpy as np
from scipy.special import logsumexp


def summarise(log_weights: np.ndarray) -> tuple[float, float, float]:
    """Log of the mean weight, its standard error (delta method) and the effective sample size."""
    n = len(log_weights)
    mean = float(logsumexp(log_weights) - np.log(n))
    relative = np.exp(log_weights - mean)  # weights over their mean
    std_error = float(relative.std(ddof=1) / np.sqrt(n))
    ess = float(relative.sum() ** 2 / (relative**2).sum())
    return mean, std_error, ess
