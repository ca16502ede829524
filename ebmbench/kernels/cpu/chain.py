"""Layers' pre-activations kept from sweep to sweep, and changed by what flipped; chains walk in groups.

From one sweep to the next few units change: of a trained 784 x 500 model 4 % of the visible and 14 % of
the hidden ones, where 13 % and 27 % are on. So bias + state @ matrix is not summed anew, but each row of
the matrix whose unit went on is added and each whose unit went off is subtracted, wherever those are
fewer than the rows that are on. Which way is taken depends on the chain's own states alone, so a chain's
bits depend neither on its group nor on the number of threads.

The chains of a group go through the matrix together, a few columns at a time, so that those columns are
read from memory once a group and then stay in the core's own cache.

In `grid` arithmetic all sums are exact, so both ways give the same bits. In `float` each row added or
subtracted rounds x once, by at most 2**-24 of its size. So that errors do not add up, sums start anew
every `REFRESH` sweeps: with 100 flips a sweep and |x| < 16 that is 6,400 roundings at random, whose sum
is about 4e-5, and a probability is off by at most a quarter of it; the sum grows with the root of the
flips.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from ebmbench.compile import jit
from ebmbench.kernels.cpu.changes import list_changes, list_on
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.rows import add_listed
from ebmbench.kernels.cpu.simd import WIDE_COLUMNS, copy

REFRESH = 64  # sweeps


class Room(NamedTuple):
    """Scratch of a group: units that went on and off, int32 [chains, units], and how many, [chains, 3].

    The third count is 1 where a chain's sum starts anew, and 0 elsewhere.
    """

    up: np.ndarray
    down: np.ndarray
    counts: np.ndarray


@jit
def room(chains, units):
    """A `Room` for layers of at most so many units."""
    return Room(
        np.empty((chains, units), np.int32),
        np.empty((chains, units), np.int32),
        np.empty((chains, 3), np.intp),
    )


@jit
def follow(bias, matrix, new, old, fresh, room, x):
    """Make x = bias + new @ matrix from x = bias + old @ matrix, and old = new.

    bias: float32 [columns]; matrix: float32 [units, columns], columns a multiple of LANES; new, old:
    uint8 [chains, units] of 0 and 1; fresh: whether to sum anew, whatever x and old hold; x: float32
    [chains, columns].
    """
    if fresh:
        products(matrix, bias, new, x)
        for r in range(new.shape[0]):
            copy(new[r], old[r])
        return
    for r in range(new.shape[0]):
        now, before = new[r], old[r]
        rising, falling, on = list_changes(now, before, room.up[r], room.down[r])
        anew = rising + falling > on
        if anew:
            rising, falling = list_on(now, room.up[r]), 0
        room.counts[r, 0], room.counts[r, 1], room.counts[r, 2] = rising, falling, anew
        copy(now, before)
    columns = matrix.shape[1]
    for first in range(0, columns, WIDE_COLUMNS):
        last = min(columns, first + WIDE_COLUMNS)
        for r in range(new.shape[0]):
            rising, falling, anew = room.counts[r]
            start = bias if anew else x[r]
            add_listed(start, matrix, room.up[r], rising, room.down[r], falling, first, last, x[r])


def begin(bias, matrix, start, old, room, x):
    """Make x = bias + start @ matrix; whether start is binary, and old now holds it (compiled code only).

    start: uint8 of 0 and 1, or float32, [chains, units]; the rest as in `follow`.
    """
    raise NotImplementedError


@overload(begin, jit_options={"error_model": "numpy"})
def _begin(bias, matrix, start, old, room, x):
    def binary(bias, matrix, start, old, room, x):
        follow(bias, matrix, start, old, True, room, x)
        return True

    def real(bias, matrix, start, old, room, x):
        products(matrix, bias, start, x)
        return False

    return binary if start.dtype == types.uint8 else real
