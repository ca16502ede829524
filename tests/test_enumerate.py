"""Enumeration against the definition: sums over every joint state."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from conftest import (
    BACKENDS,
    FAMILY_ALPHA,
    all_states,
    backend,
    complaint,
    flat,
    host,
    joint_energies,
    joint_law,
    numbers_of,
    random_rbm,
)
from scipy import stats
from scipy.linalg import block_diag
from scipy.special import expit, logsumexp

from ebmbench.datasets import load
from ebmbench.models import enumerate as exact
from ebmbench.models.rbm import RBM, free_energy
from ebmbench.models.storage import load_fixture
from ebmbench.randomness import Key, Stream

SIZES = [(1, 1), (3, 7), (7, 3), (6, 6), (2, 9)]


def by_definition(model):
    return logsumexp(-joint_energies(model.W, model.b, model.c))


@pytest.fixture
def log_z(k):
    """The exact log Z of every backend; the reference's is that of `models.enumerate`."""
    return k.log_z


def blocks(*models):
    """The independent union of models; the units shuffled, so that the blocks do not lie together."""
    rng = np.random.default_rng(5)
    b, c = (np.concatenate([getattr(m, name) for m in models]) for name in ("b", "c"))
    rows, columns = rng.permutation(b.size), rng.permutation(c.size)
    W = block_diag(*(m.W for m in models))
    return RBM(W[rows][:, columns], b[rows], c[columns])


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("bias", [0.0, 1.0, 100.0])
def test_log_z_is_the_sum_over_all_joint_states(log_z, size, bias):
    """Relative 1e-9: float64 keeps 1e-15 of each term, Gray-code sums drift by at most 2**9 of them."""
    model = random_rbm(*size, seed=3, scale=2.0, bias=bias)
    wanted = by_definition(model)
    assert log_z(model) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert log_z(model.transposed) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert exact.log_z_brute_force(model) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_log_z_neither_overflows_nor_underflows(log_z, sign):
    model = RBM(np.full((4, 5), sign * 30.0), np.full(4, sign * 100.0), np.full(5, sign * 100.0))
    assert log_z(model) == pytest.approx(by_definition(model), rel=1e-9, abs=1e-9)


def test_log_z_without_weights_is_a_sum_over_units(log_z):
    b, c = np.linspace(-100.0, 100.0, 9), np.linspace(-3.0, 2.0, 13)
    wanted = np.logaddexp(0.0, b).sum() + np.logaddexp(0.0, c).sum()
    assert log_z(RBM(np.zeros((9, 13)), b, c)) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("transposed", [False, True])
