"""Half-sweeps, mean field and masks on the GPU, beyond what the gate looks at."""

import numpy as np
import pytest
from conftest import random_rows

from ebmbench.harness.gate_gaussian import like
from ebmbench.harness.sources import random_model
from ebmbench.kernels.cuda import memory
from ebmbench.models import dbm
from ebmbench.randomness import Key, Stream

SIZES = [(1, 7, 3), (7, 1, 1), (31, 33, 7), (65, 31, 2)]
KEY = Key(3, Stream.RECOGNITION, step=2**32 - 1, chain=5)


def spread_out(n_visible, n_hidden):
    return random_model(n_visible, n_hidden, 3.0 / np.sqrt(max(n_visible, n_hidden)))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("gaussian", [False, True], ids=["binary", "gaussian"])
def test_two_halves_are_a_sweep(cuda, tile, size, gaussian):
    """To the bit: sums over binary units have one order.

    From binary rows, as a real one and its weight are multiplied and added in one rounding here, in two
    there.
    """
    n_visible, n_hidden, rows = size
    host = spread_out(n_visible, n_hidden)
    model = cuda.put(like(host) if gaussian else host)
    start = cuda.put_rows(random_rows(rows, n_visible))
    v, h = cuda.gibbs(model, start, 1, KEY, 0.7)
    half = cuda.sample_hidden(model, start, KEY, 0.7)
    assert half.dtype == np.uint8
    assert (cuda.get_rows(half) == cuda.get_rows(h)).all()
    other = cuda.sample_visible(model, h, KEY, 0.7)
    assert other.dtype == v.dtype
    assert cuda.get_rows(other).tobytes() == cuda.get_rows(v).tobytes()


def test_no_rows_are_drawn_from_no_rows(cuda):
    host = spread_out(3, 2)
    for model in (cuda.put(host), cuda.put(like(host))):
        assert cuda.sample_hidden(model, cuda.put_rows(np.zeros((0, 3))), KEY).shape == (0, 2)
        assert cuda.sample_visible(model, cuda.put_rows(np.zeros((0, 2))), KEY).shape == (0, 3)


def posterior(size, v_units, seed=0):
    """A model, v and means to start from."""
    n_visible, n_hidden, rows = size
    v = random_rows(rows, v_units, seed).astype(float)
    even = np.random.default_rng(seed).random((rows, n_visible - v_units)).astype(np.float32)
    return spread_out(n_visible, n_hidden), v, even


@pytest.mark.parametrize(("size", "v_units"), [((8, 7, 3), 1), ((33, 31, 7), 32), ((65, 33, 5), 31)])
@pytest.mark.parametrize("binary", [False, True], ids=["grey", "binary"])
def test_mean_field_is_that_of_the_model(cuda, tile, size, v_units, binary):
    """Sums of 65 numbers below 3 to 65 * 3 * 2**-24 = 1.2e-5, a quarter of it in a mean, three times."""
    host, v, even = posterior(size, v_units)
    even = np.rint(even) if binary else even
    given = cuda.put_rows(even)
    found, done = cuda.mean_field(cuda.put(host), cuda.put_rows(v), given, 3)
    assert done == 3
    assert np.abs(cuda.get_rows(found) - dbm.mean_field(host, v, even, 3)).max() < 1e-5
    assert (cuda.get_rows(given) == even).all()


def test_mean_field_ends_where_nothing_moves(cuda):
    """At the first look, every fifth update, after an update that moved no mean by the tolerance."""
    host, v, even = posterior((9, 6, 4), 5)
    rows, tolerance = np.concatenate([v, even], axis=1), 1e-4
    settled = 0
    while True:
        settled += 1
        after = dbm.mean_field(host, v, rows[:, 5:], 1)
        moved, rows = np.abs(after - rows).max(), after
        if moved <= tolerance:
            break
    assert settled > 5, "the model is too easy"
    given = cuda.put(host), cuda.put_rows(v), cuda.put_rows(even)
    found, done = cuda.mean_field(*given, 100, tolerance)
    assert done == -(-settled // 5) * 5
    again, wanted = cuda.mean_field(*given, done)
    assert wanted == done
    assert (cuda.get_rows(found) == cuda.get_rows(again)).all()
    assert cuda.mean_field(*given, settled - 1, tolerance)[1] == settled - 1


def test_lost_means_are_not_taken_for_settled_ones(cuda):
    host, v, even = posterior((9, 6, 4), 5)
    even[1, 2] = np.nan
    found, done = cuda.mean_field(cuda.put(host), cuda.put_rows(v), memory.upload(even), 12, 0.5)
    assert done == 12
    assert np.isnan(cuda.get_rows(found)[1, 5:]).all()
    assert np.isfinite(cuda.get_rows(found)[[0, 2, 3]]).all()


@pytest.mark.parametrize("size", [(1, 7), (31, 33), (33, 65)], ids=str)
@pytest.mark.parametrize("gaussian", [False, True], ids=["binary", "gaussian"])
def test_a_mask_keeps_what_it_names_and_clears_the_rest(cuda, size, gaussian):
    """Bits of the rest and of the biases; what is cleared is zero whatever stood there."""
    host = spread_out(*size)
    model = cuda.put(like(host) if gaussian else host)
    kept = np.random.default_rng(size).random(size) < 0.5
    mask = cuda.put_mask(model, kept)
    gradient = cuda.zeros(model)
    W = np.full(gradient["W"].shape, np.nan, np.float32)
    W[:, : size[1]][kept] = np.arange(1, kept.sum() + 1)
    gradient["W"] = memory.upload(W)
    before = {name: cuda.get_rows(x) for name, x in gradient.items()}
    cuda.mask(model, gradient, mask)
    after = {name: cuda.get_rows(x) for name, x in gradient.items()}
    assert (after["W"][:, : size[1]] == np.where(kept, W[:, : size[1]], 0.0)).all()
    assert (after["W"][:, size[1] :] == 0).all()
    assert all((after[name] == before[name]).all() for name in before if name != "W")


@pytest.mark.parametrize("centred", [False, True])
def test_masked_weights_and_what_is_stored_beside_them_stay_zero(cuda, centred):
    n_visible, n_hidden = 33, 31
    kept = np.random.default_rng(0).random((n_visible, n_hidden)) < 0.5
    host = spread_out(n_visible, n_hidden)
    model = cuda.put(type(host)(host.W * kept, host.b, host.c))
    mask, velocity, offsets = cuda.put_mask(model, kept), cuda.zeros(model), cuda.zeros(model)
    rows = cuda.put_rows(random_rows(5, n_visible))
    for _ in range(3):
        gradient, means = cuda.moments(model, rows, rows[:2])
        if centred:
            cuda.centre(model, gradient, means, offsets, 0.5, mask)
        else:
            cuda.mask(model, gradient, mask)
        assert cuda.update(model, velocity, gradient, 0.1, 0.9, 0.01)
    for x in (model.W, velocity["W"], gradient["W"]):
        found = cuda.get_rows(x)
        assert (found[:, :n_hidden][~kept] == 0).all()
        assert (found[:, n_hidden:] == 0).all()
    assert (cuda.get_rows(model.W)[:, :n_hidden][kept] != 0).all()
    Wt = cuda.get_rows(model.Wt)
    assert (Wt[:, :n_visible] == cuda.get_rows(model.W)[:, :n_hidden].T).all()
    assert (Wt[:, n_visible:] == 0).all()
