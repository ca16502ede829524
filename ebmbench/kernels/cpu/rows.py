"""bias + state @ matrix for one state: the product under every job of this backend.

The additions happen in ascending order of the state's units, whatever the path, so that a binary
state gives the same bits as uint8 and as float32, alone and in a batch, on any number of threads.
"""

import numpy as np
from numba import types

from ebmbench.compile import inner, overload
from ebmbench.kernels.cpu.changes import list_on, list_weighted
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.simd import (
    HALF_COLUMNS,
    WIDE_COLUMNS,
    address,
    sum_rows_half,
    sum_rows_narrow,
    sum_rows_wide,
    sum_weighted_rows_half,
    sum_weighted_rows_narrow,
    sum_weighted_rows_wide,
)


def add_rows(bias, matrix, state, index, out):
    """Out = bias + state @ matrix (compiled code only; the path is chosen by the state's dtype).

    bias and out: float32 [columns]; matrix: float32 [units, columns], columns a multiple of LANES;
    state: uint8 of 0 and 1, or float32, [units]; index: int32 scratch, [at least units].
    """
    raise NotImplementedError


@inner(forceinline=True)
def add_listed(start, matrix, up, rising, down, falling, first, last, out, place):
    """Out = start + the `rising` listed rows of matrix - the `falling` ones, in columns [first, last).

    start: `address` of a row; out: a row, may be the same, of the matrix's dtype, float32 or int32, where
    these are the columns from `place` on; up, down: int32; first, last: multiples of LANES.
    """
    column = first
    while column + WIDE_COLUMNS <= last:
        sum_rows_wide(start, matrix, up, rising, down, falling, column, out, place + column - first)
        column += WIDE_COLUMNS
    if column + HALF_COLUMNS <= last:
        sum_rows_half(start, matrix, up, rising, down, falling, column, out, place + column - first)
        column += HALF_COLUMNS
    while column < last:
        sum_rows_narrow(start, matrix, up, rising, down, falling, column, out, place + column - first)
        column += LANES


@inner(forceinline=True)
def add_weighted(start, matrix, index, weight, count, first, last, out, place):
    """Out = start + the listed rows of matrix times their weights; the rest as in `add_listed`."""
    column = first
    while column + WIDE_COLUMNS <= last:
        sum_weighted_rows_wide(start, matrix, index, weight, count, column, out, place + column - first)
        column += WIDE_COLUMNS
    if column + HALF_COLUMNS <= last:
        sum_weighted_rows_half(start, matrix, index, weight, count, column, out, place + column - first)
        column += HALF_COLUMNS
    while column < last:
        sum_weighted_rows_narrow(start, matrix, index, weight, count, column, out, place + column - first)
        column += LANES


@inner
def _add_chosen(bias, matrix, state, index, out):
    count = list_on(state, index)
    add_listed(address(bias), matrix, index, count, index, 0, 0, matrix.shape[1], out, 0)


@inner
def _add_chosen_apart(bias, matrix, state, index, out):
    """The same for units that are not neighbours in memory."""
    count = 0
    for i in range(state.size):  # no branch: a wrong guess costs more than a store
        index[count] = i
        count += np.intp(state[i] != 0)
    add_listed(address(bias), matrix, index, count, index, 0, 0, matrix.shape[1], out, 0)


@inner(allocates=True)
def _add_real(bias, matrix, state, index, out):
    weight = np.empty(state.size, np.float32)
    count = list_weighted(state, index, weight)
    add_weighted(address(bias), matrix, index, weight, count, 0, matrix.shape[1], out, 0)


@inner(allocates=True)
def _add_real_apart(bias, matrix, state, index, out):
    """As `_add_chosen_apart`."""
    weight, count = np.empty(state.size, np.float32), 0
    for i in range(state.size):
        index[count], weight[count] = i, state[i]
        count += np.intp(state[i] != np.float32(0.0))
    add_weighted(address(bias), matrix, index, weight, count, 0, matrix.shape[1], out, 0)


@overload(add_rows)
def _choose(bias, matrix, state, index, out):
    together = state.layout == "C"
    if state.dtype == types.uint8:
        path = _add_chosen if together else _add_chosen_apart
    else:
        path = _add_real if together else _add_real_apart

    def call(bias, matrix, state, index, out):
        path(bias, matrix, state, index, out)

    return call
