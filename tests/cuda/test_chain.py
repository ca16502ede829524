"""Chains that a block follows flip by flip, beside the cpu backend: bits where the arithmetic is `grid`.

In `float` arithmetic the two add in another order. With at most 65 terms of size about 3 a sum differs by
less than 2e-5, a probability by a quarter of that, and no uniform of the seeds below lies so close to its
probability: samples must be equal there too.
"""

import numpy as np
import pytest
from numba import cuda as numba_cuda

from ebmbench.kernels.cuda import annealing, block, chain, gibbs
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.models.rbm import RBM
from ebmbench.randomness import HIDDEN, Key, Stream, uniforms

SIZES = [(1, 1, 2), (7, 33, 3), (65, 31, 3), (32, 4, 1), (31, 65, 2)]
# The step's low word and the chain's number run over.
KEY = Key(2**32 - 1, Stream.CHAINS, step=2**32 - 2, chain=2**32 - 2)


def random_rbm(n_visible, n_hidden, scale=0.7):
    rng = np.random.default_rng([n_visible, n_hidden])
    W = rng.normal(0.0, scale, (n_visible, n_hidden))
    return RBM(W, rng.normal(0.0, 1.0, n_visible), rng.normal(0.0, 1.0, n_hidden))


def random_rows(count, n_visible):
    return np.random.default_rng(count).integers(0, 2, (count, n_visible), dtype=np.uint8)


def sampled(k, model, arithmetic, rows, steps, key=KEY, beta=1.0):
    layers = k.gibbs(k.put(model, arithmetic), k.put_rows(rows), steps, key, beta)
    return [k.get_rows(layer) for layer in layers]


