"""Jobs of a Gaussian-Bernoulli RBM on every backend: gradients, sampling and annealing against truth.

Float32: a gradient is a mean of products of sums, so its error is at most some 2**-24 a term of the
largest; 1e-6 a unit of both layers, times the largest gradient, stands above it. The model and the
rows that are compared are those which the backend holds.
"""

from itertools import pairwise

import numpy as np
import pytest
from conftest import FAMILY_ALPHA, all_states, complaint, largest_z, needs_two_threads, numbers_of
from gaussian import (
    SIZES,
    differences,
    energies,
    flat,
    log_f,
    log_z,
    mean_log_likelihood,
    parameters,
    random_gaussian,
    real_rows,
    score_objective,
    slope,
    statistics,
)
from scipy import stats
from scipy.special import ndtri
from test_gibbs import g_test

from ebmbench import partition
from ebmbench.models import gaussian_enumerate as exact
from ebmbench.models import score
from ebmbench.partition import BaseRates, base_rates
from ebmbench.randomness import START, VISIBLE, Key, Stream, uniforms
from ebmbench.samplers.gibbs import start

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = random_gaussian(3, 3, seed=2)
KEY = Key(13, Stream.CHAINS, step=2**32 - 2, chain=4)


def held(k, size, seed=1):
    """A model as the backend holds it, its handle, and rows on the host and on the device."""
    n_visible, n_hidden, rows = size
    model = random_gaussian(n_visible, n_hidden, seed)
    handle = k.put(model)
    v = real_rows(rows, n_visible, seed)
    return k.get(handle), handle, v, k.put_rows(v)


def check(k, handle, gradient, wanted):
    found, wanted = flat(k.get_tree(handle, gradient)), flat(wanted)
    units = handle.n_visible + handle.n_hidden
    largest = max(1.0, np.abs(wanted).max())
    allowed = 1e-6 if k.name == "reference" else 1e-6 * units * largest
    assert np.abs(found - wanted).max() < allowed


# --- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_exact_gradient_is_that_of_the_log_likelihood(k, size):
    model, handle, v, rows = held(k, size)
    phases, total = k.exact_gradient(handle, rows)
    p = parameters(model)
    check(k, handle, phases.gradient, differences(lambda p: mean_log_likelihood(p, v), p))
    assert total == pytest.approx(log_z(p), abs=1e-9 if k.name == "reference" else 1e-5)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_moments_are_the_contrast_of_two_sets_of_rows(k, size):
    model, handle, v, rows = held(k, size)
    other = real_rows(4, size[0], seed=9)
    phases = k.moments(handle, rows, k.put_rows(other))

    def contrast(p):
        return float(log_f(p, v).mean() - log_f(p, other).mean())

    check(k, handle, phases.gradient, differences(contrast, parameters(model)))
    means = k.get_tree(handle, phases.means)
    np.testing.assert_allclose(means["b"], (v.mean(axis=0) + other.mean(axis=0)) / 2, atol=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_score_matching_is_the_gradient_of_the_definition(k, size, noise):
    model, handle, v, rows = held(k, size)
    (gradient, _), value = k.score_matching(handle, rows, noise, KEY)
    targets = None
    if noise:
        e = ndtri(uniforms(KEY, len(v), size[0], VISIBLE).astype(float))
        v, targets = v + noise * e, -e / noise
    p = parameters(model)
    check(k, handle, gradient, differences(lambda p: score_objective(p, v, targets), p))
    assert value == pytest.approx(score_objective(p, v, targets), rel=1e-5, abs=1e-5)


def same(k, handle, found, wanted):
    found, wanted = (flat(k.get_tree(handle, tree)) for tree in (found, wanted))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_binary_rows_are_rows_too(k):
    """A backend may keep them as integers."""
    model, handle, _, _ = held(k, (5, 4, 1))
    v = all_states(5)[[3, 17, 30]]
    binary, real = k.put_rows(v), k.put_rows(np.vstack([v, np.full((1, 5), 0.5)]))
    real = k.take(real, np.arange(3))
    for noise in (0.0, 0.4):
        same(k, handle, *(k.score_matching(handle, x, noise, KEY)[0].gradient for x in (binary, real)))
    same(k, handle, *(k.exact_gradient(handle, x)[0].gradient for x in (binary, real)))
    wanted = -log_f(parameters(model), v)
    np.testing.assert_allclose(k.free_energy(handle, binary), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 3), (2, 2)], ids=str)
