"""Parzen windows, nearest rows and MMD against their definitions; and what they say of generators."""

from itertools import combinations

import numpy as np
import pytest
from conftest import FAMILY_ALPHA, complaint
from scipy import stats
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from ebmbench.evaluation import adversarial, distances
from ebmbench.evaluation.adversarial import evaluate_gan, generate, measure
from ebmbench.evaluation.distances import nearest, squared_distances
from ebmbench.evaluation.mmd import SCALES, mmd
from ebmbench.evaluation.parzen import SIGMAS, log_densities, parzen, split
from ebmbench.models.gan import GAN, latent
from ebmbench.models.mlp import MLP
from ebmbench.randomness import Key, Stream
from ebmbench.training.initial import initial_gan, initial_network

SIZES = [(1, 1, 1), (7, 33, 5), (65, 31, 2), (33, 65, 17)]  # rows, others, columns


def tables(rows, others, columns, seed=0):
    rng = np.random.default_rng([seed, rows, others, columns])
    return rng.normal(size=(rows, columns)), rng.normal(size=(others, columns))


# --- distances ----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 200, 2**22])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_squared_distances_are_the_definition(size, block, monkeypatch):
    """In blocks of any size; |x|² here stays below 60, so float32 is off by less than 6e-5."""
    monkeypatch.setattr(distances, "_BLOCK", block)
    x, y = tables(*size)
    found = np.full((size[0], size[1]), np.nan)
    for part, squared in squared_distances(x, y):
        assert squared.size <= max(block, len(y))
        found[part] = squared
    np.testing.assert_allclose(found, cdist(x, y) ** 2, rtol=0, atol=6e-5)


def test_an_offset_of_the_data_plays_no_part():
    """It would cost all digits: the square of 1e4 is 1e8, whose float32 has steps of 8."""
    x, y = tables(7, 33, 5)
    found = np.concatenate([squared for _, squared in squared_distances(x + 1e4, y + 1e4)])
    np.testing.assert_allclose(found, cdist(x, y) ** 2, rtol=0, atol=6e-5)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nearest_is_the_least_distance(size):
    x, y = tables(*size)
    np.testing.assert_allclose(nearest(x, y), cdist(x, y).min(axis=1), rtol=1e-6)
    assert (nearest(y[-2:], y) == 0.0).all()  # a copy, and no rounding in it


def test_rows_that_cannot_be_compared_are_named():
    x, y = tables(3, 4, 5)
    assert "cannot be compared" in complaint(nearest, x, y[:, :4])
    assert "no rows" in complaint(nearest, x[:0], y)
    for tables_ in ((x, 1e25 * y), (1e25 * x, y)):
        assert "too large" in complaint(nearest, *tables_)


# --- Parzen windows -----------------------------------------------------------------------------


def definition(samples, rows, sigma):
    """log of the mean of Gaussian kernels, float64."""
    exponents = -0.5 * (cdist(rows, samples) / sigma) ** 2
    constant = rows.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))
    return logsumexp(exponents, axis=1) - np.log(len(samples)) - constant


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_log_densities_are_the_definition(size):
    """Squared distances off by 6e-5 (see above) are off by that over 2 sigma² in nats."""
    rows, samples = tables(*size)
    sigmas = np.array([0.05, 0.3, 1.0, 20.0])
    for found, sigma in zip(log_densities(samples, rows, sigmas), sigmas, strict=True):
        allowed = 6e-5 / (2 * sigma**2) + 1e-5
        np.testing.assert_allclose(found, definition(samples, rows, sigma), rtol=0, atol=allowed)


def test_rows_far_from_every_sample_have_a_density_too():
    """Each term is e**-5,000,000."""
    found = log_densities(np.zeros((3, 1)), np.array([[1e3], [0.0]]), np.array([0.316227766]))
    wanted = [-5e6 - np.log(0.316227766 * np.sqrt(2 * np.pi))]
    np.testing.assert_allclose(found[0][0], wanted[0], rtol=1e-7)
    assert np.isfinite(found).all()


def test_the_score_is_that_of_validations_sigma():
    samples, validation = tables(40, 21, 2)
    rows = tables(40, 31, 2, seed=1)[1]
    scores = [definition(samples, validation, sigma).mean() for sigma in SIGMAS]
    found = parzen(samples, validation, rows)
    assert found.sigma == SIGMAS[np.argmax(scores)]
    wanted = definition(samples, rows, found.sigma)
    assert found.mean == pytest.approx(wanted.mean(), abs=1e-3)
    assert found.std_error == pytest.approx(wanted.std(ddof=1) / np.sqrt(31), rel=1e-3)
    assert (found.n_samples, found.n_rows) == (40, 31)
    assert 0 < np.argmax(scores) < len(SIGMAS) - 1  # not an end of the grid


