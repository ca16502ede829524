"""A batch's states transposed, times a matrix of as many rows: what gradients of W are sums of.

A unit's row of such a product is the sum of the matrix's rows of the states that have the unit on, times
their values where those are real. Some units at a time are written down side by side, each with its
states in all rows of the batch, and then multiplied as a layer is.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from ebmbench.compile import inner, overload
from ebmbench.kernels.cpu import pieces
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.layers import weighted
from ebmbench.kernels.cpu.pieces import Listed, is_worth_packing
from ebmbench.kernels.cpu.transpose import transpose_units

_FEW = 1024  # sums that are still in the first cache when all of them are there


class Transposed(NamedTuple):
    """Some units' states in all rows of a batch, of its dtype, [units, rows], and lists of binary ones.

    Binary states have further rows, of 0, up to whole vectors, of which alone lists are made quickly.
    """

    states: np.ndarray
    found: Listed


@inner(allocates=True, forceinline=True)
def room(states, units):
    """A `Transposed` for so many units of a batch at once."""
    rows, binary = states.shape[0], states.itemsize == 1
    if binary:
        rows = (rows + LANES - 1) // LANES * LANES
    found = pieces.room(units if binary else 0, rows)
    return Transposed(np.zeros((units, rows), states.dtype), found)


def fill(states, first, last, columns, some):
    """Put the units [first, last) of a batch into a `Transposed`; whether all at once are summed up best.

    So are real ones, and binary ones that `sum_up` packs panels for; of others a few at a time. states:
    uint8 of 0 and 1, or float32, [B, at least last]; columns: of the products to come. Compiled code
    only; the path is chosen by dtype.
    """
    raise NotImplementedError


@overload(fill)
def _choose_fill(states, first, last, columns, some):
    def binary(states, first, last, columns, some):
        transpose_units(states, first, last, some.states, 0)
        side_by_side = some.states[: last - first]
        count = pieces.list_pieces(side_by_side, some.found)
        return is_worth_packing(last - first, side_by_side.shape[1], columns, count)

    def real(states, first, last, columns, some):
        transpose_units(states, first, last, some.states, 0)
        return True

    return binary if states.dtype == types.uint8 else real


@inner(forceinline=True)
def count_together(units, columns, at_once):
    """How many units to sum up at once, in so many columns."""
    return units if at_once else max(1, _FEW // columns)


def sum_up(matrix, zero, some, units, at_once, first, last, sums, to):
    """Columns [first, last) of the product's rows of some units, in those of sums from `to` on.

    matrix: float32 [B, any]; zero: float32 of 0, as many as sums has columns; units: the first's number
    and that behind the last, counted from where `some` begins; at_once: what `fill` said; sums: float32
    [at least so many units, any]. Compiled code only.
    """
    raise NotImplementedError


@overload(sum_up, forceinline=True, _nrt=False)
def _choose_sum(matrix, zero, some, units, at_once, first, last, sums, to):
    def binary(matrix, zero, some, units, at_once, first, last, sums, to):
        pieces.sum_pieces(matrix, zero, some.found, units, at_once, first, last, sums, to)

    def real(matrix, zero, some, units, at_once, first, last, sums, to):
        # So many at a time however many there are: whether 0 times NaN counts is decided for them all.
        for top in range(units[0], units[1], LANES):
            states = some.states[top : min(units[1], top + LANES)]
            weighted(matrix, zero, states, first, last, sums[top - units[0] :], to)

    return binary if some.types[0].dtype == types.uint8 else real
