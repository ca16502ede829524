"""Pre-activations that follow what flips: lists of changes, both ways to a sum, and their rounding."""

import numpy as np
import pytest
from conftest import complaint

from ebmbench.kernels import api
from ebmbench.kernels.cpu import threads
from ebmbench.kernels.cpu.chain import REFRESH, follow, room
from ebmbench.kernels.cpu.changes import list_changes, list_on
from ebmbench.kernels.cpu.device import aligned_zeros, padded
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream

SIZES = [1, 7, 15, 16, 17, 31, 33, 65, 784]


def _states(rng, rows, units, rate):
    return (rng.random((rows, units)) < rate).astype(np.uint8)


@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_the_lists_are_what_numpy_finds(units, rate):
    """Also where every unit changes, and never a number beyond the list's end."""
    rng = np.random.default_rng(units)
    new, old = _states(rng, 2, units, rate)
    for now, before in ((new, old), (np.ones_like(new), np.zeros_like(old)), (new, 1 - new)):
        lists = np.full((3, units + 1), -7, np.int32)
        up, down, on = lists
        rising, falling, count = list_changes(now, before, up[:-1], down[:-1])
        np.testing.assert_array_equal(up[:rising], np.flatnonzero(now & ~before & 1))
        np.testing.assert_array_equal(down[:falling], np.flatnonzero(before & ~now & 1))
        assert count == now.sum() == list_on(now, on[:-1])
        np.testing.assert_array_equal(on[:count], np.flatnonzero(now))
        assert (lists[:, -1] == -7).all()


def _layer(rng, units, columns, scale=0.1):
    matrix, bias = aligned_zeros(units, padded(columns)), aligned_zeros(padded(columns))
    matrix[:, :columns] = np.rint(scale * rng.normal(size=(units, columns)) * 2**16) / 2**16
    bias[:columns] = np.rint(rng.normal(size=columns) * 2**16) / 2**16
    return bias, matrix


@pytest.mark.parametrize("columns", [1, 16, 130, 300, 1024])
@pytest.mark.parametrize("flips", [0.02, 0.9])
def test_on_the_grid_both_ways_give_the_exact_sum(columns, flips):
    """Few flips are added to what was there; many make the sum start anew, whatever was there."""
    rng, units = np.random.default_rng(columns), 200
    bias, matrix = _layer(rng, units, columns)
    old = _states(rng, 5, units, 0.3)
    new = old ^ _states(rng, 5, units, flips)
    exact = [bias + states.astype(np.float64) @ matrix for states in (old, new)]
    x = exact[0].astype(np.float32)
    x += 1.0  # stays where rows are added to it
    kept = old.copy()
    follow(bias, matrix, new, kept, False, room(5, units), x)
    np.testing.assert_array_equal(kept, new)
    np.testing.assert_array_equal(x, exact[1] + (flips < 0.5))
    follow(bias, matrix, old, np.full_like(old, 255), True, room(5, units), x)
    np.testing.assert_array_equal(x, exact[0])


def test_the_rounding_of_a_float_sum_stays_bounded():
    """As many sweeps as pass until sums start anew, 10 % of 784 units flipping, weights of any float."""
    rng, units, columns = np.random.default_rng(0), 784, 64
    bias, matrix = _layer(rng, units, columns)
    matrix[:, :columns] += 1e-3 * rng.random((units, columns), np.float32)
    state = _states(rng, 8, units, 0.3)
    x, kept, scratch = np.empty((8, columns), np.float32), np.empty_like(state), room(8, units)
    worst = 0.0
    for sweep in range(REFRESH):
        follow(bias, matrix, state, kept, sweep == 0, scratch, x)
        exact = bias.astype(np.float64) + state.astype(np.float64) @ matrix.astype(np.float64)
        worst = max(worst, np.abs(x - exact).max())
        state = state ^ _states(rng, 8, units, 0.1)
    assert 0.0 < worst < 4e-5  # 5,000 roundings of half a unit of |x| < 16 at random come to 3e-5


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("arithmetic", ["float", "grid"])
def test_a_chain_does_not_see_its_group(monkeypatch, arithmetic, grey):
    """The same bits alone and in groups of any size, past where sums start anew, binary start or not."""
    rng, k = np.random.default_rng(3), api.load("cpu")
    model = RBM(0.1 * rng.normal(size=(40, 30)), rng.normal(size=40), rng.normal(size=30))
    handle, start = k.put(model, arithmetic), _states(rng, 11, 40, 0.3)
    rows = k.put_rows(0.5 * start if grey else start)
    found = []
    for size in (1, 3, 64):
        monkeypatch.setattr(threads, "_LARGEST_GROUP", size)
        v, h = k.gibbs(handle, rows, REFRESH + 3, Key(1, Stream.CHAINS))
        weights = k.anneal(
            handle, model.b, np.linspace(0, 1, REFRESH + 5), 11, Key(2, Stream.ANNEALING)
        ).log_weights
        found.append((v, h, weights))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_rows_that_do_not_lie_in_order_are_one_sentence():
    model = RBM(np.zeros((4, 3)), np.zeros(4), np.zeros(3))
    k = api.load("cpu")
    rows = np.asfortranarray(_states(np.random.default_rng(0), 5, 4, 0.5))
    said = complaint(k.gibbs, k.put(model), rows, 1, Key(0, Stream.CHAINS))
    assert said == "v must be rows that lie one after the other: pass them to put_rows"