def test_twenty_units_by_an_independent_route_in_bounded_memory(log_z, transposed):
    """Four independent blocks of 5 x 6 units: log Z is the sum of theirs, each by the definition.

    A table of all 2**20 states would take 160 MB for the visible units alone.
    """
    parts = [random_rbm(5, 6, seed=seed, scale=1.5) for seed in range(4)]
    model = blocks(*parts)
    model = model.transposed if transposed else model
    tracemalloc.start()
    found = log_z(model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == pytest.approx(sum(by_definition(part) for part in parts), rel=1e-9)
    assert peak < 50e6


def test_gradient_of_nineteen_pairs_by_a_formula(computed):
    """Pairs (v_i, h_i) without other weights: all moments are known. Rows of zeros leave only them.

    Float32 weights: log p(v) is off by at most 40 sums of size 10 * 2**-24, a moment by less than 3e-5.
    """
    model = random_rbm(19, 19, seed=8, scale=2.0)
    model = RBM(np.diag(np.diag(model.W)), model.b, model.c)
    on_v, on_h = np.exp(model.b), np.exp(model.c)
    both = on_v * on_h * np.exp(np.diag(model.W))
    z = 1.0 + on_v + on_h + both
    v, h = (on_v + both) / z, (on_h + both) / z
    vh = np.outer(v, h)
    np.fill_diagonal(vh, both / z)
    handle, rows = computed.put(model), computed.put_rows(np.zeros((3, 19), np.uint8))
    phases, log_z = computed.exact_gradient(handle, rows)
    found = host(computed, phases.gradient, model)
    wanted = {"W": -vh, "b": -v, "c": expit(model.c) - h}
    np.testing.assert_allclose(flat(found), flat(wanted), rtol=0, atol=3e-5)
    assert log_z == pytest.approx(np.log(z).sum(), abs=3e-5)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("bias", [1.0, 100.0])
def test_moments_are_expectations_under_the_joint_law(size, bias):
    model = random_rbm(*size, seed=4, scale=2.0, bias=bias)
    joint = joint_law(model)
    v, h = all_states(model.n_visible), all_states(model.n_hidden)
    total, moments = exact.moments(model)
    assert total == pytest.approx(by_definition(model), rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(moments.vh, v.T @ joint @ h, rtol=0, atol=1e-11)
    np.testing.assert_allclose(moments.v, joint.sum(axis=1) @ v, rtol=0, atol=1e-11)
    np.testing.assert_allclose(moments.h, joint.sum(axis=0) @ h, rtol=0, atol=1e-11)


def test_moments_over_several_blocks_of_states(monkeypatch):
    model = random_rbm(6, 7, seed=5)
    whole = exact.moments(model)
    monkeypatch.setattr(exact, "_BLOCK_BITS", 2)
    parts = exact.moments(model)
    assert parts[0] == pytest.approx(whole[0], rel=1e-14)
    for a, b in zip(whole[1], parts[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)


def test_states_are_numbered_from_the_lowest_bit():
    assert (exact.states(5) == all_states(5)).all()
    assert (exact.states(5, 7, 9) == all_states(5)[7:16]).all()


def test_distribution_is_the_marginal_of_the_joint_law():
    model = random_rbm(6, 3, seed=6, scale=2.0)
    p = exact.distribution(model)
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(p, joint_law(model).sum(axis=1), rtol=1e-10)


@pytest.mark.parametrize("size", [(5, 4), (3, 6)], ids=str)
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_transition_matrix_is_one_sweep_and_leaves_the_law_as_it_is(size, beta):
    model = random_rbm(*size, seed=7, scale=1.5)
    joint = joint_law(model, beta)
    h_given_v = joint / joint.sum(axis=1, keepdims=True)
    v_given_h = (joint / joint.sum(axis=0, keepdims=True)).T
    T = exact.transition_matrix(model, beta)
    np.testing.assert_allclose(T, h_given_v @ v_given_h, rtol=0, atol=1e-12)
    np.testing.assert_allclose(T.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    p = joint.sum(axis=1)
    np.testing.assert_allclose(p @ T, p, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 6), (6, 3), (5, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("bits", [12, 2], ids=["one block", "several blocks"])
def test_exact_draws_follow_the_law(monkeypatch, size, bits):
    """G-test of 20,000 draws over all visible states, chance of a false alarm 1e-3 a case."""
    monkeypatch.setattr(exact, "_BLOCK_BITS", bits)
    model = random_rbm(*size, seed=9, scale=1.5)
    found = exact.draws(model, 20_000, Key(1, Stream.EXACT))
    assert (found.shape, found.dtype) == ((20_000, model.n_visible), np.float64)
    counts = np.bincount(numbers_of(found), minlength=2**model.n_visible)
    wanted = joint_law(model).sum(axis=1) * len(found)
    rare = wanted < 5  # pooled, as the chi-squared law asks
    counts, wanted = (np.append(x[~rare], x[rare].sum() + 1e-9) for x in (counts, wanted))
    found_p = stats.power_divergence(counts, wanted, lambda_="log-likelihood").pvalue
    assert found_p > FAMILY_ALPHA


def test_exact_draws_are_their_chains_own():
    """A draw depends on its chain and step alone; equal bits in any batch."""
    model, key = random_rbm(7, 4, seed=9), Key(2, Stream.EXACT, step=3, chain=5)
    whole = exact.draws(model, 50, key)
    parts = [exact.draws(model, 20, key), exact.draws(model, 30, key._replace(chain=25))]
    assert (np.vstack(parts) == whole).all()
    assert (exact.draws(model, 50, key.advance(1)) != whole).any()


@pytest.mark.parametrize("transposed", [False, True])
def test_exact_draws_need_little_memory(transposed):
    """A table of all 2**18 states would take 38 MB; each draw's block is looked at alone."""
    model = random_rbm(18, 19, seed=9)
    model = model.transposed if transposed else model
    tracemalloc.start()
    found = exact.draws(model, 5, Key(3, Stream.EXACT))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(np.unique(found)) == {0.0, 1.0}
    assert peak < 10e6


def test_too_many_units_are_refused_before_the_work():
    too_many = RBM(np.zeros((26, 27)), np.zeros(26), np.zeros(27))
    draws = partial(exact.draws, count=1, key=Key(1, Stream.EXACT))
    for call in (exact.check_enumerable, exact.log_z, exact.moments, draws):
        assert "2**26" in complaint(call, too_many)
    exact.check_enumerable(RBM(np.zeros((784, 25)), np.zeros(784), np.zeros(25)))


def test_every_backend_refuses_too_many_units(k):
    too_many = RBM(np.zeros((26, 26)), np.zeros(26), np.zeros(26))
    assert "2**26" in complaint(k.log_z, too_many)
    handle, rows = k.put(too_many), k.put_rows(np.zeros((2, 26), np.uint8))
    assert "2**26" in complaint(k.exact_gradient, handle, rows)


@pytest.mark.parametrize("name", BACKENDS)
def test_twenty_units_with_huge_biases(name):
    """20 x 20 with biases of ±100: independent pairs, whose log Z is a sum of logs of four terms."""
    sign = np.where(np.arange(20) % 3, 1.0, -1.0)
    w = np.linspace(-5.0, 5.0, 20)
    model = RBM(np.diag(w), 100.0 * sign, -100.0 * np.roll(sign, 1))
    pairs = np.stack([np.zeros(20), model.b, model.c, model.b + model.c + w])
    wanted = np.logaddexp.reduce(pairs, axis=0).sum()
    assert backend(name).log_z(model) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("name", BACKENDS)
def test_the_golden_model_has_the_log_z_it_says(name):
    """64 x 20, trained on digits: 2**20 states by both backends, and its stated test likelihood."""
    fixture = load_fixture("digits_rbm20")
    assert backend(name).log_z(fixture.model) == pytest.approx(fixture.log_z, rel=1e-12)
    test = load("digits").test
    mean = -free_energy(fixture.model, test).mean() - fixture.log_z
    assert mean == pytest.approx(fixture.log_likelihood, rel=1e-12)
    assert fixture.log_likelihood == pytest.approx(-17.419, abs=1e-3)