def test_with_many_samples_of_one_dimension_it_is_the_log_likelihood():
    """Of a standard normal: mean -1.419 nats and standard deviation 0.707.

    4,000 samples and the best sigma, about 0.2, blur it: convolution alone costs sigma⁴ / 4 = 4e-4 nats
    and the samples' noise 1 / (2 n sigma sqrt(pi)) x the length of the range, below 0.01.
    """
    rng = np.random.default_rng(3)
    samples, validation, rows = (rng.normal(size=(n, 1)) for n in (4000, 1000, 4000))
    found = parzen(samples, validation, rows)
    truth = stats.norm.logpdf(rows[:, 0])
    assert found.mean == pytest.approx(truth.mean(), abs=0.01)
    assert found.mean < truth.mean()
    assert found.std_error == pytest.approx(np.sqrt(0.5 / 4000), rel=0.1)
    assert 0.1 < found.sigma < 0.4


def test_rows_that_choose_sigma_are_not_scored():
    rows = np.arange(31)[:, None]
    validation, scored = split(rows)
    assert validation[:, 0].tolist() == [0, 10, 20, 30]
    assert sorted([*validation[:, 0], *scored[:, 0]]) == list(range(31))
    assert len(split(np.zeros((20_000, 1)))[0]) == 1000
    assert "at least 2 rows" in complaint(split, rows[:1])


# --- maximum mean discrepancy -------------------------------------------------------------------


