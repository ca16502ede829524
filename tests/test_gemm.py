"""Dense products of the processor's kernels: what they give, to which bits, and their innermost loop."""

import numba
import numpy as np
import pytest
from assembly import MACHINE, PACKED, loops, versions
from conftest import random_rbm

from ebmbench.compile import jit
from ebmbench.harness.gate_networks import network
from ebmbench.kernels.cpu import gemm
from ebmbench.kernels.cpu.device import apart, padded, store, whole
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.outer import Outer
from ebmbench.kernels.cpu.processor import FUSED
from ebmbench.kernels.cpu.propagation import TINY

block = jit(block)
SIZES = [  # rows, terms, columns: ragged, within one tile and beyond all of its sides
    (1, 1, 1), (7, 31, 33), (9, 3, 48), (10, 65, 100), (17, 300, 17), (33, 7, 65), (65, 600, 31),
]  # fmt: skip


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def product(a, b, start, transposed=False):
    """start + a @ b by `block`, in an array of NaN that is wider than what is written."""
    rows, terms = a.shape
    columns = whole(b.shape[1])
    stored, strides = (a.T, (1, rows)) if transposed else (a, (terms, 1))
    stored = np.ascontiguousarray(stored)
    first = store(np.atleast_2d(start))
    out = np.full((rows + 1, columns + 16), np.nan, np.float32)
    row = first.shape[1] if len(first) > 1 else 0
    block(stored, 0, *strides, terms, store(b), 0, first, 0, row, out, 0, rows, columns)
    assert np.isnan(out[rows:]).all()
    assert np.isnan(out[:, columns:]).all()
    return out[:rows, : b.shape[1]]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_product_is_right(size, transposed):
    """A float32 sum of n terms is off by at most n * 2**-24 of the sum of their sizes."""
    rows, terms, columns = size
    a, b = numbers(rows, terms), numbers(terms, columns, seed=1)
    for start in (numbers(columns), numbers(rows, columns)):
        wanted = start + a.astype(float) @ b
        sizes = np.abs(start) + np.abs(a).astype(float) @ np.abs(b)
        error = np.abs(product(a, b, start, transposed) - wanted)
        assert (error <= (terms + 1) * 2.0**-24 * sizes).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_sum_takes_its_terms_one_after_the_other(size):
    """Which no tile, no piece of the terms, no other row and no other column changes."""
    rows, terms, columns = size
    a, b, start = numbers(rows, terms), numbers(terms, columns, seed=1), numbers(columns)
    found = product(a, b, start)
    np.testing.assert_array_equal(product(a, b, start, transposed=True), found)
    for r in (0, rows // 2, rows - 1):
        np.testing.assert_array_equal(product(a[r : r + 1], b, start)[0], found[r])
    np.testing.assert_array_equal(product(a, b[:, -1:], start[-1:]), found[:, -1:])
    total = np.tile(start, (rows, 1))
    for n in range(terms):
        total = product(a[:, n : n + 1], b[n : n + 1], total)
    np.testing.assert_array_equal(total, found)


@pytest.mark.skipif(not FUSED, reason="this processor rounds twice")
def test_a_term_is_rounded_once():
    """(1 + e)**2 - (1 + 2e) is e**2, which a product that is rounded by itself loses."""
    one = np.float32(1.0 + 2.0**-20)
    found = product(np.array([[one]]), np.array([[one]]), np.array([-(1.0 + 2.0**-19)]))
    assert found[0, 0] == 2.0**-40


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4, 0.9])
def test_zeros_left_out_and_zeros_multiplied_give_the_same_bits(cpu, share):
    """Both sides of the share from which on products are dense; and bytes the same as numbers."""
    host = random_rbm(300, 200, scale=0.1)
    model = cpu.put(host)
    states = (np.random.default_rng(2).random((20, 300)) < share).astype(np.uint8)
    grey = states * numbers(20, 300)
    filled = np.concatenate([grey, numbers(100, 300, seed=3)])  # dense whatever `share` is
    found = cpu.hidden_input(model, cpu.put_rows(grey))
    np.testing.assert_array_equal(cpu.hidden_input(model, cpu.put_rows(filled))[:20], found)
    same = np.concatenate([states, np.full((100, 300), 0.5)]).astype(np.float32)
    wanted = cpu.hidden_input(model, cpu.put_rows(states))
    np.testing.assert_array_equal(cpu.hidden_input(model, cpu.put_rows(same))[:20], wanted)
    np.testing.assert_array_equal(cpu.hidden_input(model, same[:20]), wanted)


