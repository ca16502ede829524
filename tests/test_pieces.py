"""Products with binary states, a piece of the matrix at a time, and with a batch's transpose."""

import gc

import numpy as np
import pytest
from numba.core.errors import TypingError
from numba.core.runtime import _nrt_python, rtsys

from ebmbench.compile import inner, jit
from ebmbench.harness import gate
from ebmbench.kernels.cpu import pieces, transposed
from ebmbench.kernels.cpu.device import aligned_zeros, padded
from ebmbench.kernels.cpu.layers import products

SIZES = [(7, 31), (128, 64), (129, 65), (300, 1100)]  # less than a piece, one, one and a bit, some


@jit
def in_pieces(matrix, bias, states, packed, left, right, out, to):
    found = pieces.room(*states.shape)
    pieces.list_pieces(states, found)
    pieces.sum_pieces(matrix, bias, found, (0, states.shape[0]), packed, left, right, out, to)


@jit
def layer(matrix, bias, states, out):
    products(matrix, bias, states, 0, bias.size, out)


@jit
def of_units(states, parts, matrix, zero, packed, out):
    """Of the units of each part the products, first those of one and then those of the others."""
    some, done = transposed.room(states, 48), 0
    for first, last in parts:
        transposed.fill(states, first, last, zero.size, some)
        for begin, end in ((0, 1), (1, last - first)):
            units = begin, end
            transposed.sum_up(matrix, zero, some, units, packed, 0, zero.size, out[done:], 0)
            done += end - begin


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


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("to", [0, 16, 48])
@pytest.mark.parametrize("size", SIZES)
def test_rows_are_added_in_ascending_order_to_the_bit(size, to, rate, packed):
    """Some columns only, to some of the result's, whose others stay."""
    matrix, bias = matrix_of(size[0], size[1] + 48)
    states, (left, right) = binary(5, size[0], rate), (16, matrix.shape[1] - 32)
    out = np.full((5, bias.size), np.nan, np.float32)
    in_pieces(matrix, bias, states, packed, left, right, out, to)
    end = to + right - left
    for state, found in zip(states, out, strict=True):
        np.testing.assert_array_equal(found[to:end], in_order(matrix[:, left:right], bias[to:end], state))
    assert np.isnan(out[:, :to]).all()
    assert np.isnan(out[:, end:]).all()


def test_panels_are_packed_for_dense_states_of_large_layers_and_for_nothing_else():
    worth = pieces.is_worth_packing
    assert worth(100, 784, 512, 100 * 784 // 2)
    assert not worth(100, 784, 512, 100 * 784 // 10)  # sparse
    assert not worth(1, 784, 512, 784)  # one state reads each row once
    assert not worth(100, 64, 64, 100 * 64)  # all of the matrix fits the first cache


@pytest.mark.parametrize("real", [False, True])
def test_a_state_has_the_same_bits_alone_and_among_many(real):
    """For which panels are packed."""
    matrix, bias = matrix_of(300, 200)
    states = binary(100, 300, 0.3)
    assert pieces.is_worth_packing(100, 128, bias.size, states[:, :128].sum())
    if real:
        states = np.float32(states * np.random.default_rng(0).random(states.shape))
    together = np.empty((100, bias.size), np.float32)
    layer(matrix, bias, states, together)
    for state, found in zip(states, together, strict=True):
        alone = np.empty((1, bias.size), np.float32)
        layer(matrix, bias, state[None], alone)
        np.testing.assert_array_equal(alone[0], found)


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 150])
def test_a_units_sum_is_over_the_rows_that_it_is_on_in(rows, packed, real):
    """In whole squares of 16 units and rows and in what is left of them; room is used again."""
    states, (matrix, zero) = binary(rows, 50, 0.3), matrix_of(rows, 70)
    zero[:], parts = 0.0, ((0, 48), (16, 33), (32, 37))
    units = [unit for first, last in parts for unit in range(first, last)]
    out = np.full((len(units), zero.size), np.nan, np.float32)
    given = states.astype(np.float32) if real else states
    of_units(given, parts, matrix, zero, packed, out)
    for unit, found in zip(units, out, strict=True):
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


@pytest.mark.parametrize("returned", ["a", "(a, a)", "a[0]"])
def test_what_counts_no_references_returns_no_array(returned):
    """Its caller would free it."""
    body = {}
    exec(f"def back(a): return {returned}", body)
    back = inner(body["back"])

    @jit
    def call(a):
        return back(a)

    with pytest.raises((TypeError, TypingError), match=r"no references|passed into the function"):
        call(np.zeros((2, 3)))