def mmd_by_loops(x, y):
    """Gretton et al. 2012, eq. 3, with the kernel that `mmd` names."""
    pooled = np.vstack([x, y])
    median = np.median([np.linalg.norm(a - b) for a, b in combinations(pooled, 2)])

    def k(a, b):
        squared = ((a - b) ** 2).sum()
        return np.mean([np.exp(-squared / (2 * (scale * median) ** 2)) for scale in SCALES])

    m, n = len(x), len(y)
    within = [
        sum(k(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j)
        / (len(z) * (len(z) - 1))
        for z in (x, y)
    ]
    return sum(within) - 2 * sum(k(a, b) for a in x for b in y) / (m * n), median


@pytest.mark.parametrize("size", [(2, 2, 1), (7, 2, 3), (3, 13, 5)], ids=str)
def test_mmd_is_the_definition(size):
    x, y = tables(*size)
    found = mmd(x, y, 3)
    value, median = mmd_by_loops(x, y)
    assert found.squared == pytest.approx(value, abs=1e-5)
    assert found.bandwidth == pytest.approx(median, rel=1e-5)
    assert (found.n_first, found.n_second, found.permutations) == (*size[:2], 3)


def test_the_p_value_is_that_of_all_relabellings():
    """Of all 35 by the definition; 2,000 random ones have a standard error below 0.0112."""
    x, y = tables(3, 4, 2, seed=4)
    pooled = np.vstack([x, y])
    values = []
    for first in combinations(range(7), 3):
        chosen = np.isin(np.arange(7), first)
        values.append(mmd_by_loops(pooled[chosen], pooled[~chosen])[0])
    wanted = (np.array(values) >= values[0] - 1e-9).mean()  # the first relabelling is none
    assert 0.1 < wanted < 0.9
    assert mmd(x, y, 2000).p_value == pytest.approx(wanted, abs=4 * 0.0112)


def test_of_one_law_the_p_value_is_uniform_and_the_value_zero_on_average():
    """300 pairs of 12 and 15 rows; false alarm rate 0.001 for each of the two."""
    rng = np.random.default_rng(11)
    found = [mmd(rng.normal(size=(12, 3)), rng.normal(size=(15, 3)), 99, seed) for seed in range(300)]
    p = np.array([one.p_value for one in found])
    np.testing.assert_allclose(p * 100, np.rint(p * 100), rtol=0, atol=1e-9)
    # Within its step of 0.01 a p-value is spread evenly, so that the sum is continuous.
    assert stats.kstest(p - 0.01 * rng.random(300), "uniform").pvalue > FAMILY_ALPHA
    values = np.array([one.squared for one in found])
    z = values.mean() / (values.std(ddof=1) / np.sqrt(300))
    assert abs(z) < stats.norm.isf(FAMILY_ALPHA / 2)
    assert values.min() < 0.0


@pytest.mark.parametrize("other", [lambda x: x + 0.7, lambda x: 2.0 * x, lambda x: np.abs(x)])
def test_of_two_laws_it_is_small(other):
    """A mean, a scale, and a shape that is another."""
    rng = np.random.default_rng(12)
    x, y = rng.normal(size=(2, 150, 2))
    found = mmd(x, other(y), 199)
    assert found.p_value == 1 / 200
    assert found.squared > 0.0


def test_mmd_of_rows_that_are_alike():
    found = mmd(np.ones((3, 2)), np.ones((4, 2)), 9)
    assert (found.squared, found.p_value) == (pytest.approx(0.0, abs=1e-12), 1.0)
    assert "at least 2 rows" in complaint(mmd, np.ones((1, 2)), np.ones((4, 2)))
    assert "permutations" in complaint(mmd, np.ones((3, 2)), np.ones((4, 2)), 0)


# --- a generator --------------------------------------------------------------------------------


def of_generator(weights, biases, activation="linear"):
    """A GAN whose generator is one layer."""
    G = MLP((np.asarray(weights, float),), (np.asarray(biases, float),), (activation,))
    return GAN(G, initial_network((G.sizes[-1], 1), ("linear",), 0))


def test_samples_are_the_generators_and_no_training_noise(k):
    identity = of_generator(np.eye(3), np.zeros(3))
    whole = generate(k, identity, 1500, 5)  # more than one launch
    assert (whole == latent(Key(5, Stream.SAMPLES), 1500, 3)).all()
    assert (generate(k, identity, 3, 5) == whole[:3]).all()
    assert (generate(k, identity, 700, 5, first=790) == whole[790:1490]).all()
    assert (generate(k, identity, 3, 6) != whole[:3]).any()
    assert not np.isin(whole, latent(Key(5, Stream.LATENT), 1500, 3)).all(axis=1).any()
    assert "samples" in complaint(generate, k, identity, 0, 5)


@pytest.fixture(scope="module")
def square():
    """Rows that are uniform on a square, and what they score."""
    rows = np.random.default_rng(0).uniform(-1.0, 1.0, (3000, 2)).astype(np.float32)
    train, test = rows[:2000], rows[2000:]
    return train, test, measure(train, test, 1000)


def test_a_perfect_generator_scores_as_the_data_do(k, square):
    """The mean log density of a uniform square of side 2 is -1.386; a window cannot reach its edges."""
    train, test, yardsticks = square
    found = evaluate_gan(k, of_generator(np.eye(2), np.zeros(2)), train, test, 1000, 0, yardsticks)
    assert found.yardsticks is yardsticks
    error = np.hypot(found.parzen.std_error, yardsticks.train.std_error)
    assert abs(found.parzen.mean - yardsticks.train.mean) < 4 * error
    assert -1.7 < found.parzen.mean < -1.386
    assert (found.parzen.n_samples, found.parzen.n_rows) == (1000, 900)
    assert stats.ks_2samp(found.nearest, yardsticks.nearest).pvalue > FAMILY_ALPHA
    assert min(found.mmd.p_value, yardsticks.mmd.p_value) > FAMILY_ALPHA
    assert all(np.isfinite(x) for x in found.facts.values())


def test_a_generator_that_copies_a_row_is_found_out(k, square):
    train, test, yardsticks = square
    copy = of_generator(np.zeros((3, 2)), train[17].astype(float))
    found = evaluate_gan(k, copy, train, test, 1000, 0, yardsticks)
    assert (found.nearest == 0.0).all()
    assert yardsticks.nearest.min() > 0.0
    assert found.mmd.p_value == 1 / (found.mmd.permutations + 1)
    assert found.parzen.mean < yardsticks.train.mean - 0.3
    assert found.facts["nearest_median"] == 0.0


def test_yardsticks_are_measured_where_none_are_given(k, square, monkeypatch):
    train, test, yardsticks = square
    monkeypatch.setattr(adversarial, "CENTRES", 500)
    found = evaluate_gan(k, of_generator(np.eye(2), np.zeros(2)), train, test, 1000)
    assert found.yardsticks.train == yardsticks.train
    assert found.yardsticks.centres == yardsticks.centres
    assert (found.yardsticks.nearest == yardsticks.nearest).all()


def test_rows_of_other_data_are_named(k, square):
    train, test, yardsticks = square
    gan = initial_gan(3, 2, (4,), (4,))
    assert "3 visible units" in complaint(evaluate_gan, k, gan, train, test, 10, 0, yardsticks)
    assert "seed" in complaint(evaluate_gan, k, initial_gan(2, 2), train, test, 10, -1, yardsticks)