def test_score_matching_is_consistent(k, size):
    """With rows from the model itself the expected gradient is zero: a fine grid, weighted by p.

    The trapezoidal rule on a smooth density that falls to e**-60 at the ends is exact to rounding.
    """
    model = random_gaussian(*size, seed=8, scale=0.8)
    handle = k.put(model)
    p = parameters(k.get(handle))
    count = 81 if size[0] == 1 else 41
    axes = [np.linspace(b - 9.0, b + 9.0, count) for b in model.b]
    grid = np.stack([x.ravel() for x in np.meshgrid(*axes)], axis=1)
    weight = np.exp(log_f(p, grid) - log_z(p)) * np.prod([x[1] - x[0] for x in axes])
    assert weight.sum() == pytest.approx(1.0, abs=1e-6)
    kept = weight > 1e-12
    rows = k.put_rows(grid[kept])
    trees = []
    for number in range(kept.sum()):
        one = k.take(rows, np.array([number]))
        trees.append(flat(k.get_tree(handle, k.score_matching(handle, one)[0].gradient)))
    mean = weight[kept] @ np.array(trees)
    assert np.abs(mean).max() < 2e-5
    assert (weight[kept] @ np.abs(trees)).max() > 0.1


def test_denoising_averages_to_the_noised_densitys_score(k):
    """In one dimension, over the noise: the gradient of E|psi - d log q / dv|**2 / 2 by quadrature.

    q is the density of the data with its noise: here three rows, so three normals. 300 replicates.
    """
    noise, data = 0.5, np.array([[-1.0], [0.5], [2.0]])
    model = random_gaussian(1, 3, seed=5)
    p = parameters(model)
    v = np.linspace(-7.0, 8.0, 601)[:, None]
    parts = stats.norm.pdf(v, data.T, noise) / 3.0
    q = parts.sum(axis=1)
    score_of_q = ((data.T - v) / noise**2 * parts).sum(axis=1) / q

    def explicit(p):
        return -0.025 * (q * 0.5 * (slope(p, v)[:, 0] - score_of_q) ** 2).sum()

    wanted = flat(differences(explicit, p))
    handle, rows = k.put(model), k.put_rows(np.repeat(data, 100, axis=0))
    found = []
    for step in range(300):
        phases, _ = k.score_matching(handle, rows, noise, Key(6, Stream.DENOISING, step))
        found.append(flat(k.get_tree(handle, phases.gradient)))
    z, allowed = largest_z(np.array(found), wanted)
    assert z < allowed
    assert np.abs(wanted).max() > 0.1


def test_the_denoising_gradient_is_that_of_explicit_score_matching():
    """The same by Gauss-Hermite quadrature over the noise, so without chance (Vincent 2011)."""
    noise, data = 0.5, np.array([[-1.0], [0.5], [2.0]])
    model = random_gaussian(1, 3, seed=5)
    e, weight = np.polynomial.hermite_e.hermegauss(80)
    mean = 0.0
    for row in data:
        for x, w in zip(e, weight / weight.sum(), strict=True):
            tree, _ = score.objective(model, row[None] + noise * x, np.full((1, 1), -x / noise))
            mean = mean + w / 3.0 * flat(tree)
    v = np.linspace(-9.0, 10.0, 1901)[:, None]
    parts = stats.norm.pdf(v, data.T, noise) / 3.0
    q = parts.sum(axis=1)
    score_of_q = ((data.T - v) / noise**2 * parts).sum(axis=1) / q

    def explicit(p):
        return -0.01 * (q * 0.5 * (slope(p, v)[:, 0] - score_of_q) ** 2).sum()

    np.testing.assert_allclose(mean, flat(differences(explicit, parameters(model))), rtol=0, atol=1e-8)


