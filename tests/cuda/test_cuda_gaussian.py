"""Gaussian visible units on the GPU: samples with the bits of the cpu, padding, memory, health, order."""

import numpy as np
import pytest

from ebmbench.harness.gate_gaussian import like
from ebmbench.harness.sources import random_model
from ebmbench.kernels.api import load
from ebmbench.kernels.cuda import block
from ebmbench.randomness import Key, Stream

KEY = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)
SIZES = [(1, 7), (33, 5), (6, 35)]


def gaussian(n_visible, n_hidden):
    return like(random_model(n_visible, n_hidden, 2.0 / np.sqrt(max(n_visible, n_hidden))))


def real_rows(count, n_visible, seed=0):
    return np.random.default_rng([seed, count]).normal(0.0, 1.5, (count, n_visible)).astype(np.float32)


def base_of(n_visible):
    return np.stack([np.linspace(-1.0, 1.0, n_visible), np.linspace(1.0, 2.0, n_visible)])


def gibbs(k, model, rows):
    return [k.get_rows(layer) for layer in k.gibbs(model, k.put_rows(rows), 2, KEY, 0.7)]


def anneal(k, model, rows):
    betas = np.linspace(0.0, 1.0, 4)
    found = [
        k.anneal(model, base_of(rows.shape[1]), betas, start, KEY) for start in (2, k.put_rows(rows))
    ]
    return [k.get_rows(one.v) for one in found]


def temper(k, model, rows):
    ladders = k.put_rows(np.repeat(rows, 3, axis=0))
    found = k.temper(model, base_of(rows.shape[1]), np.array([0.0, 0.5, 1.0]), ladders, 2, KEY)
    return [k.get_rows(found.v), found.accepted]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("sample", [gibbs, anneal, temper])
@pytest.mark.parametrize("wide", [False, True], ids=["shared", "global"])
def test_samples_have_the_bits_of_the_cpu(cuda, cpu, sample, size, wide, monkeypatch):
    """Of real numbers too: every product is rounded by itself and every sum has the same order.

    In shared memory, and in the memory that layers too wide for it get.
    """
    if wide:
        monkeypatch.setattr(block, "SHARED", 0)
    host = gaussian(*size)
    for rows in (real_rows(2, size[0]), np.eye(2, size[0], dtype=np.uint8)):
        wanted = sample(cpu, cpu.put(host), rows)
        found = sample(cuda, cuda.put(host), rows)
        for one, other in zip(wanted, found, strict=True):
            assert one.tobytes() == other.astype(one.dtype).tobytes()


def answers(k, model, rows):
    """Trees of arrays as they are stored, of everything that has a gradient."""
    v, key = k.put_rows(rows), Key(8, Stream.DENOISING, 3, 2)
    found = [
        *k.moments(model, v, v[:1]),
        *k.score_matching(model, v)[0],
        *k.score_matching(model, v, 0.5, key)[0],
        *k.exact_gradient(model, v)[0],
    ]
    return [{name: k.get_rows(value) for name, value in tree.items()} for tree in found]


@pytest.mark.long
@pytest.mark.parametrize("binary", [False, True], ids=["real", "binary"])
def test_gradients_agree_twice_and_their_padding_is_zero(cuda, binary):
    """Sums of 33 terms of size up to 10 in float32, over 3 rows: see the gate's tolerances."""
    rows = np.eye(3, 33, dtype=np.uint8) if binary else real_rows(3, 33)
    host, reference = gaussian(33, 5), load("reference")
    shapes = {"W": (33, 5), "b": (33,), "c": (5,), "log_precision": (33,)}
    model = cuda.put(host)
    wanted = answers(reference, reference.put(host), rows)
    first, second = answers(cuda, model, rows), answers(cuda, model, rows)
    for right, one, two in zip(wanted, first, second, strict=True):
        assert one.keys() == two.keys() == right.keys()
        for name, value in one.items():
            inside = tuple(slice(n) for n in shapes[name])
            assert np.abs(value[inside] - right[name]).max() < 4e-5 * max(1.0, np.abs(right[name]).max())
            outside = value.copy()
            outside[inside] = 0.0
            assert not outside.any()
            assert value.tobytes() == two[name].tobytes()


def test_what_is_made_of_the_weights_follows_an_update(cuda):
    host = gaussian(33, 5)
    model = cuda.put(host)
    velocity, v = cuda.zeros(model), cuda.put_rows(real_rows(3, 33))
    gradient, _ = cuda.moments(model, v, v[:1])
    for _ in range(2):
        assert cuda.update(model, velocity, gradient, 0.1, 0.5, 0.01)
    W, Wt, to_hidden, log_precision, precision = (
        cuda.get_rows(x)
        for x in (model.W, model.Wt, model.to_hidden, model.log_precision, model.precision)
    )
    assert not np.array_equal(W[:, :5], host.W.astype(np.float32))
    assert (Wt[:, :33] == W[:, :5].T).all()
    assert (to_hidden == precision[:33, None] * W).all()
    np.testing.assert_allclose(precision[:33], np.exp(log_precision[:33]), rtol=3e-7)


@pytest.mark.long
@pytest.mark.parametrize("rate", [20.0, -20.0, np.nan])
def test_a_precision_out_of_bounds_is_told_within_a_hundred_updates(cuda, rate):
    model = cuda.put(gaussian(3, 2))
    velocity, gradient = cuda.zeros(model), cuda.zeros(model)
    gradient["log_precision"].copy_to_device(np.ones(gradient["log_precision"].shape, np.float32))
    healthy = [cuda.update(model, velocity, gradient, rate, 0.0, 0.0)]
    gradient["log_precision"].copy_to_device(np.zeros(gradient["log_precision"].shape, np.float32))
    healthy += [cuda.update(model, velocity, gradient, 0.0, 0.0, 0.0) for _ in range(99)]
    assert not all(healthy)
