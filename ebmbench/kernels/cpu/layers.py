"""From one layer to the other for a whole batch: bias + states @ matrix.

Binary states pick rows of the matrix (see `pieces`); of real ones those that are 0 are left out, or where
few are, a block of dense matrices is multiplied.
"""

import numpy as np
from numba import types

from ebmbench.compile import inner, overload
from ebmbench.kernels.cpu import pieces, tiles
from ebmbench.kernels.cpu.changes import list_weighted
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.pieces import HEIGHT, NARROW, WIDTH, is_worth_packing
from ebmbench.kernels.cpu.rows import add_weighted
from ebmbench.kernels.cpu.simd import address, copy

DENSE = 0.35  # share of numbers that are not 0 from which on none is left out
_DENSER = 0.6  # ... where panels are packed: on a Zen 4 100 rows of 784 take 0.8 of a block's time there


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
    found = pieces.room(rows, units)
    packed = is_worth_packing(rows, units, right - left, pieces.list_pieces(states, found))
    pieces.sum_pieces(matrix, bias, found, (0, rows), packed, left, right, out, left)


@inner(forceinline=True)
def _add_piece(source, column, found, columns, out, place):
    """To so many columns of sums those of a piece's rows, which stand in source from column on."""
    index, weight, count = found
    for r in range(out.shape[0]):
        sums, behind = out[r], column + columns
        add_weighted(address(sums), source, index[r], weight[r], count[r], column, behind, sums, place)


@inner(allocates=True)
def weighted(matrix, bias, states, left, right, out, to):
    """As `pieces.sum_pieces`, of all real states, float32 [B, units]; out: float32 [at least B, any]."""
    rows, units = states.shape
    index, weight = np.empty((rows, HEIGHT), np.int32), np.empty((rows, HEIGHT), np.float32)
    count = np.empty(rows, np.intp)
    found, sums = (index, weight, count), out[:rows]
    for r in range(rows):
        copy(bias[to : to + right - left], out[r, to : to + right - left])
    for top in range(0, units, HEIGHT):
        bottom = min(units, top + HEIGHT)
        part = matrix[top:bottom]
        for r in range(rows):
            count[r] = list_weighted(states[r, top:bottom], index[r], weight[r])
        number = count.sum()
        packing = is_worth_packing(rows, bottom - top, right - left, number)
        if number > (_DENSER if packing else DENSE) * rows * (bottom - top):
            block(
                states, top, units, 1, bottom - top, part, left, out, to, out.shape[1],
                out, to, rows, right - left,
            )  # fmt: skip
        elif packing:
            packed = pieces.panel()
            for first in range(left, right, NARROW):
                columns = min(right - first, NARROW)
                pieces.pack(part, first, columns, packed)
                _add_piece(packed, 0, found, columns, sums, to + first - left)
        else:
            for first in range(left, right, WIDTH):
                _add_piece(part, first, found, min(right - first, WIDTH), sums, to + first - left)


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