# --- sampling -----------------------------------------------------------------------------------


def one_sweep(k, beta, chains=20_000):
    """v and h of one sweep from a fixed state, and the law of h."""
    first = real_rows(1, 3, seed=3)
    handle = k.put(MODEL)
    v, h = k.gibbs(handle, k.put_rows(np.tile(first, (chains, 1))), 1, Key(17, Stream.CHAINS), beta)
    weights = -beta * energies(parameters(MODEL), first)[0]
    return k.get_rows(v), k.get_rows(h), np.exp(weights - weights.max())


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_h_of_a_sweep_follows_its_law(k, beta):
    _, h, law = one_sweep(k, beta)
    counts = np.bincount(numbers_of(h), minlength=8)
    assert g_test(counts, law / law.sum()) > FAMILY_ALPHA


def noise_z(k, beta=1.0):
    """What v is away from b + Wh, in standard deviations: mean 0, covariance 1, unrelated to h."""
    v, h, _ = one_sweep(k, beta)
    x = (v - MODEL.b - h @ MODEL.W.T) * np.sqrt(beta * MODEL.precision)
    i, j = np.triu_indices(3)
    with_h = (x[:, :, None] * (h - h.mean(axis=0))[:, None, :]).reshape(len(x), -1)
    found = np.hstack([x, x[:, i] * x[:, j], with_h])
    wanted = np.concatenate([np.zeros(3), i == j, np.zeros(9)])
    return largest_z(found, wanted), x


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_v_of_a_sweep_is_normal_about_its_mean(k, beta):
    (z, allowed), x = noise_z(k, beta)
    assert z < allowed
    assert stats.kstest(x.ravel(), "norm").pvalue > FAMILY_ALPHA


def stationary(k, sweeps=2, chains=40_000):
    """Means and products after sweeps from exact draws, their expectations, and h of those draws."""
    v = exact.draws(MODEL, chains, Key(21, Stream.EXACT))
    v, h = k.gibbs(k.put(MODEL), k.put_rows(v), sweeps, Key(22, Stream.CHAINS))
    v, h = k.get_rows(v).astype(float), k.get_rows(h).astype(float)
    m = exact.moments(MODEL)[1]
    products = (v[:, :, None] * h[:, None, :]).reshape(chains, -1)
    return np.hstack([v, v**2, products]), np.concatenate([m.v, m.vv, m.vh.ravel()]), h


@pytest.mark.parametrize("sweeps", [1, 4])
def test_the_stationary_law_stays(k, sweeps):
    found, wanted, h = stationary(k, sweeps)
    z, allowed = largest_z(found, wanted)
    assert z < allowed
    law = np.exp(exact.hidden_weights(MODEL, all_states(3)) - exact.log_z(MODEL))
    assert g_test(np.bincount(numbers_of(h), minlength=8), law) > FAMILY_ALPHA


def test_chains_start_from_the_visible_biases_with_noise(k):
    chains = start(k, MODEL, 20_000, KEY)
    x = (k.get_rows(chains.v) - MODEL.b) * np.sqrt(MODEL.precision)
    z, allowed = largest_z(np.hstack([x, x**2]), np.repeat([0.0, 1.0], 3))
    assert z < allowed
    wanted = ndtri(uniforms(KEY, 20_000, 3, START).astype(float))
    np.testing.assert_allclose(x, wanted, rtol=0, atol=1e-5)


# --- annealing ----------------------------------------------------------------------------------


def base_of(model):
    return BaseRates(np.stack([0.5 * model.b + 0.3, 0.7 * model.precision + 0.1]), "test")


def ais(k, model, seed=1, **settings):
    module, config = partition.find("ais", settings)
    return module.estimate(k, model, config, base_of(model), seed)


