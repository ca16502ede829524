"""Training steps on the cpu: W's gradient is formed while W moves along it, and nothing is left over."""

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from conftest import complaint, needs_two_threads, random_rbm, random_rows

from ebmbench.errors import DeviceError
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.contrast import Contrast
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.tiled_contrast import TiledContrast
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key
from ebmbench.training.fit import Fit
from ebmbench.training.sgd import SGD

SIZES = [
    (16, 16),
    (45, 37),
    (129, 257),
    (70, 1024),
    (530, 1100),
]  # whole tiles, ragged ones, columns with a vector of padding, and more than one piece
SETTINGS = 0.1, 0.5, 0.01  # rate, momentum, decay


def grey(count, units):
    return np.random.default_rng([7, count]).random((count, units)).astype(np.float32)


PHASES = {  # how both phases are made, and of how many rows, more than 16 and of unequal numbers
    "binary": (random_rows, random_rows, 33, 18),
    "large": (random_rows, random_rows, 326, 1030),
    "grey data": (grey, random_rows, 33, 18),
    "grey": (grey, grey, 33, 18),
}


def phases(k, units, kind="binary"):
    """Rows of both phases."""
    make_plus, make_minus, plus, minus = PHASES[kind]
    return k.put_rows(make_plus(plus, units)), k.put_rows(make_minus(minus, units))


@pytest.fixture(autouse=True)
def all_work_is_worth_all_threads(monkeypatch):
    """As in `test_invariance`."""
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)


@pytest.fixture(autouse=True, params=["vectors", "matrix unit"])
def unit(request, monkeypatch):
    """Whether the processor's matrix unit serves models of any size, or none."""
    monkeypatch.setattr(tiles, "_LARGE", 0)
    if request.param == "vectors":
        monkeypatch.setattr(tiles, "allowed", lambda: False)
    elif not tiles.allowed():
        pytest.skip("this processor has no matrix unit, or may not use it")
    return request.param == "matrix unit"


def updated(k, host, rows, written=False, updates=2):
    """Everything an update writes, after two of them."""
    model = k.put(host)
    velocity = k.zeros(model)
    for _ in range(updates):
        gradient = k.moments(model, *rows).gradient
        if written:
            np.asarray(gradient["W"])
        assert k.update(model, velocity, gradient, *SETTINGS)
    return model.W, model.Wt, model.b, model.c, *velocity.values()


