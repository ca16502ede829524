"""The posterior of a DBM's hidden layers by mean field."""

import numpy as np

from ebmbench.models import dbm


def mean_field(model, v, even, sweeps: int, tolerance: float):
    """See `Backend.mean_field`."""
    n = v.shape[1]
    done, moved = 0, np.inf
    while done < sweeps and not moved <= tolerance:  # NaN has not settled
        rows = dbm.mean_field(model, v, even, 1)
        moved = np.abs(rows[:, n:] - even).max(initial=0.0)
        even, done = rows[:, n:], done + 1
    return rows, done


JOBS = {"mean_field": mean_field}
