"""From one layer to the other for a whole batch: bias + states @ matrix.

Binary states pick rows of the matrix (see `pieces`); of real ones those that are 0 are left out, or where
few are, a block of dense matrices is multiplied.
"""

import numpy as np
from numba import types

from ebmbench.compile import inner, overload
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.changes import list_weighted
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.pieces import HEIGHT, WIDTH, is_worth_a_copy, list_pieces, listed, sum_pieces
from ebmbench.kernels.cpu.rows import add_weighted
from ebmbench.kernels.cpu.simd import address, copy

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


@inner(allocates=True)
def _chosen(matrix, bias, states, left, right, out):
    rows, units = states.shape
    found = listed(rows, units)
    copied = is_worth_a_copy(rows, units, right - left, list_pieces(states, found))
    sum_pieces(matrix, bias, found, (0, rows), copied, left, right, out, left)


@inner(allocates=True)
def weighted(matrix, bias, states, left, right, out, to):
    """As `pieces.sum_pieces`, of all real states, float32 [B, units]."""
    rows, units = states.shape
    index, weight = np.empty((rows, HEIGHT), np.int32), np.empty((rows, HEIGHT), np.float32)
    count = np.empty(rows, np.intp)
    for r in range(rows):
        copy(bias[to : to + right - left], out[r, to : to + right - left])
    for top in range(0, units, HEIGHT):
        bottom = min(units, top + HEIGHT)
        part = matrix[top:bottom]
        for r in range(rows):
            count[r] = list_weighted(states[r, top:bottom], index[r], weight[r])
        if count.sum() > DENSE * rows * (bottom - top):
            block(
                states, top, units, 1, bottom - top, part, left, out, to, out.shape[1],
                out, to, rows, right - left,
            )  # fmt: skip
            continue
        for first in range(left, right, WIDTH):
            last = min(right, first + WIDTH)
            for r in range(rows):
                sums, place = out[r], to + first - left
                start = address(sums)
                add_weighted(start, part, index[r], weight[r], count[r], first, last, sums, place)


@overload(products)
def _choose(matrix, bias, states, left, right, out):
    def binary(matrix, bias, states, left, right, out):
        _chosen(matrix, bias, states, left, right, out)

    def real(matrix, bias, states, left, right, out):
        weighted(matrix, bias, states, left, right, out, left)

    return binary if states.dtype == types.uint8 else real


def inputs(matrix, integers, bias, states, left, right, out):
    """`products`, by a matrix unit where the matrix has integers for one and states are binary.

    integers: `Integers` of the matrix or `NONE`; left: whole strips of them; the rest as in `products`.
    """
    raise NotImplementedError


@overload(inputs)
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
