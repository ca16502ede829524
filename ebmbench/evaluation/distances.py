"""Squared distances between the rows of two tables, in blocks that fit a cache, and the nearest row."""

from collections.abc import Iterator

import numpy as np

from ebmbench.models.model import Array
from ebmbench.models.rows import LARGEST
from ebmbench.options import require

_BLOCK = 2**22  # numbers of a block, 16 MiB


def squared_distances(rows: Array, others: Array) -> Iterator[tuple[slice, Array]]:
    """Which rows, and their |x - y|² to all of `others`, float32 [those rows, len(others)], not negative.

    By |x|² + |y|² - 2 x·y in float32 about the mean of others: right to about 1e-6 of the largest |x|²
    or |y|² about that mean. `UserError` where the tables differ in their columns or overflow.
    """
    require(
        rows.ndim == others.ndim == 2 and rows.shape[1] == others.shape[1],
        f"rows of shape {rows.shape} and {others.shape} cannot be compared",
    )
    require(len(rows) > 0 and len(others) > 0, "no rows cannot be compared")
    centre = others.mean(axis=0, dtype=np.float64)
    y, norms = _centred(others, centre)
    count = max(1, _BLOCK // len(y))
    for first in range(0, len(rows), count):
        part = slice(first, min(first + count, len(rows)))
        x, own = _centred(rows[part], centre)
        found = x @ y.T
        found *= -2.0
        found += own[:, None]
        found += norms
        yield part, np.maximum(found, 0.0, out=found)


def _centred(rows: Array, centre: Array) -> tuple[Array, Array]:
    """Float32 rows about a centre, and their squared norms."""
    x = (rows - centre).astype(np.float32)
    norms = np.einsum("ij,ij->i", x, x)
    # Four times as much is what a distance can reach.
    require(bool((norms < 0.2 * LARGEST).all()), "the rows are too large to be compared in float32")
    return x, norms


def nearest(rows: Array, others: Array) -> Array:
    """Euclidean distance of each row to the nearest of `others`, float64 [rows]; exactly 0 for a copy.

    Which is the nearest is decided by `squared_distances`; how far it is then is exact.
    """
    which = np.concatenate([found.argmin(axis=1) for _, found in squared_distances(rows, others)])
    return np.linalg.norm(rows.astype(np.float64) - others[which].astype(np.float64), axis=1)