def ais_z(k):
    """The largest |log Z^ - log Z| over its standard error for five seeds of a long annealing."""
    truth = log_z(parameters(MODEL))
    found = [ais(k, MODEL, seed, betas=500, chains=300) for seed in range(5)]
    assert max(estimate.std_error for estimate in found) < 0.05
    return max(abs(estimate.log_z - truth) / estimate.std_error for estimate in found)


def test_ais_agrees_with_enumeration_when_annealed_well(k):
    """Five seeds within four standard errors: chance of a false alarm 3e-4."""
    assert ais_z(k) < 4.0


def test_the_mean_weight_is_unbiased(k):
    """E[Z^] = Z for any schedule: 40,000 weights of five temperatures."""
    model = random_gaussian(2, 2, seed=12, scale=0.6)
    weights = np.exp(ais(k, model, betas=5, chains=40_000).log_weights - log_z(parameters(model)))
    assert weights.std() < 3.0
    z = abs(weights.mean() - 1.0) / (weights.std(ddof=1) / 200.0)
    assert z < stats.norm.ppf(1.0 - FAMILY_ALPHA / 2)


def test_one_step_from_the_base_is_importance_sampling(k):
    base = base_of(MODEL).bias
    annealed = k.anneal(k.put(MODEL), base, np.array([0.0, 1.0]), 50, Key(3, Stream.ANNEALING))
    v = k.get_rows(annealed.v).astype(float)
    log_base = 3 * np.log(2.0) - 0.5 * ((v - base[0]) ** 2 * base[1]).sum(axis=1)
    wanted = log_f(parameters(MODEL), v) - log_base
    np.testing.assert_allclose(annealed.log_weights, wanted, rtol=0, atol=2e-5)
    z = (v - base[0]) * np.sqrt(base[1])
    np.testing.assert_allclose(z, ndtri(uniforms(Key(3, Stream.ANNEALING), 50, 3)), atol=1e-5)


def test_rows_are_annealed_back_to_the_base(k):
    """Reverse weights from exact draws: the mean of 1 / weight is Z_base / Z, 40,000 chains."""
    model = random_gaussian(2, 2, seed=12, scale=0.6)
    v = exact.draws(model, 40_000, Key(31, Stream.EXACT))
    base = base_of(model).bias
    rows = k.put_rows(v)
    annealed = k.anneal(k.put(model), base, np.linspace(1.0, 0.0, 6), rows, Key(5, Stream.ANNEALING))
    weights = np.exp(
        annealed.log_weights
        - partition.log_z_base(model, BaseRates(base, "test"))
        + log_z(parameters(model))
    )
    assert weights.std() < 3.0
    z = abs(weights.mean() - 1.0) / (weights.std(ddof=1) / 200.0)
    assert z < stats.norm.ppf(1.0 - FAMILY_ALPHA / 2)
    assert (k.get_rows(rows) == k.get_rows(k.put_rows(v))).all()


@pytest.mark.parametrize("start", ["exact", "parallel_tempering", "chain"])
@pytest.mark.parametrize("name", ["reverse_ais", "bridge"])
def test_walks_back_agree_with_enumeration(k, name, start):
    """Within four standard errors: chance of a false alarm 6e-5 each."""
    module, config = partition.find(
        name, {"start": start, "betas": 300, "chains": 200, "sweeps": 200, "temperatures": 5}
    )
    found = module.estimate(k, MODEL, config, base_of(MODEL), 3)
    assert found.std_error < 0.1
    assert abs(found.log_z - log_z(parameters(MODEL))) < 4.0 * found.std_error


