"""W's copies after updates: the transpose and the integers are those of the W that was reached."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import needs_two_threads, random_rbm, random_rows
from gaussian import random_gaussian

from ebmbench.kernels import api
from ebmbench.kernels.cpu import integers, standing, tiles, together
from ebmbench.kernels.cpu.copies import step_of
from ebmbench.kernels.cpu.integers import LARGEST, NONE, common_step, laid_out
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream

SIZES = [(16, 16), (45, 37), (129, 257), (70, 1024), (530, 1100)]  # one with padding behind all blocks
KEY = Key(5, Stream.CHAINS, step=3)


@pytest.fixture(autouse=True)
def unit(monkeypatch):
    """Models of any size are worth the matrix unit, and all threads."""
    if not tiles.allowed():
        pytest.skip("this processor has no matrix unit, or may not use it")
    monkeypatch.setattr(tiles, "_LARGE", 0)
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)


@pytest.fixture
def k():
    return api.load("cpu")


def digits(planes, units, columns):
    """The weights that planes stand for, in steps, int64 [units, columns], whatever lies behind them."""
    strips, count, blocks = planes.shape[:3]
    members = planes.view(np.int8).reshape(strips, count, blocks, 2, 16, 16, 4).astype(np.int64)
    moved = np.moveaxis(members, (2, 4, 6, 0, 3, 5), (1, 2, 3, 4, 5, 6))
    numbers = moved.reshape(count, blocks * 64, strips * 32)
    return (np.array([2**16, 2**8, 1]) @ numbers.reshape(count, -1)).reshape(numbers.shape[1:])[
        :units, :columns
    ]


def moved(k, handle, gradient, rate=1.0):
    velocity = k.zeros(handle)
    assert k.update(handle, velocity, {"W": gradient}, rate, 0.0, 0.0)


def gradient_of(handle, scale, seed=1):
    rows, columns = handle.n_visible, handle.n_hidden
    G = np.zeros_like(handle.W)
    G[:, :columns] = scale * np.random.default_rng(seed).normal(size=(rows, columns))
    return G


@pytest.mark.parametrize("size", SIZES)
def test_integers_follow_an_update(k, size):
    handle = k.put(random_rbm(*size, seed=1, scale=0.3))
    before = standing.for_states(handle, random_rows(3, size[0]))
    for seed in range(3):
        moved(k, handle, gradient_of(handle, 1e-3, seed))
        found = standing.for_states(handle, random_rows(3, size[0]))
        assert found is before  # rewritten, not made again
        for matrix, W in zip(found, (handle.W, handle.Wt), strict=True):
            wanted = laid_out(W, handle.step)
            np.testing.assert_array_equal(matrix.step, wanted.step)
            numbers = digits(matrix.planes, *W.shape)
            np.testing.assert_array_equal(numbers, digits(wanted.planes, *W.shape))
            assert np.abs(numbers * handle.step - W).max() <= handle.step / 2
        np.testing.assert_array_equal(handle.Wt[:, : size[0]], handle.W[:, : size[1]].T)


@pytest.mark.parametrize("factor", [2.5, 0.2])
def test_the_step_is_that_of_the_weights_as_they_are(k, factor):
    """Whether they grew or shrank; a fresh copy of the model walks to the same bits."""
    handle, rows = k.put(random_rbm(45, 37, seed=2, scale=0.3)), k.put_rows(random_rows(20, 45))
    k.gibbs(handle, rows, 1, KEY)
    before = handle.step
    moved(k, handle, handle.W.copy(), factor - 1.0)
    walked = k.gibbs(handle, rows, 1, KEY), k.gibbs(handle, rows, 5, KEY)
    assert (handle.step > before) == (factor > 1.0)
    fresh = k.put(k.get(handle))
    for one, other in zip(walked, (k.gibbs(fresh, rows, n, KEY) for n in (1, 5)), strict=True):
        for layer, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(layer, same)


def test_copies_that_nobody_asks_for_are_not_written(k):
    handle, rows = k.put(random_rbm(45, 37, seed=2)), k.put_rows(random_rows(20, 45))
    k.gibbs(handle, rows, 1, KEY)
    moved(k, handle, gradient_of(handle, 1e-3))
    assert handle.integers is not None
    assert handle.stale
    moved(k, handle, gradient_of(handle, 1e-3))
    assert handle.integers is None
    assert not handle.stale


@pytest.mark.parametrize("where", [(0, 0), (44, 36), (17, 5)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_no_number_shows(k, where, bad):
    handle, rows = k.put(random_rbm(45, 37, seed=2)), k.put_rows(np.ones((20, 45)))
    k.moments(handle, rows, rows)
    G = gradient_of(handle, 1e-3)
    G[where] = bad
    moved(k, handle, G)
    p = k.hidden_probability(handle, rows)
    assert not (p[:, where[1]] > 0.0).all() or (p[:, where[1]] == 1.0).all()
    assert handle.step == 0.0


@pytest.mark.parametrize("units", [1, 784, 1024, 1025, 4096])
def test_a_step_leaves_no_bit_unused_in_small_layers(units):
    """Large ones leave room for sums; the largest integers fit three bytes."""
    least = 1 if units <= 1024 else 2 ** np.ceil(np.log2(units / 1024))
    for largest in (1e-10, 0.99, 1.0, 1.01, 7.3, 16.0):
        step = common_step(largest, units)
        assert np.log2(step) == round(np.log2(step))
        assert LARGEST / 2 / least * (1 - 1e-6) < largest / step <= LARGEST
    assert common_step(16.1, units) == common_step(float("nan"), units) == 0.0


def test_what_sums_are_too_large_for_one_step_has_a_step_a_column(k):
    model = RBM(np.full((800, 90), 0.75), np.zeros(800), np.zeros(90))
    model.W[:, 3] = 1e-3
    handle = k.put(model)
    rows = k.put_rows(random_rows(30, 800))
    up, _ = standing.for_states(handle, rows)
    assert handle.step == 0.0
    assert up.step[3] < up.step[4]
    # Half of a step of each of 800 weights, and one rounding of a sum below 600.
    wanted = 1.0 / (1.0 + np.exp(-(rows.astype(float) @ model.W)))
    np.testing.assert_allclose(k.hidden_probability(handle, rows), wanted, atol=2e-5)
    moved(k, handle, gradient_of(handle, 1e-3))
    assert handle.integers is None


def test_grey_rows_and_gaussian_units_have_no_integers(k):
    grey = np.full((9, 45), 0.5, np.float32)
    assert standing.for_states(k.put(random_rbm(45, 37)), grey) == (NONE, NONE)
    handle, h = k.put(random_gaussian(45, 37)), k.put_rows(random_rows(9, 37))
    assert standing.for_states(handle, h) == (NONE, NONE)
    np.testing.assert_array_equal(handle.stored, handle.Wt)


def near_the_limit(k, units=784, columns=96):
    """Models with a column whose weights sum to just what integers of one step hold, or nearly."""
    for excess in np.linspace(-6e-5, 6e-5, 41):
        W = np.random.default_rng(0).uniform(-0.1, 0.1, (units, columns))
        W[0, 0], W[:, 5] = 0.99, np.random.default_rng(1).uniform(0.2, 0.4, units)
        W[:, 5] *= (2**31 - 2**22) * 2.0**-23 * (1.0 + excess) / W[:, 5].sum()
        yield k.put(RBM(W, np.zeros(units), np.zeros(columns)))


@needs_two_threads
def test_the_step_depends_neither_on_threads_nor_on_how_w_came_about(k, threads):
    """Sums of sizes are whole numbers, the same in any order."""
    found = []
    for handle in near_the_limit(k):
        steps = []
        for count in (1, 2):
            threads(count)
            steps.append(step_of(handle.W))
            standing.for_states(handle, np.zeros((1, 784), np.uint8))
            if handle.step > 0:
                moved(k, handle, np.zeros_like(handle.W))  # nowhere
                assert handle.integers is not None
        assert steps[0] == steps[1]
        found.append(steps[0])
    assert 0.0 in found
    assert max(found) > 0.0


@needs_two_threads
@pytest.mark.parametrize("rows", [1, 15, 33, 70, 103, 130])
@pytest.mark.parametrize("size", [(45, 37), (300, 257), (64, 128), (784, 200)])
@pytest.mark.parametrize("share", [64, 10**6])
def test_threads_share_columns_without_a_trace(monkeypatch, k, share, size, rows, threads):
    """Or rows, in groups of unequal sizes; chains that walk in groups of their own: the same bits."""
    handle = k.put(random_rbm(*size, seed=3, scale=0.2))
    v = k.put_rows(random_rows(rows, size[0]))
    monkeypatch.setattr(standing, "_SHARE", share)
    found = []
    for chains, count in ((10**6, 1), (10**6, 2), (0, 2)):
        monkeypatch.setattr(together, "_CHAINS", chains)
        threads(count)
        found.append([*k.gibbs(handle, v, 4, KEY), *k.gibbs(handle, v, 1, KEY)])
    for one, other in pairwise(found):
        for layer, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(layer, same)
    assert handle.integers[0] is integers.laid_out