WIDE = (150, 120, 250)  # columns that are stored farther apart than they are wide


def gradient(cpu, handle, kind):
    rng = np.random.default_rng(4)
    x = rng.random((23, WIDE[0]))
    x = {"binary": x < 0.2, "sparse": x * (rng.random(x.shape) < 0.2), "dense": x}[kind]
    through = cpu.forward(handle, cpu.put_rows(x.astype(float)))
    return cpu.backward(handle, through, cpu.put_rows(rng.normal(size=(23, WIDE[-1]))))


@pytest.mark.parametrize("job", ["adam", "update"])
@pytest.mark.parametrize("kind", ["binary", "sparse", "dense"])
def test_a_gradient_that_is_written_down_first_moves_a_network_to_the_same_bits(cpu, kind, job):
    found = []
    for written in (False, True):
        handle = cpu.put(network(WIDE, ("tanh", "linear")))
        trees = [cpu.zeros(handle) for _ in range(2)]
        for step in (1, 2):
            tree = gradient(cpu, handle, kind)
            assert isinstance(tree["W1"], Outer)
            tree = {n: np.asarray(g) for n, g in tree.items()} if written else tree
            if job == "adam":
                assert cpu.adam(handle, *trees, tree, step, 0.1, 0.9, 0.99, 1e-8)
            else:
                assert cpu.update(handle, trees[0], tree, 0.1, 0.5, 0.01)
        found.append((handle.arrays, *trees))
    for one, other in zip(*found, strict=True):
        for name, x in one.items():
            np.testing.assert_array_equal(x, other[name])
            assert not x[..., WIDE[int(name[1:])] :].any()


@pytest.mark.parametrize("n", [1, 16, 17, 127, 128, 129, 500, 512, 784, 1024])
def test_rows_of_a_network_lie_an_odd_number_of_vectors_apart(n):
    assert whole(n) <= apart(n) <= whole(n) + 16
    assert apart(n) % 32 == 16 or n < 128
    assert whole(n) <= padded(n)


def test_nothing_is_left_so_small_that_it_slows_a_processor_down(cpu):
    """Neither deltas nor what an optimiser keeps, once gradients stop; what is no number stays so."""
    handle = cpu.put(network((3, 40, 2), ("sigmoid", "linear")))
    x = cpu.put_rows(np.ones((2, 3)) / 2)
    through = cpu.forward(handle, x)
    for size in (1e-19, 1e-30, 1e-44):
        delta = np.full((2, 2), size, np.float32)
        assert not cpu.input_delta(handle, through, delta).any()
    first, second, velocity = (cpu.zeros(handle) for _ in range(3))
    tree = cpu.put_tree(handle, {n: np.ones_like(p) for n, p in cpu.get(handle).parameters.items()})
    none = cpu.zeros(handle)
    for step in range(1, 1002):
        given = tree if step == 1 else none
        cpu.adam(handle, first, second, given, step, 1e-3, 0.9, 0.9, 1e-8)
        cpu.update(handle, velocity, given, 1e-3, 0.9, 0.0)
    for kept in (first, second, velocity):
        for array in kept.values():
            assert not array.any()
    lost = np.full((2, 2), np.nan, np.float32)
    assert np.isnan(cpu.input_delta(handle, through, lost)).all()
    assert TINY > 1e-19


@pytest.mark.skipif(MACHINE not in PACKED, reason=f"the instructions of {MACHINE} are not known here")
@pytest.mark.skipif(not FUSED, reason="this processor has no multiply-add")
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="Numba compiles nothing here")
def test_the_largest_tile_stays_in_registers():
    """Its loop reads a and b, and nothing of it lies on the stack; or it would be half as fast."""
    product(numbers(20, 3), numbers(3, 70), numbers(70))
    packed, single = PACKED[MACHINE]["multiply-add"]
    for text in versions(block):
        found = {loop.count(packed): loop for loop in loops(text) if loop.count(packed)}
        assert not any(loop.count(single) or loop.calls for loop in found.values())
        largest = found[max(found)]
        registers = max(found) // (gemm._ROWS * gemm._VECTORS)  # that a vector takes
        assert registers in (1, 2, 4)
        assert max(found) == registers * gemm._ROWS * gemm._VECTORS
        assert not largest.spilled()
        # An entry of a for each row, a load and a prefetch for each vector of b, and a few for the loop.
        others = len(largest.instructions) - max(found)
        assert others <= 2 * gemm._ROWS + 2 * registers * gemm._VECTORS + 8