def assert_equal(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def grey(rows, units):
    return uniforms(Key(1, Stream.NOISE), rows, units)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("arithmetic", ["float", "grid"])
def test_sweeps_equal_the_cpu(cuda, cpu, arithmetic, size):
    n_visible, n_hidden, rows = size
    model = random_rbm(n_visible, n_hidden)
    for start in (random_rows(rows, n_visible), grey(rows, n_visible)):
        found, wanted = (sampled(k, model, arithmetic, start, 4, beta=0.8) for k in (cuda, cpu))
        assert_equal(found, wanted)


@pytest.mark.parametrize("arithmetic", ["float", "grid"])
@pytest.mark.parametrize("limit", ["_MANY", "SHARED"])
def test_dense_layers_equal_the_cpu(cuda, cpu, monkeypatch, arithmetic, limit):
    """The way that many chains, and layers too large for a block's memory, go."""
    monkeypatch.setattr(gibbs, limit, 1)
    monkeypatch.setattr(gibbs, "_by_chain", None)
    model = random_rbm(33, 7)
    for start in (random_rows(3, 33), grey(3, 33)):
        assert_equal(*(sampled(k, model, arithmetic, start, 3, beta=0.8) for k in (cuda, cpu)))


def test_many_chains_equal_the_cpu(cuda, cpu):
    model, start = random_rbm(5, 3), random_rows(40, 5)
    assert_equal(*(sampled(k, model, "grid", start, 2) for k in (cuda, cpu)))


def test_sweeps_in_one_call_are_those_of_many(cuda):
    model, v = random_rbm(33, 12), random_rows(3, 33)
    wanted = sampled(cuda, model, "grid", v, 5)
    for t in range(5):
        v, h = sampled(cuda, model, "grid", v, 1, KEY.advance(t))
    assert_equal((v, h), wanted)


@pytest.mark.parametrize("lifetime", [1, 3])
def test_sums_that_start_afresh_are_the_same(cuda, cpu, monkeypatch, lifetime):
    monkeypatch.setattr(chain, "LIFETIME", lifetime)
    model = random_rbm(33, 12)
    for start in (random_rows(2, 33), grey(2, 33)):
        assert_equal(*(sampled(k, model, "float", start, 8) for k in (cuda, cpu)))


@pytest.mark.parametrize(("lifetime", "drifts"), [(1, False), (10**6, True)])
def test_sums_that_are_followed_for_long_drift(cuda, cpu, monkeypatch, lifetime, drifts):
    """While a unit of weight -1e6 is on, others of 0.031 go on or off without any trace in the sum."""
    monkeypatch.setattr(chain, "LIFETIME", lifetime)
    model = RBM(np.array([[0.031]] * 24 + [[-1e6]]), np.zeros(25), np.zeros(1))
    found, wanted = (sampled(k, model, "float", random_rows(4, 25), 40) for k in (cuda, cpu))
    assert any((a != b).any() for a, b in zip(found, wanted, strict=True)) == drifts


def test_sums_are_followed_for_as_long_as_they_stay_exact():
    assert chain.lifetime("float") == 32
    assert chain.lifetime("grid") > 2**60


def test_a_half_sweep_follows_its_probabilities(cuda):
    """|u - p| below 1e-5 may fall either way; everything else is what the definition says."""
    model, rows = random_rbm(65, 31), random_rows(3, 65)
    _, h = sampled(cuda, model, "float", rows, 1)
    p = 1.0 / (1.0 + np.exp(-(model.c + rows @ model.W)))
    u = uniforms(KEY, 3, 31, HIDDEN)
    clear = np.abs(u - p) > 1e-5
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(h[clear], (u < p)[clear])


def annealed(k, model, arithmetic, betas, start):
    start = start if isinstance(start, int) else k.put_rows(start)
    base = np.linspace(-1.0, 1.0, model.n_visible)
    weights, v = k.anneal(k.put(model, arithmetic), base, betas, start, KEY)
    return weights, k.get_rows(v)


@pytest.fixture(params=["shared memory", "own memory"])
def place(request, monkeypatch):
    """Where a block works: layers that outgrow shared memory get memory of their own, two at a time."""
    if request.param == "own memory":
        monkeypatch.setattr(block, "SHARED", 0)
        monkeypatch.setattr(block, "IN_TURN", 2)


@pytest.mark.parametrize("arithmetic", ["float", "grid"])
@pytest.mark.parametrize("size", [(1, 1, 2), (7, 33, 5), (65, 31, 1)], ids=str)
def test_annealing_equals_the_cpu(cuda, cpu, monkeypatch, place, size, arithmetic):
    """Log weights are sums of a few nats in float64 of terms that float32 resolves: 1e-5."""
    monkeypatch.setattr(chain, "LIFETIME", 3)
    n_visible, n_hidden, rows = size
    model = random_rbm(n_visible, n_hidden, scale=0.5)
    up, down = np.linspace(0.0, 1.0, 7), np.linspace(1.0, 0.0, 4)
    for betas, start in ((up, rows), (down, random_rows(rows, n_visible))):
        (w1, v1), (w2, v2) = (annealed(k, model, arithmetic, betas, start) for k in (cuda, cpu))
        np.testing.assert_array_equal(v1, v2)
        np.testing.assert_allclose(w1, w2, rtol=0, atol=1e-5)


def tempered(k, model, arithmetic, betas, rows):
    base = np.linspace(-1.0, 1.0, model.n_visible)
    found = k.temper(k.put(model, arithmetic), base, betas, k.put_rows(rows), 5, KEY)
    return k.get_rows(found.v), found.accepted


@pytest.mark.parametrize("arithmetic", ["float", "grid"])
@pytest.mark.parametrize(
    ("n_visible", "n_hidden", "ladders", "temperatures"), [(1, 1, 3, 2), (33, 7, 3, 4)]
)
def test_tempering_equals_the_cpu(
    cuda, cpu, monkeypatch, place, n_visible, n_hidden, ladders, temperatures, arithmetic
):
    monkeypatch.setattr(chain, "LIFETIME", 3)
    model, betas = random_rbm(n_visible, n_hidden, scale=0.5), np.linspace(0.0, 1.0, temperatures)
    rows = random_rows(ladders * temperatures, n_visible)
    found, wanted = (tempered(k, model, arithmetic, betas, rows) for k in (cuda, cpu))
    assert_equal(found, wanted)
    assert wanted[1].sum() > 0


def test_neighbours_exchange_in_turns_for_more_pairs_than_threads(cuda, cpu):
    model, betas = random_rbm(4, 2, scale=0.5), np.linspace(0.0, 1.0, 19)
    assert_equal(*(tempered(k, model, "grid", betas, random_rows(19, 4)) for k in (cuda, cpu)))


def test_gains_are_those_of_the_definition():
    """The series is cut off by at most 7e-11; a float32 sigmoid adds 2e-7 of the distance."""
    softplus = lambda x: np.logaddexp(0.0, x)  # noqa: E731
    for x in np.float32([-40.0, -3.0, -0.5, 0.0, 1e-3, 0.9, 7.0, 60.0]):
        for after, before in (
            (1e-4, 0.0),
            (0.5, 0.499),
            (0.51, 0.44),
            (0.0, 1.0),
            (1.0, 0.0),
            (1.0, 0.93),
        ):
            wanted = softplus(after * float(x)) - softplus(before * float(x))
            allowed = 1e-10 + 3e-7 * abs((after - before) * float(x))
            assert abs(annealing.softplus_gain(x, after, before) - wanted) < allowed


@kernel("uint8[::1], int64, int64, uint32[::1], uint64[::1], uint32[::1]")
def _gather(changes, units, columns, listed, counts, ends):
    rows = chain.gather(changes, units, columns, listed, counts)
    if numba_cuda.threadIdx.x == 0:
        for n in range(3):
            ends[n] = rows[n]


@pytest.mark.parametrize("units", [1, 32, 33, 300])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_rows_are_listed_in_order(cuda, units, share):
    rng = np.random.default_rng(units)
    change = np.where(rng.random(units) < share, rng.choice([-1, 1], units), 0)
    words = -(-units // 32)
    padded = np.pad(change, (0, 32 * words - units)).reshape(-1, 4)
    changes = ((padded > 0) @ [1, 2, 4, 8] + (padded < 0) @ [16, 32, 64, 128]).astype(np.uint8)
    listed, ends = empty(32 * words, np.uint32), empty(3, np.uint32)
    _gather(1, upload(changes), units, 96, listed, empty(words + 8, np.uint64), ends)
    listed, (on, off, end) = download(listed), download(ends)
    np.testing.assert_array_equal(listed[:on], 96 * np.flatnonzero(change > 0))
    np.testing.assert_array_equal(listed[off:end], 96 * np.flatnonzero(change < 0)[::-1])


@kernel("float64[::1], float64[::1]", threads=64)
def _sum(values, room):
    t = numba_cuda.threadIdx.x
    values[t] = block.block_sum(values[t], room)


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_a_block_adds_up(cuda, threads):
    values = upload(np.arange(1.0, threads + 1))
    _sum(1, values, empty(threads, np.float64), threads=threads)
    np.testing.assert_array_equal(download(values), np.full(threads, threads * (threads + 1) / 2))


def test_a_block_has_a_thread_for_each_one_or_two_columns():
    assert [block.threads_for(n) for n in (32, 800, 896, 928, 8192)] == [32, 800, 896, 480, 832]
