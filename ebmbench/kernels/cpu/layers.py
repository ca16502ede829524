"""From one layer to the other for a whole batch: bias + states @ matrix, a piece of the matrix at a time.

A state that walks over all of the matrix by itself streams it from wherever it fits. Here many states add
their rows of one piece before the next piece comes, so that it comes from memory once and then from
the core's own cache: 1.6 times as fast at 784 x 500 on one thread of a Zen 5, 3 times at 4096 x 4096.
What bounds it there is that cache: 2.3 vectors of 16 additions a nanosecond. Each sum still
takes its rows in ascending order, so the bits are those of `rows.add_rows`.
"""

import numpy as np
from numba import types
from numba.extending import overload

from ebmbench.compile import inner
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.changes import list_on, list_weighted
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.rows import add_listed, add_weighted
from ebmbench.kernels.cpu.simd import copy

_HEIGHT, _WIDTH = 128, 512  # of a piece: 256 KiB
DENSE = 0.35  # share of numbers that are not 0 from which on none is left out


@inner(forceinline=True)
def count_on(state):
    """How many units of a state, float32 [units], are not 0."""
    count = np.int32(0)
    for i in range(state.size):
        count += np.int32(state[i] != np.float32(0.0))
    return count


def products(matrix, bias, states, left, right, out):
    """Columns [left, right) of out = bias + states @ matrix (compiled code only; the dtype decides how).

    matrix: float32 [units, any]; bias: float32; states: uint8 of 0 and 1, or float32, [B, units], B at
    best 128 at most (`threads.split`); left, right: multiples of LANES; out: float32 [B, any].
    """
    raise NotImplementedError


@inner
def _chosen(matrix, bias, states, left, right, out):
    rows, units = states.shape
    pieces = (units + _HEIGHT - 1) // _HEIGHT
    # First what is on, row after row: branches that are guessed wrong would stall the sums.
    index = np.empty(rows * units, np.int32)
    ends = np.zeros((rows, pieces + 1), np.int32)
    count = 0
    for r in range(rows):
        ends[r, 0] = count
        for piece in range(pieces):
            top = piece * _HEIGHT
            count += list_on(states[r, top : min(units, top + _HEIGHT)], index[count:])
            ends[r, piece + 1] = count
    for first in range(left, right, _WIDTH):
        last = min(right, first + _WIDTH)
        for piece in range(pieces):
            part = matrix[piece * _HEIGHT : (piece + 1) * _HEIGHT]
            for r in range(rows):
                begin, end = ends[r, piece], ends[r, piece + 1]
                start = bias if piece == 0 else out[r]
                add_listed(start, part, index[begin:], end - begin, index, 0, first, last, out[r])


@inner
def _weighted(matrix, bias, states, left, right, out):
    rows, units = states.shape
    index, weight = np.empty((rows, _HEIGHT), np.int32), np.empty((rows, _HEIGHT), np.float32)
    count = np.empty(rows, np.intp)
    for r in range(rows):
        copy(bias[left:right], out[r, left:right])
    for top in range(0, units, _HEIGHT):
        bottom = min(units, top + _HEIGHT)
        part = matrix[top:bottom]
        for r in range(rows):
            count[r] = list_weighted(states[r, top:bottom], index[r], weight[r])
        if count.sum() > DENSE * rows * (bottom - top):
            block(
                states, top, units, 1, bottom - top, part, left, out, left, out.shape[1],
                out, left, rows, right - left,
            )  # fmt: skip
            continue
        for first in range(left, right, _WIDTH):
            last = min(right, first + _WIDTH)
            for r in range(rows):
                add_weighted(out[r], part, index[r], weight[r], count[r], first, last, out[r])


@overload(products, jit_options={"error_model": "numpy"})
def _choose(matrix, bias, states, left, right, out):
    path = _chosen if states.dtype == types.uint8 else _weighted

    def call(matrix, bias, states, left, right, out):
        path(matrix, bias, states, left, right, out)

    return call


def inputs(matrix, integers, bias, states, left, right, out):
    """`products`, by a matrix unit where the matrix has integers for one and states are binary.

    integers: `Integers` of the matrix or `NONE`; left: whole strips of them; the rest as in `products`.
    """
    raise NotImplementedError


@overload(inputs, jit_options={"error_model": "numpy"})
def _choose_unit(matrix, integers, bias, states, left, right, out):
    def binary(matrix, integers, bias, states, left, right, out):
        if integers.planes.shape[0] > 0:
            room = tiles.room(states.shape[0], states.shape[1])
            tiles.multiply(bias, integers.step, integers.planes, states, left, right, room, out)
        else:
            products(matrix, bias, states, left, right, out)

    def real(matrix, integers, bias, states, left, right, out):
        products(matrix, bias, states, left, right, out)

    return binary if states.dtype == types.uint8 else real