def test_tempering_leaves_every_law_as_it_is(k):
    """From exact draws of each temperature's law, whose h and v are those of a Gaussian model too.

    The path's energy at beta is that of a model with precision (1 - beta) P + beta B, P the base's,
    and W, b and c to match: its exact moments must stay.
    """
    base, betas, ladders = base_of(MODEL).bias, np.array([0.0, 0.5, 1.0]), 8_000
    models = []
    for beta in betas:
        old, new = (1 - beta) * base[1], beta * MODEL.precision
        W = (new / (old + new))[:, None] * MODEL.W
        mean = (old * base[0] + new * MODEL.b) / (old + new)
        models.append(type(MODEL)(W, mean, beta * MODEL.c, old + new))
    keys = [Key(41, Stream.EXACT, step) for step in range(3)]
    v = np.stack([exact.draws(m, ladders, key) for m, key in zip(models, keys, strict=True)], axis=1)
    rows = k.put_rows(v.reshape(-1, 3))
    found = k.temper(k.put(MODEL), base, betas, rows, 3, Key(42, Stream.CHAINS))
    after = k.get_rows(found.v).astype(float).reshape(ladders, 3, 3)
    assert (found.accepted > ladders / 8).all()
    for t, model in enumerate(models):
        m = exact.moments(model)[1]
        x = after[:, t]
        i, j = np.triu_indices(3, 1)
        wanted = model.W @ hidden_covariance(model) @ model.W.T + np.outer(m.v, m.v)
        z, allowed = largest_z(
            np.hstack([x, x**2, x[:, i] * x[:, j]]), np.concatenate([m.v, m.vv, wanted[i, j]])
        )
        assert z < allowed


def hidden_covariance(model):
    h = all_states(model.n_hidden)
    p = np.exp(exact.hidden_weights(model, h) - exact.log_z(model))
    return (p[:, None] * h).T @ h - np.outer(p @ h, p @ h)


def test_log_z_of_the_base_is_that_of_a_model_without_weights(k):
    model = random_gaussian(4, 3)
    base = base_of(model).bias
    plain = random_gaussian(4, 3, scale=0.0)
    plain = type(plain)(plain.W, base[0], np.zeros(3), base[1])
    assert partition.log_z_base(model, base_of(model)) == pytest.approx(
        log_z(parameters(plain)), abs=1e-12
    )


def test_base_rates_are_the_columns_with_a_floor():
    rows = np.array([[0.0, 1.0, 7.0], [4.0, 3.0, 7.0]])
    mean, precision = base_rates(rows, "x", "gaussian_rbm").bias
    assert mean.tolist() == [2.0, 2.0, 7.0]
    np.testing.assert_allclose(1.0 / precision, [4.0, 1.0, 0.5 / 3.0])  # a tenth of (4 + 1 + 0) / 3
    assert base_rates(rows[:1], "x", "gaussian_rbm").bias[1].tolist() == [1.0] * 3


# --- the same bits ------------------------------------------------------------------------------

LARGER = random_gaussian(45, 37, seed=41, scale=0.3)
ROWS = real_rows(23, 45, seed=42)


@pytest.fixture
def all_threads(monkeypatch):
    """Small models would be left to one thread, and there would be nothing to compare."""
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)


def walk(k, rows=ROWS, key=KEY):
    v, h = k.gibbs(k.put(LARGER), k.put_rows(rows), 5, key, 0.9)
    return np.hstack([k.get_rows(v), k.get_rows(h)])


def annealed(k, chains=23, key=KEY):
    base = np.stack([LARGER.b, LARGER.precision])
    log_weights, v = k.anneal(k.put(LARGER), base, np.linspace(0.0, 1.0, 30), chains, key)
    return np.hstack([log_weights[:, None], k.get_rows(v)])


def tempered(k):
    base = np.stack([LARGER.b, LARGER.precision])
    rows = k.put_rows(np.tile(ROWS, (3, 1)))
    return k.get_rows(k.temper(k.put(LARGER), base, np.array([0.0, 0.5, 1.0]), rows, 5, KEY).v)


def restored(k):
    evidence = np.hstack([ROWS, np.tile([0.0, 0.7, np.inf], (23, 15))])
    return k.get_rows(k.posterior(k.put(LARGER), k.put_rows(ROWS), k.put_evidence(evidence), 5, 2, KEY))