@pytest.mark.parametrize("kind", PHASES)
@pytest.mark.parametrize("size", SIZES)
def test_a_gradient_that_is_written_down_first_moves_w_to_the_same_bits(cpu, size, kind):
    host, rows = random_rbm(*size, seed=1, scale=0.1), phases(cpu, size[0], kind)
    for one, other in zip(updated(cpu, host, rows), updated(cpu, host, rows, written=True), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_two_threads
@pytest.mark.parametrize("kind", PHASES)
@pytest.mark.parametrize("size", SIZES)
def test_threads_do_not_change_an_update(cpu, size, kind, threads):
    host, rows = random_rbm(*size, seed=2, scale=0.1), phases(cpu, size[0], kind)
    found = []
    for count in (1, 2):
        threads(count)
        found.append(updated(cpu, host, rows))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_two_threads
def test_threads_do_not_change_which_weights_a_nan_spoils(threads):
    """Of units that are 0 in all grey rows, in parts whose others are not."""
    plus = grey(33, 128) * (np.random.default_rng(0).random(128) < 0.5)
    minus, p = random_rows(18, 128), aligned_zeros(33, 16)
    p[5] = np.nan
    found = []
    for count in (1, 2):
        threads(count)
        gradient = np.asarray(Contrast(np.float32(plus), minus, p, aligned_zeros(18, 16)))
        found.append(np.isnan(gradient))
    assert 0 < found[0].sum() < found[0].size
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("size", SIZES)
def test_the_transposed_copy_follows(cpu, size):
    n_visible, n_hidden = size
    W, Wt, *_ = updated(cpu, random_rbm(*size, seed=3, scale=0.1), phases(cpu, n_visible))
    np.testing.assert_array_equal(Wt[:, :n_visible], W[:, :n_hidden].T)
    assert not W[:, n_hidden:].any()
    assert not Wt[:, n_visible:].any()


@pytest.mark.parametrize("kind", ["binary", "large"])
@pytest.mark.parametrize("size", SIZES)
def test_a_contrast_is_as_exact_either_way(cpu, size, kind, unit):
    """p's integers are off by 2**-23 and then averaged, which is less than as many additions round."""
    model, (plus, minus) = cpu.put(random_rbm(*size, seed=5, scale=0.1)), phases(cpu, size[0], kind)
    found = cpu.moments(model, plus, minus).gradient["W"]
    assert isinstance(found, TiledContrast) == unit
    p_plus, p_minus = (cpu.hidden_probability(model, rows).astype(np.float64) for rows in (plus, minus))
    wanted = plus.T.astype(float) @ p_plus / len(plus) - minus.T.astype(float) @ p_minus / len(minus)
    assert np.abs(np.asarray(found)[:, : size[1]] - wanted).max() < (3e-7 if unit else 3e-6)


def test_a_large_batch_without_a_number_is_none(cpu):
    host, (plus, minus) = random_rbm(45, 37, seed=6), phases(cpu, 45, "large")
    host.c[3] = np.nan
    gradient = np.asarray(cpu.moments(cpu.put(host), plus, minus).gradient["W"])
    assert np.isnan(gradient[:, 3]).all()
    assert np.isfinite(gradient[:, :3]).all()


def test_a_gradient_outlives_the_steps_after_it(cpu):
    """Neither later gradients nor a model that has moved on change it."""
    host, rows = random_rbm(45, 37, seed=4), phases(cpu, 45)
    model = cpu.put(host)
    velocity = cpu.zeros(model)
    kept, wanted = (cpu.moments(model, *rows).gradient for _ in range(2))
    wanted = cpu.get_tree(model, wanted)
    for number in range(5):
        later = [cpu.put_rows(random_rows(n, 45, seed=number)) for n in (33, 18)]
        cpu.update(model, velocity, cpu.moments(model, *later).gradient, *SETTINGS)
    assert isinstance(kept["W"], Contrast)
    for name, x in cpu.get_tree(model, kept).items():
        np.testing.assert_array_equal(x, wanted[name])


def test_what_a_gradient_was_written_down_as_is_the_gradient(cpu):
    """Centring changes it in place, and so may others."""
    model = cpu.put(RBM(np.zeros((20, 18)), np.zeros(20), np.zeros(18)))
    gradient = cpu.moments(model, *phases(cpu, 20)).gradient
    np.asarray(gradient["W"])[...] = 3.0
    cpu.update(model, cpu.zeros(model), gradient, 1.0, 0.0, 0.0)
    assert (cpu.get(model).W == 3.0).all()


@pytest.mark.parametrize("estimator", ["sml", "cd"])
def test_steps_need_less_memory_than_w_and_leave_nothing(cpu, estimator, unit):
    """Of 100 updates at 2 MiB of W; rows, chains and p(h|v) of a batch of 20 are an eighth of that.

    Each of two threads has room for the sums of 48 units in both phases; for the matrix unit a phase's p
    are those of 64 rows, three bytes each, of two gradients at most.
    """
    rows = random_rows(200, 512, seed=5)
    settings = {"chains": 20} if estimator == "sml" else {}
    k = replace(cpu, fused={})  # many updates in one call have their own room
    fit = Fit(k, random_rbm(512, 1024, scale=0.01), rows, estimator, settings, SGD(), 200, 20)
    tracemalloc.start()
    try:
        fit.advance(1500)  # Python and Numba keep some small objects for later, but no more of them
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        fit.advance(100)
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 1024 * 1024
    assert after - before < 32 * 1024


def test_too_many_rows_are_one_sentence_with_what_would_fit(cpu):
    """A shape that no machine holds: 16 TiB."""
    one = np.zeros((1, 8), np.uint8)
    rows = np.broadcast_to(one, (2**41, 8))
    said = complaint(cpu.put_rows, rows)
    assert f"{2**41} rows of 8 bytes" in said
    assert "room for at most" in said
    model = cpu.put(random_rbm(8, 2**14))
    rows = np.zeros((2**28, 8), np.uint8)  # never touched
    said = complaint(cpu.hidden_probability, model, rows)
    assert f"{2**28} rows of 65600 bytes" in said
    with pytest.raises(DeviceError):
        cpu.gibbs(model, rows, 1, Key(0, 0))
