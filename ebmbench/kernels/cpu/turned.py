"""A batch's states transposed, times a matrix of as many rows: what gradients of W are sums of.

A unit's row of such a product is the sum of the matrix's rows of the states that have the unit on, times
their values where those are real. Some units at a time are written down side by side, each with its
states in all rows of the batch, and then multiplied as a layer is.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from ebmbench.compile import inner, overload
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.layers import weighted
from ebmbench.kernels.cpu.pieces import Listed, is_worth_a_copy, list_pieces, listed, sum_pieces
from ebmbench.kernels.cpu.transpose import transpose_units

_FEW = 1024  # sums that are still in the first cache when all of them are there


class Turned(NamedTuple):
    """Some units' states in all rows of a batch, of its dtype, [units, rows], and lists of binary ones.

    Binary states have further rows, of 0, up to whole vectors.
    """

    states: np.ndarray
    found: Listed


@inner(allocates=True, forceinline=True)
def room(states, units):
    """A `Turned` for so many units of a batch at once."""
    rows, binary = states.shape[0], states.itemsize == 1
    if binary:
        rows = (rows + LANES - 1) // LANES * LANES
    return Turned(np.zeros((units, rows), states.dtype), listed(units if binary else 0, rows))


def turn(states, first, last, columns, turned):
    """Fill it with the units [first, last); whether to sum up all of them at once, or better a few.

    columns: of the products to come. Compiled code only; the path is chosen by dtype.
    """
    raise NotImplementedError


@overload(turn)
def _choose_turn(states, first, last, columns, turned):
    def binary(states, first, last, columns, turned):
        transpose_units(states, first, last, turned.states, 0)
        some = turned.states[: last - first]
        return is_worth_a_copy(*some.shape, columns, list_pieces(some, turned.found))

    def real(states, first, last, columns, turned):
        transpose_units(states, first, last, turned.states, 0)
        return True

    return binary if states.dtype == types.uint8 else real


@inner(forceinline=True)
def count_together(units, columns, at_once):
    """How many units to sum up at once, in so many columns."""
    return units if at_once else max(1, _FEW // columns)


def sum_up(matrix, zero, turned, units, at_once, first, last, sums, to):
    """Columns [first, last) of the product's rows of some units, in those of sums from `to` on.

    units: the first's number and that behind the last, counted from where the part begins; at_once: what
    `turn` said; sums: float32 [at least so many units, any]. Compiled code only.
    """
    raise NotImplementedError


@overload(sum_up, forceinline=True)
def _choose_sum(matrix, zero, turned, units, at_once, first, last, sums, to):
    def binary(matrix, zero, turned, units, at_once, first, last, sums, to):
        sum_pieces(matrix, zero, turned.found, units, at_once, first, last, sums, to)

    def real(matrix, zero, turned, units, at_once, first, last, sums, to):
        weighted(matrix, zero, turned.states[units[0] : units[1]], first, last, sums, to)

    return binary if turned.types[0].dtype == types.uint8 else real