def gradients(k):
    """Of all jobs, and a model after two updates."""
    handle, rows = k.put(random_gaussian(33, 7, seed=44)), k.put_rows(real_rows(17, 33))
    found = [
        k.moments(handle, rows, k.take(rows, np.arange(5))),
        k.exact_gradient(handle, rows)[0],
        k.score_matching(handle, rows)[0],
        k.score_matching(handle, rows, 0.3, KEY)[0],
    ]
    velocity = k.zeros(handle)
    for phases in found:
        k.update(handle, velocity, phases.gradient, 0.001, 0.5, 0.01)
    trees = [k.get_tree(handle, phases.gradient) for phases in found]
    return np.concatenate([flat(tree) for tree in (*trees, parameters(k.get(handle)))])


@needs_two_threads
@pytest.mark.parametrize("job", [walk, annealed, tempered, restored, gradients])
def test_threads_do_not_change_a_bit(computed, job, threads, all_threads):
    found = []
    for count in (1, 2):
        threads(count)
        found.append(job(computed))
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize("split", [(0, 1, 23), (0, 7, 8, 20, 23)], ids=str)
def test_a_split_batch_is_the_same_batch(k, split):
    allowed = 0.0 if k.name != "reference" else 1e-11
    parts = list(pairwise(split))
    later = [KEY._replace(chain=KEY.chain + a) for a, _ in parts]
    walks = [walk(k, ROWS[a:b], key) for (a, b), key in zip(parts, later, strict=True)]
    assert np.abs(np.vstack(walks) - walk(k)).max() <= allowed
    runs = [annealed(k, b - a, key) for (a, b), key in zip(parts, later, strict=True)]
    assert np.abs(np.vstack(runs) - annealed(k)).max() <= allowed


def test_the_noise_of_a_split_batch_is_the_same(k):
    """Denoising: 7 rows' gradient is the weighted mean of those of 3 and of 4 with later chains."""
    handle, v = k.put(MODEL), real_rows(7, 3)

    def gradient(rows, chain):
        phases, _ = k.score_matching(handle, k.put_rows(rows), 0.3, KEY._replace(chain=chain))
        return flat(k.get_tree(handle, phases.gradient))

    whole, first, last = gradient(v, 0), gradient(v[:3], 0), gradient(v[3:], 3)
    np.testing.assert_allclose((3 * first + 4 * last) / 7, whole, rtol=0, atol=1e-4)
    assert np.abs(first - whole).max() > 0.01


# --- what moments stand for, and bad input ------------------------------------------------------


def test_the_expected_statistics_vanish_in_the_exact_gradient(k):
    """Rows that are draws of the model leave the exact gradient within its sampling error."""
    v = exact.draws(MODEL, 5000, Key(51, Stream.EXACT))
    phases, _ = k.exact_gradient(k.put(MODEL), k.put_rows(v))
    found = flat(k.get_tree(k.put(MODEL), phases.gradient))
    error = statistics(parameters(MODEL), v).std(axis=0) / np.sqrt(5000)
    assert np.abs(found / error).max() < stats.norm.ppf(1.0 - FAMILY_ALPHA / (2 * found.size))


def test_what_cannot_be_is_said_in_one_line(k):
    handle, rows = k.put(MODEL), k.put_rows(real_rows(2, 3))
    assert "greater than 0" in complaint(k.gibbs, handle, rows, 1, KEY, 0.0)
    assert "at least one row" in complaint(k.score_matching, handle, k.take(rows, np.arange(0)))
    assert "noise must be" in complaint(k.score_matching, handle, rows, -1.0)
    assert "key" in complaint(k.score_matching, handle, rows, 0.5)
    betas = np.array([0.0, 1.0])
    good = np.ones((2, 3))
    assert "between 0 and 1" in complaint(k.anneal, handle, good, np.array([0.0, 1.5]), 2, KEY)
    for base in (np.zeros(3), np.zeros((2, 3)), np.full((2, 3), np.nan)):
        assert "3 means and as many precisions" in complaint(k.anneal, handle, base, betas, 2, KEY)
