"""The posterior of hidden units by mean field: of a DBM's layers, of a general machine's units."""

from collections.abc import Callable

import numpy as np

from ebmbench.models import dbm


def mean_field(model, v, others, sweeps: int, tolerance: float):
    """See `Backend.mean_field`, of a DBM."""
    return _settled(dbm.mean_field, model, v, others, sweeps, tolerance)


def by_rows(update: Callable):
    """The job of a kind of model whose rows settle each by itself; update: `mean_field` of its module."""

    def mean_field(model, v, others, sweeps: int, tolerance: float):
        """See `Backend.mean_field`."""
        found = [_settled(update, model, v[[r]], others[[r]], sweeps, tolerance) for r in range(len(v))]
        return np.concatenate([row for row, _ in found]), max(done for _, done in found)

    return mean_field


def _settled(update: Callable, model, v, others, sweeps: int, tolerance: float):
    """The rows' means, [B, units], and after how many updates they had settled."""
    n = v.shape[1]
    done, moved = 0, np.inf
    while done < sweeps and not moved <= tolerance:  # NaN has not settled
        rows = update(model, v, others, 1)
        moved = np.abs(rows[:, n:] - others).max(initial=0.0)
        others, done = rows[:, n:], done + 1
    return rows, done


JOBS = {"mean_field": mean_field}
