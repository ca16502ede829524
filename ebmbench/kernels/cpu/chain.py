"""Layers' pre-activations while W stands still and chains walk, group by group, sweep by sweep.

On a processor with a matrix unit W becomes integers (see `integers`), whose sums are exact. Groups of
several chains are then summed anew every sweep, a tile of them at once; for few chains sums are kept from
sweep to sweep and changed by what flips. Both give the same bits, so a chain's bits depend neither on
its group nor on the number of threads.

Elsewhere float32 sums are kept and changed. Of a trained 784 x 500 model 4 % of the visible and 14 % of
the hidden units change a sweep, where 13 % and 27 % are on; so each row of the matrix whose unit went on
is added and each whose unit went off is subtracted, wherever those are fewer than the rows that are on.
Which way is taken depends on the chain's own states alone. The chains of a group go through the matrix
together, a few columns at a time, so that those columns are read from memory once a group and then stay
in the core's own cache.

In `grid` arithmetic all sums are exact, so all ways give the same bits. In `float` each row added to or
subtracted from a float32 rounds it once, by at most 2**-24 of its size. So that errors do not add up,
such sums start anew every `REFRESH` sweeps: with 100 flips a sweep and |x| < 16 that is 6,400 roundings
at random, whose sum is about 4e-5, and a probability is off by at most a quarter of it; the sum grows
with the root of the flips.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from ebmbench.compile import inner, overload
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.changes import list_changes, list_on
from ebmbench.kernels.cpu.integers import pre_activations
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.rows import add_listed
from ebmbench.kernels.cpu.simd import WIDE_COLUMNS, address, copy

REFRESH = 64  # sweeps that float32 sums are kept for


class Followed(NamedTuple):
    """What is kept of a layer: states that sums were made of, uint8 [chains, units], and those.

    sums: int32 [chains, columns], where sums are of integers; zero: int32 [columns] of 0, likewise.
    Without entries where sums are made anew every time.
    """

    states: np.ndarray
    sums: np.ndarray
    zero: np.ndarray


class Room(NamedTuple):
    """Scratch of a group: units that went on and off, int32 [chains, units], and how many, [chains, 3].

    The third count is 1 where a chain's sum starts anew, and 0 elsewhere. tiled: see `tiles.room`.
    """

    up: np.ndarray
    down: np.ndarray
    counts: np.ndarray
    tiled: tiles.Room


@inner(allocates=True)
def room(matrix, chains, units):
    """A `Room` for sums over layers of at most so many units, by such a matrix."""
    tiled = matrix.planes.shape[0] > 0
    listed = 0 if tiled else chains
    return Room(
        np.empty((listed, units), np.int32),
        np.empty((listed, units), np.int32),
        np.empty((listed, 3), np.intp),
        tiles.room(chains if tiled else 0, units),
    )


@inner(allocates=True)
def followed(matrix, chains, units):
    """A `Followed` for so many chains of a layer with so many units."""
    columns = matrix.listed.shape[1]
    kept = 0 if matrix.planes.shape[0] > 0 else chains
    return Followed(
        np.empty((kept, units), np.uint8),
        np.empty((chains, columns), np.int32),
        np.zeros(columns, np.int32),
    )


@inner
def _change(start, matrix, new, old, fresh, room, sums):
    """Make sums = start + new @ matrix from sums = start + old @ matrix, and old = new."""
    for r in range(new.shape[0]):
        now, before = new[r], old[r]
        rising, falling, on = 0, 0, 0
        if not fresh:
            rising, falling, on = list_changes(now, before, room.up[r], room.down[r])
        anew = fresh or rising + falling > on
        if anew:
            rising, falling = list_on(now, room.up[r]), 0
        room.counts[r, 0], room.counts[r, 1], room.counts[r, 2] = rising, falling, anew
        copy(now, before)
    columns = matrix.shape[1]
    for first in range(0, columns, WIDE_COLUMNS):
        last = min(columns, first + WIDE_COLUMNS)
        for r in range(new.shape[0]):
            rising, falling, anew = room.counts[r]
            x = sums[r]
            before = address(start) if anew else address(x)
            add_listed(before, matrix, room.up[r], rising, room.down[r], falling, first, last, x, first)


@inner
def follow(bias, W, matrix, new, last, sweep, room, x):
    """Make x = bias + new @ W.

    bias: float32 [columns]; W: float32 [units, columns], columns a multiple of LANES; matrix: the same as
    `Integers`, or `NONE`; new: uint8 [chains, units] of 0 and 1; last: of `followed`; sweep: how many
    calls came before with this `last` and this x, which nobody else wrote to; room: of `room`; x: float32
    [chains, columns].
    """
    if matrix.planes.shape[0] > 0:
        tiles.multiply(bias, matrix.step, matrix.planes, new, 0, bias.size, room.tiled, x)
    elif matrix.listed.shape[0] > 0:
        _change(last.zero, matrix.listed, new, last.states, sweep == 0, room, last.sums)
        for r in range(new.shape[0]):
            pre_activations(bias, matrix.step, last.sums[r], x[r])
    elif sweep % REFRESH == 0:
        products(W, bias, new, 0, bias.size, x)
        for r in range(new.shape[0]):
            copy(new[r], last.states[r])
    else:
        _change(bias, W, new, last.states, False, room, x)


def begin(bias, W, matrix, start, last, room, x):
    """Make x = bias + start @ W; how many calls of `follow` that counts for (compiled code only).

    start: uint8 of 0 and 1, or float32, [chains, units], whose sums no others follow; the rest as in
    `follow`.
    """
    raise NotImplementedError


@overload(begin)
def _begin(bias, W, matrix, start, last, room, x):
    def binary(bias, W, matrix, start, last, room, x):
        follow(bias, W, matrix, start, last, 0, room, x)
        return 1

    def real(bias, W, matrix, start, last, room, x):
        products(W, bias, start, 0, bias.size, x)
        return 0

    return binary if start.dtype == types.uint8 else real
