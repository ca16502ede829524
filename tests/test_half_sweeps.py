"""Half sweeps, mean field and masks on every backend."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import complaint, needs_two_threads, random_rbm, random_rows
from gaussian import random_gaussian

from ebmbench.models import dbm
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream

KEY = Key(3, Stream.RECOGNITION, step=2**32 - 1, chain=9)
SIZES = (31, 33, 65, 7)  # of a DBM's layers


@pytest.fixture(autouse=True)
def all_work_is_worth_all_threads(monkeypatch):
    """As in `test_invariance`."""
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)


@pytest.mark.parametrize("beta", [1.0, 2.0])
@pytest.mark.parametrize("gaussian", [False, True])
def test_two_halves_are_a_sweep_to_the_bit(k, gaussian, beta):
    model = k.put(random_gaussian(33, 65) if gaussian else random_rbm(33, 65, scale=0.3))
    grey = np.random.default_rng(1).random((23, 33))
    for rows in (random_rows(23, 33), grey):
        v = k.put_rows(rows)
        wanted = [k.get_rows(layer) for layer in k.gibbs(model, v, 1, KEY, beta)]
        h = k.sample_hidden(model, v, KEY, beta)
        np.testing.assert_array_equal(k.get_rows(h), wanted[1])
        np.testing.assert_array_equal(k.get_rows(k.sample_visible(model, h, KEY, beta)), wanted[0])
        part = k.sample_hidden(model, v[9:], KEY._replace(chain=KEY.chain + 9), beta)
        np.testing.assert_array_equal(k.get_rows(part), wanted[1][9:])


def means(k, count=23, binary=True):
    """A DBM's handle, rows of v, and where the even hidden layer starts."""
    n = SIZES[0]
    rng = np.random.default_rng([5, count])
    weights = tuple(rng.normal(0.0, 2.0 / a**0.5, (a, b)) for a, b in pairwise(SIZES))
    model = dbm.DBM(weights, tuple(rng.normal(0.0, 0.5, size) for size in SIZES)).whole
    v = random_rows(count, n) if binary else rng.random((count, n))
    return model, k.put(model), v, rng.random((count, SIZES[2]))


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("sweeps", [1, 2, 5])
def test_mean_field_is_that_of_the_model(k, binary, sweeps):
    """Sums of 98 terms below 8, each rounded by 2**-22: 2e-5, and a mean by a quarter of it."""
    model, handle, v, even = means(k, binary=binary)
    given = k.put_rows(even)
    found, done = k.mean_field(handle, k.put_rows(v), given, sweeps)
    assert done == sweeps
    wanted = dbm.mean_field(model, v.astype(float), even, sweeps)
    np.testing.assert_allclose(k.get_rows(found), wanted, atol=1e-12 if k.name == "reference" else 2e-5)
    np.testing.assert_array_equal(k.get_rows(given), even.astype(k.get_rows(given).dtype))


def test_mean_field_ends_where_nothing_moves_any_more(k):
    model, handle, v, even = means(k)
    found, done = k.mean_field(handle, k.put_rows(v), k.put_rows(even), 1000, 1e-3)
    assert 2 < done < 1000
    before = dbm.mean_field(model, v.astype(float), even, done - 1)
    last = dbm.mean_field(model, v.astype(float), even, done)
    earlier = dbm.mean_field(model, v.astype(float), even, done - 2)
    assert np.abs(last - before).max() < 1.1e-3
    if k.name in ("reference", "cpu"):  # a GPU need not look after every update
        assert np.abs(before - earlier).max() > 0.9e-3
    np.testing.assert_allclose(k.get_rows(found), last, atol=2e-5)


def test_means_that_are_lost_are_not_taken_for_settled_ones(k):
    """A v that is no number, as a run that diverges has it."""
    _, handle, v, even = means(k)
    spoilt = k.put_rows(np.where(np.arange(v.size).reshape(v.shape) == 5, 0.5, v))
    spoilt[0, 5] = np.nan
    found, done = k.mean_field(handle, spoilt, k.put_rows(even), 7, 0.9)
    assert done == 7
    assert np.isnan(k.get_rows(found)[0, SIZES[0] :]).all()


