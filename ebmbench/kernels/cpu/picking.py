"""What an update picks of states for a tile of visible units: which rows they are on in, and values.

A visible unit's row of the gradient of W (see `contrast`) is the sum of the rows p(h|v) that are picked
for it. Where most values of real states are not 0 nothing is picked, and a block of dense matrices is
multiplied.
"""

import numpy as np
from numba import types
from numba.extending import overload

from ebmbench.compile import inner
from ebmbench.kernels.cpu.bits import lowest, word_of
from ebmbench.kernels.cpu.changes import list_rows
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.layers import DENSE
from ebmbench.kernels.cpu.rows import add_listed, add_weighted
from ebmbench.kernels.cpu.simd import copy, fill

TILE = LANES  # visible units that are worked on together: a cache line of a column of W
WIDTH = 512  # columns at once, so that the rows of p that a tile adds up stay in a core's cache


def pick(states, first, last, index, weight):
    """For each of the units [first, last): which rows it is on in, and its values there.

    index: int32 [TILE, at least 1 + B], each unit's number of rows and then the rows; weight: float32
    [TILE, at least B], untouched by binary states. Real states most of which are not 0 are not picked
    from: the number is -1. Compiled code only; the path is chosen by dtype.
    """
    raise NotImplementedError


@inner(forceinline=True)
def _pick_binary(states, first, last, index, weight):
    fill(index[:, 0], 0)
    whole = states.shape[0] // LANES * LANES if last - first == LANES else 0
    for r in range(0, whole, LANES):
        list_rows(states, r, first, index)
    for r in range(whole, states.shape[0]):
        word = word_of(states[r], first, last)
        while word != np.uint64(0):
            picked = index[lowest(word)]
            picked[0] += 1
            picked[picked[0]] = r
            word &= word - np.uint64(1)


@inner(forceinline=True)
def _pick_real(states, first, last, index, weight):
    fill(index[:, 0], 0)
    room = DENSE * states.shape[0] * (last - first)
    for r in range(states.shape[0]):
        word = word_of(states[r], first, last)
        while word != np.uint64(0):
            i = lowest(word)
            picked = index[i]
            weight[i, picked[0]] = states[r, first + i]
            picked[0] += 1
            picked[picked[0]] = r
            word &= word - np.uint64(1)
            room -= 1
        if room < 0:
            fill(index[:, 0], -1)
            return


def prepare(states, p, first_unit, last_unit, index, zero, first, last, sums):
    """Columns [first, last) of sums, float32 [TILE, at least last - first], where nothing was picked.

    Binary states are always picked from. Compiled code only.
    """
    raise NotImplementedError


@inner(forceinline=True)
def _prepare_real(states, p, first_unit, last_unit, index, zero, first, last, sums):
    if index[0, 0] < 0:
        block(
            states, first_unit, 1, states.shape[1], states.shape[0], p, first, zero, first, 0,
            sums, 0, last_unit - first_unit, last - first,
        )  # fmt: skip


def add_up(states, p, index, weight, sums, zero, first, last, out):
    """Columns [first, last) of out: the sum over a unit's picked rows of p (compiled code only).

    index, weight, sums: a unit's rows of those of `pick` and `prepare`.
    """
    raise NotImplementedError


@inner(forceinline=True)
def _add_up_binary(states, p, index, weight, sums, zero, first, last, out):
    add_listed(zero, p, index[1:], index[0], index, 0, first, last, out)


@inner(forceinline=True)
def _add_up_real(states, p, index, weight, sums, zero, first, last, out):
    if index[0] < 0:
        copy(sums, out[first:last])
    else:
        add_weighted(zero, p, index[1:], weight, index[0], first, last, out)


@overload(pick, jit_options={"error_model": "numpy"})
def _choose_pick(states, first, last, index, weight):
    path = _pick_binary if states.dtype == types.uint8 else _pick_real

    def call(states, first, last, index, weight):
        path(states, first, last, index, weight)

    return call


@overload(prepare, jit_options={"error_model": "numpy"})
def _choose_prepare(states, p, first_unit, last_unit, index, zero, first, last, sums):
    def nothing(states, p, first_unit, last_unit, index, zero, first, last, sums):
        pass

    def call(states, p, first_unit, last_unit, index, zero, first, last, sums):
        _prepare_real(states, p, first_unit, last_unit, index, zero, first, last, sums)

    return nothing if states.dtype == types.uint8 else call


@overload(add_up, jit_options={"error_model": "numpy"})
def _choose_add_up(states, p, index, weight, sums, zero, first, last, out):
    path = _add_up_binary if states.dtype == types.uint8 else _add_up_real

    def call(states, p, index, weight, sums, zero, first, last, out):
        path(states, p, index, weight, sums, zero, first, last, out)

    return call


@inner(forceinline=True)
def scratch(rows):
    """Index, weight and sums of a tile, for so many rows."""
    return (
        np.empty((TILE, rows + 1), np.int32),
        np.empty((TILE, rows), np.float32),
        np.empty((TILE, WIDTH), np.float32),
    )


@inner(forceinline=True)
def pick_tile(plus, minus, first, last):
    """What `pick` finds in both phases, for `contrast_of_unit`."""
    of_plus, of_minus = scratch(plus.shape[0]), scratch(minus.shape[0])
    pick(plus, first, last, of_plus[0], of_plus[1])
    pick(minus, first, last, of_minus[0], of_minus[1])
    return of_plus, of_minus


@inner(forceinline=True)
def prepare_tile(plus, minus, p_plus, p_minus, picked, first_unit, last_unit, zero, first, last):
    """What `contrast_of_unit` needs of these columns in both phases."""
    of_plus, of_minus = picked
    prepare(plus, p_plus, first_unit, last_unit, of_plus[0], zero, first, last, of_plus[2])
    prepare(minus, p_minus, first_unit, last_unit, of_minus[0], zero, first, last, of_minus[2])


@inner(forceinline=True)
def contrast_of_unit(plus, minus, p_plus, p_minus, picked, unit, zero, first, last, row, other):
    """Columns [first, last) of the contrast's row of a tile's unit; other: scratch, as long as row.

    A phase without rows counts as zero: the exact gradient subtracts its own.
    """
    (index_plus, weight_plus, sums_plus), (index_minus, weight_minus, sums_minus) = picked
    per_plus = np.float32(1.0 / max(plus.shape[0], 1))
    per_minus = np.float32(1.0 / max(minus.shape[0], 1))
    add_up(plus, p_plus, index_plus[unit], weight_plus[unit], sums_plus[unit], zero, first, last, row)
    add_up(
        minus, p_minus, index_minus[unit], weight_minus[unit], sums_minus[unit], zero, first, last, other
    )
    one, two = row[first:last], other[first:last]
    for j in range(one.size):
        one[j] = one[j] * per_plus - two[j] * per_minus
