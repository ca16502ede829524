"""Products with binary states, a piece of the matrix at a time, and with a batch's transpose."""

import gc
import inspect

import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

from ebmbench.compile import inner, jit
from ebmbench.harness import gate
from ebmbench.kernels.cpu import pieces, turned
from ebmbench.kernels.cpu.device import aligned_zeros, padded
from ebmbench.kernels.cpu.layers import products

SIZES = [(7, 31), (128, 64), (129, 65), (300, 1100)]  # less than a piece, one, one and a bit, some


@jit
def in_pieces(matrix, bias, states, copied, left, right, out, to):
    found = pieces.listed(*states.shape)
    pieces.list_pieces(states, found)
    pieces.sum_pieces(matrix, bias, found, (0, states.shape[0]), copied, left, right, out, to)


@jit
def layer(matrix, bias, states, out):
    products(matrix, bias, states, 0, bias.size, out)


@jit
def transposed(states, first, last, matrix, zero, at_once, out):
    room = turned.room(states, last - first + 3)
    wanted = turned.turn(states, first, last, zero.size, room)
    turned.sum_up(matrix, zero, room, (0, last - first), at_once, 0, zero.size, out, 0)
    return wanted


def binary(rows, units, rate):
    return (np.random.default_rng([rows, units]).random((rows, units)) < rate).astype(np.uint8)


def matrix_of(units, columns):
    rng = np.random.default_rng(units)
    matrix, bias = aligned_zeros(units, padded(columns)), aligned_zeros(padded(columns))
    matrix[:], bias[:] = rng.normal(size=matrix.shape), rng.normal(size=bias.shape)
    return matrix, bias


def in_order(matrix, bias, state):
    """The sum in float32 as it is promised: the bias, then the rows in ascending order."""
    total = bias.copy()
    for row in matrix[state != 0]:
        total += row
    return total


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("size", SIZES)
def test_rows_are_added_in_ascending_order_to_the_bit(size, rate, copied):
    """Some columns only, to some of the result's, whose others stay."""
    matrix, bias = matrix_of(*size)
    states, (left, right, to) = binary(5, size[0], rate), (16, bias.size, 0)
    out = np.full((5, bias.size + 16), np.nan, np.float32)
    in_pieces(matrix, bias, states, copied, left, right, out, to)
    for state, found in zip(states, out, strict=True):
        wanted = in_order(matrix[:, left:right], bias[to : to + right - left], state)
        np.testing.assert_array_equal(found[to : to + right - left], wanted)
    assert np.isnan(out[:, to + right - left :]).all()


def test_dense_states_of_large_layers_are_worth_copies_and_nothing_else():
    worth = pieces.is_worth_a_copy
    assert worth(100, 784, 512, 100 * 784 // 2)
    assert not worth(100, 784, 512, 100 * 784 // 10)  # sparse
    assert not worth(1, 784, 512, 784)  # one state reads each row once
    assert not worth(100, 64, 64, 100 * 64)  # all of the matrix fits the first cache


def test_both_ways_of_a_layer_give_the_same_bits(monkeypatch):
    matrix, bias = matrix_of(300, 200)
    states = binary(64, 300, 0.5)
    assert pieces.is_worth_a_copy(64, 300, bias.size, states.sum())
    together = np.empty((64, bias.size), np.float32)
    layer(matrix, bias, states, together)
    for state, found in zip(states, together, strict=True):  # one is not worth a copy
        alone = np.empty((1, bias.size), np.float32)
        layer(matrix, bias, state[None], alone)
        np.testing.assert_array_equal(alone[0], found)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 150])
@pytest.mark.parametrize("units", [(0, 48), (16, 33), (32, 37)])
def test_a_units_sum_is_over_the_rows_that_it_is_on_in(units, rows, at_once):
    """In whole squares of 16 units and rows, and in what is left of them."""
    states, (matrix, zero) = binary(rows, 50, 0.3), matrix_of(rows, 70)
    zero[:] = 0.0
    out = np.full((units[1] - units[0], zero.size), np.nan, np.float32)
    transposed(states, *units, matrix, zero, at_once, out)
    for unit, found in zip(range(*units), out, strict=True):
        np.testing.assert_array_equal(found, in_order(matrix, zero, states[:, unit]))


@pytest.fixture
def arrays_alive():
    """How many arrays compiled code has made that nobody freed."""
    _nrt_python.memsys_enable_stats()

    def count():
        gc.collect()
        found = rtsys.get_allocation_stats()
        return found.mi_alloc - found.mi_free

    yield count
    _nrt_python.memsys_disable_stats()


def test_no_job_of_the_gate_leaves_an_array_behind(arrays_alive, cpu):
    """What counts no references frees nothing, so it must make nothing either."""
    list(gate.findings(cpu))  # what is kept for good is made
    before = arrays_alive()
    list(gate.findings(cpu))
    assert arrays_alive() == before


def test_an_array_that_is_left_behind_is_seen(arrays_alive):
    @inner(allocates=True)
    def made(n):
        return np.zeros(n)

    @inner
    def lost(n):
        return made(n)[0]

    @jit
    def call(n):
        return lost(n)

    before = arrays_alive()
    call(5)
    assert arrays_alive() == before + 1
    assert inspect.isfunction(lost)  # for Python