def test_a_dbm_of_one_hidden_layer_has_no_even_one(k):
    handle = k.put(random_rbm(9, 4))
    v = random_rows(3, 9)
    found, done = k.mean_field(handle, k.put_rows(v), k.put_rows(np.ones((3, 0))), 4)
    assert done == 1
    np.testing.assert_array_equal(k.get_rows(found), v)


@needs_two_threads
def test_neither_threads_nor_other_rows_change_means(computed, threads):
    found = []
    for count in (1, 2):
        threads(count)
        _, handle, v, even = means(computed)
        halves = [
            computed.mean_field(handle, computed.put_rows(v[at]), computed.put_rows(even[at]), 4)[0]
            for at in (slice(None), slice(0, 10), slice(10, None))
        ]
        whole, *parts = map(computed.get_rows, halves)
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        found.append(whole)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("centred", [True, False])
def test_masked_weights_stay_exactly_zero(k, centred):
    """And all others move, in W and in what a backend keeps beside it."""
    kept = random_rows(33, 65) == 1
    host = random_rbm(33, 65, scale=0.1)
    model = k.put(RBM(host.W * kept, host.b, host.c))
    mask, velocity, offsets = k.put_mask(model, kept), k.zeros(model), k.zeros(model)
    rows, others = k.put_rows(random_rows(23, 33)), k.put_rows(random_rows(11, 33))
    start = k.get(model).W
    for _ in range(3):
        gradient, met = k.moments(model, rows, others)
        if centred:
            k.centre(model, gradient, met, offsets, 0.5, mask)
        else:
            k.mask(model, gradient, mask)
        assert k.update(model, velocity, gradient, 0.1, 0.5, 0.01)
    after = k.get(model)
    assert (after.W[~kept] == 0).all()
    assert (after.W[kept] != start[kept]).all()
    h = random_rows(4, 65)
    wanted = after.b + h @ after.W.T
    np.testing.assert_allclose(k.visible_input(model, k.put_rows(h)), wanted, atol=2e-5)


def test_moments_at_a_temperature_are_those_of_the_scaled_model(k):
    """p(h|v) at beta is that of beta W and beta c."""
    host, beta = random_rbm(7, 9), 1.7
    rows = [k.put_rows(random_rows(count, 7)) for count in (5, 3)]
    cold = k.moments(k.put(host), *rows, beta)
    scaled = k.put(RBM(beta * host.W, host.b, beta * host.c))
    for found, wanted in zip(cold, k.moments(scaled, *rows), strict=True):
        for name, x in k.get_tree(scaled, wanted).items():
            np.testing.assert_allclose(k.get_tree(scaled, found)[name], x, atol=1e-6)


def test_half_sweeps_and_means_that_cannot_be_are_named(k):
    model = k.put(random_rbm(6, 4))
    v, h = k.put_rows(random_rows(3, 6)), k.put_rows(random_rows(3, 4))
    assert "[rows, 6]" in complaint(k.sample_hidden, model, h, KEY)
    assert "[rows, 4]" in complaint(k.sample_visible, model, v, KEY)
    assert "inverse temperature" in complaint(k.sample_hidden, model, v, KEY, 0.0)
    even = k.put_rows(np.full((3, 2), 0.5))
    lower = k.put_rows(random_rows(3, 4))
    assert "at least 1 update" in complaint(k.mean_field, model, lower, even, 0)
    assert "as many of the other means" in complaint(k.mean_field, model, lower, even[:2], 1)
    assert "[rows, 2]" in complaint(k.mean_field, model, lower, v, 1)
    assert "a mask must be 0 and 1" in complaint(k.put_mask, model, np.full((6, 4), 0.5))
