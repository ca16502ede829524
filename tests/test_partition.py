"""Estimates of log Z against enumeration, their uncertainty, and their schedules."""

import numpy as np
import pytest
from conftest import (
    FAMILY_ALPHA,
    complaint,
    mean_log_likelihood,
    random_rbm,
    random_rows,
)
from scipy import stats

from ebmbench import partition
from ebmbench.evaluation.likelihood import base_rates, evaluate
from ebmbench.kernels.api import load
from ebmbench.models.enumerate import log_z_brute_force
from ebmbench.models.rbm import RBM, softplus
from ebmbench.partition import BaseRates, LogZ
from ebmbench.partition._weights import summarise
from ebmbench.randomness import Key, Stream

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = random_rbm(6, 5, seed=11, scale=1.5)
TINY = random_rbm(3, 2, seed=12)


def base_of(model, shift=0.3):
    """Base rates that are neither the model's biases nor zero."""
    return BaseRates(0.5 * model.b + shift, "test")


def ais(k, model, seed=1, **settings):
    module, config = partition.find("ais", settings)
    return module.estimate(k, model, config, base_of(model), seed)


def ais_z(k, arithmetic="float"):
    """The largest |log Z^ - log Z| over its standard error for five seeds of a long annealing."""
    truth = log_z_brute_force(MODEL)
    found = [ais(k, MODEL, seed, betas=500, chains=300, arithmetic=arithmetic) for seed in range(5)]
    assert max(estimate.std_error for estimate in found) < 0.05  # annealed well: a sharp test
    assert min(estimate.ess for estimate in found) > 200
    return max(abs(estimate.log_z - truth) / estimate.std_error for estimate in found)


def weights_z(k, chains=40_000):
    """|mean weight / Z - 1| over its standard error, for two schedules of few temperatures.

    E[Z^] = Z for any schedule and any number of chains: the identity that AIS rests on.
    """
    z = []
    for betas in (3, 5):
        weights = np.exp(ais(k, TINY, betas=betas, chains=chains).log_weights - log_z_brute_force(TINY))
        assert weights.std() < 3.0  # else a normal law of their mean could not be relied on
        z.append(abs(weights.mean() - 1.0) / (weights.std(ddof=1) / np.sqrt(chains)))
    return max(z)


@pytest.mark.parametrize("arithmetic", ["float", "grid"])
def test_ais_agrees_with_enumeration_when_annealed_well(k, arithmetic):
    """Five seeds within four standard errors: chance of a false alarm 3e-4."""
    assert ais_z(k, arithmetic) < 4.0


def test_the_standard_error_is_the_spread_over_seeds(k):
    """60 squared z-scores sum to a chi-squared variate: too small an error and too large one both show.

    With 500 chains the estimate of log Z is normal and its own bias a hundredth of its error.
    """
    truth = log_z_brute_force(MODEL)
    found = [ais(k, MODEL, seed, betas=30, chains=500) for seed in range(60)]
    total = sum(((estimate.log_z - truth) / estimate.std_error) ** 2 for estimate in found)
    lowest, highest = stats.chi2.ppf([FAMILY_ALPHA / 2, 1.0 - FAMILY_ALPHA / 2], len(found))
    assert lowest < total < highest


def test_the_mean_weight_is_unbiased(k):
    """Twice a two-sided 1e-3 / 2."""
    assert weights_z(k) < stats.norm.ppf(1.0 - FAMILY_ALPHA / 4)


@pytest.mark.parametrize("start", ["biased", "at the model's biases"])
def test_ais_is_a_lower_bound_when_annealed_badly(k, start):
    """Mean over 40 models <= exact + 3 s.e.; the gaps are large, so the bound is not an equality."""
    gaps = []
    for seed in range(40):
        model = random_rbm(6, 5, seed=100 + seed, scale=3.0)
        base = base_of(model) if start == "biased" else BaseRates(model.b, "biases")
        module, config = partition.find("ais", {"betas": 4, "chains": 20})
        found = module.estimate(k, model, config, base, seed)
        gaps.append(found.log_z - log_z_brute_force(model))
    error = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    assert np.mean(gaps) <= 3.0 * error
    assert np.mean(gaps) < -0.1


def test_one_step_from_the_base_is_importance_sampling(k):
    """Two temperatures: the weight is f_1(v) / f_0(v) of the first states, by the definition."""
    base = base_of(TINY).bias
    annealed = k.anneal(k.put(TINY), base, np.array([0.0, 1.0]), 50, Key(3, Stream.ANNEALING))
    v = k.get_rows(annealed.v).astype(float)
    x = TINY.c + v @ TINY.W
    wanted = v @ (TINY.b - base) + (softplus(x) - np.log(2.0)).sum(axis=1)
    np.testing.assert_allclose(annealed.log_weights, wanted, rtol=0, atol=1e-5)
    assert v.std(axis=0).min() > 0


def test_temperatures_that_fall_are_weighed_too(computed):
    """Small steps and large ones, as for annealing back from the model; compared with float64."""
    for betas in ([1.0, 0.5, 0.0], [1.0, 0.0], [0.0, 1.0, 0.2, 0.9]):
        found, wanted = (
            k.anneal(k.put(MODEL), MODEL.b, np.array(betas), 20, Key(4, Stream.ANNEALING)).log_weights
            for k in (computed, load("reference"))
        )
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)  # as the gate's


def test_a_run_in_segments_is_the_run_as_a_whole(k):
    """A segment repeats its last temperature, so that the state gets its sweep before the next one.

    In grid arithmetic, where it plays no part that a segment's first sums start anew.
    """
    betas, key, rows = np.linspace(0.0, 1.0, 10), Key(6, Stream.ANNEALING), 20
    whole = k.anneal(k.put(MODEL, "grid"), MODEL.b, betas, rows, key)
    parts, state = [], rows
    for first, last in ((0, 4), (4, 7)):
        segment = np.append(betas[first : last + 1], betas[last])
        weights, state = k.anneal(k.put(MODEL, "grid"), MODEL.b, segment, state, key.advance(first))
        parts.append(weights)
    weights, state = k.anneal(k.put(MODEL, "grid"), MODEL.b, betas[7:], state, key.advance(7))
    np.testing.assert_allclose(sum(parts) + weights, whole.log_weights, rtol=0, atol=1e-12)
    assert (k.get_rows(state) == k.get_rows(whole.v)).all()


def test_given_rows_are_what_is_weighed_and_stay_as_they_are(k):
    """From the model down in one step: log f_0(v) - log f_1(v) of the rows; longer runs walk on."""
    rows, base = random_rows(30, 3), base_of(TINY).bias
    start, key = k.put_rows(rows), Key(7, Stream.ANNEALING)
    found = k.anneal(k.put(TINY), base, np.array([1.0, 0.0]), start, key)
    x = TINY.c + rows @ TINY.W
    wanted = rows @ (base - TINY.b) + (np.log(2.0) - softplus(x)).sum(axis=1)
    np.testing.assert_allclose(found.log_weights, wanted, rtol=0, atol=1e-5)
    assert (k.get_rows(found.v) == rows).all()
    moved = k.anneal(k.put(TINY), base, np.linspace(1.0, 0.0, 9), start, key).v
    assert (k.get_rows(moved) != rows).any()
    assert (k.get_rows(start) == rows).all()


def test_what_annealing_cannot_start_from_is_named(k):
    betas, key = np.array([0.0, 1.0]), Key(7, Stream.ANNEALING)
    for rows, words in ((random_rows(3, 5), "[rows, 3]"), (np.full((2, 3), 0.5), "0 and 1 only")):
        assert words in complaint(k.anneal, k.put(TINY), TINY.b, betas, k.put_rows(rows), key)


def test_weights_are_summed_in_float64(k):
    """Without W, and with base = b, every weight is sum_j softplus(c_j) - log 2, whatever is drawn.

    The terms come from float32 sigmoids, each within 6 * 2**-24: over the path sum_j |c_j| times that
    at most. A float32 sum of 14,500 terms up to 300 would miss by 1e-3 or more.
    """
    c = np.linspace(-2.0, 3.0, 500).astype(np.float32).astype(float)
    model = RBM(np.zeros((4, 500)), np.linspace(-1.0, 1.0, 4), c)
    betas = partition.find("ais", {"betas": "paper"})[1].schedule.betas
    annealed = k.anneal(k.put(model), k.get(k.put(model)).b, betas, 2, Key(1, Stream.ANNEALING))
    wanted = (softplus(c) - np.log(2.0)).sum()
    assert annealed.log_weights.dtype == np.float64
    assert wanted > 100.0
    assert np.abs(annealed.log_weights - wanted).max() < np.abs(c).sum() * 6 * 2.0**-24


def test_the_last_chains_follow_the_path(k):
    """As many sweeps as inner temperatures: the last v depends on every one of them."""
    betas = np.linspace(0.0, 1.0, 6)
    key = Key(5, Stream.ANNEALING)
    v = k.get_rows(k.anneal(k.put(MODEL), MODEL.b, betas, 2000, key).v)
    reference = load("reference")
    other = reference.get_rows(reference.anneal(reference.put(MODEL), MODEL.b, betas, 2000, key).v)
    # 2,000 chains, 5 * 11 uniforms each: with float32 probabilities off by 2e-6, 0.4 differ on average.
    assert (v != other).any(axis=1).sum() <= 5


def test_exact_is_the_enumeration(k):
    module, config = partition.find("exact", {})
    found = module.estimate(k, MODEL, config, base_of(MODEL), 1)
    assert found.log_z == pytest.approx(log_z_brute_force(MODEL), rel=1e-9)
    assert (found.std_error, found.ess, found.schedule) == (0.0, None, None)


@pytest.mark.parametrize("name", partition.known())
def test_every_method_gives_the_same_answer(k, name):
    module, config = partition.find(name, {})
    found = module.estimate(k, TINY, config, base_of(TINY), 1)
    assert isinstance(found, LogZ)
    assert found.method == name
    assert abs(found.log_z - log_z_brute_force(TINY)) <= 4.0 * found.std_error + 1e-9


def test_an_estimate_names_what_it_stands_on(k):
    found = ais(k, TINY, betas=7, chains=3)
    assert (found.method, found.schedule, found.base) == ("ais", "linear (7 on [0, 1])", "test")
    assert found.log_weights.shape == (3,)
    again, other = ais(k, TINY, betas=7, chains=3), ais(k, TINY, seed=2, betas=7, chains=3)
    assert (again.log_weights == found.log_weights).all()
    assert (other.log_weights != found.log_weights).any()


# --- the summary of weights ---------------------------------------------------------------------


def test_summary_by_hand():
    mean, std_error, ess = summarise(np.log([1.0, 2.0, 3.0, 6.0]))
    assert mean == pytest.approx(np.log(3.0))
    # Variance of 1, 2, 3, 6 about 3: (4 + 1 + 0 + 9) / 3; over the mean, over the root of four.
    assert std_error == pytest.approx(np.sqrt(14.0 / 3.0) / 3.0 / 2.0)
    assert ess == pytest.approx(12.0**2 / (1.0 + 4.0 + 9.0 + 36.0))


@pytest.mark.parametrize("shift", [-1e5, 451.2, 1e5])
def test_summary_does_not_depend_on_the_scale(shift):
    weights = np.log([1.0, 2.0, 3.0, 6.0])
    mean, std_error, ess = summarise(weights + shift)
    assert mean - shift == pytest.approx(np.log(3.0), abs=1e-9)
    assert std_error == pytest.approx(summarise(weights)[1], rel=1e-9)
    assert ess == pytest.approx(summarise(weights)[2], rel=1e-9)


def test_summary_of_equal_and_of_one_dominant_weight():
    mean, std_error, ess = summarise(np.full(10, 3.25))
    assert (mean, std_error, ess) == pytest.approx((3.25, 0.0, 10.0), abs=1e-12)
    mean, std_error, ess = summarise(np.array([0.0, 200.0, -50.0]))
    assert (mean, std_error, ess) == pytest.approx((200.0 - np.log(3.0), 1.0, 1.0))


# --- schedules and bad input --------------------------------------------------------------------


def test_paper_schedule():
    betas = partition.find("ais", {"betas": "paper"})[1].schedule.betas
    assert betas.dtype == np.float64
    assert len(betas) == 14_500
    assert (betas[0], betas[-1]) == (0.0, 1.0)
    assert (np.diff(betas) >= 0.0).all()
    assert [np.sum(betas < 0.5), np.sum(betas < 0.9)] == [499, 500 + 3_999]


@pytest.mark.parametrize("count", [2, 5, 1000])
def test_linear_schedule(count):
    betas = partition.find("ais", {"betas": count})[1].schedule.betas
    np.testing.assert_allclose(betas, np.arange(count) / (count - 1), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("ais", {"betas": 1}, "number of temperatures"),
        ("ais", {"betas": 10**9}, "number of temperatures"),
        ("ais", {"betas": "papers"}, "'paper'"),
        ("ais", {"betas": 2.5}, "betas"),
        ("ais", {"chains": 1}, "at least 2 chains"),
        ("ais", {"chain": 5}, "did you mean 'chains'?"),
        ("exact", {"betas": 5}, "betas"),
        ("ais", {"betas": "adaptive", "error": 0.0}, "wanted error"),
        ("ais", {"betas": "adaptive", "error": float("nan")}, "wanted error"),
        ("ais", {"betas": "adaptive", "most_betas": 1}, "most temperatures"),
        ("ais", {"start": "exact"}, "start"),
        ("reverse_ais", {"betas": 1}, "number of temperatures"),
        ("reverse_ais", {"chains": 1}, "at least 2 chains"),
        ("reverse_ais", {"start": "chains"}, "did you mean 'chain'?"),
        ("reverse_ais", {"sweeps": 0}, "sweeps"),
        ("reverse_ais", {"temperatures": 1}, "2 temperatures"),
        ("bridge", {"chains": 3}, "at least 4 chains"),
        ("bridges", {}, "did you mean 'bridge'?"),
    ],
)
def test_what_is_not_known_is_named(method, settings, words):
    assert words in complaint(partition.find, method, settings)


def test_what_does_not_fit_is_named(k):
    module, config = partition.find("ais", {})
    wrong = BaseRates(np.zeros(4), "test")
    assert "6 finite biases" in complaint(module.estimate, k, MODEL, config, wrong, 1)
    assert "float, grid" in complaint(ais, k, TINY, arithmetic="double")


# --- the mean log-likelihood that log Z is for --------------------------------------------------


def test_mean_log_likelihood_is_that_of_the_definition(k):
    rows = random_rows(30, 6)
    base = base_rates(rows, "train")
    found = evaluate(k, MODEL, rows, "exact", {}, base, 1)
    # Float32 pre-activations in the free energy: eleven sums of size 10 * 2**-24.
    wanted = mean_log_likelihood(MODEL.W, MODEL.b, MODEL.c, rows)
    assert found.mean == pytest.approx(wanted, abs=1e-5)
    assert found.n_rows == 30
    assert "5 columns" in complaint(evaluate, k, MODEL, rows[:, :5], "exact", {}, base, 1)


def test_base_rates_are_smoothed():
    rows = np.array([[0, 1, 1], [0, 1, 0]], np.uint8)
    p = 1.0 / (1.0 + np.exp(-base_rates(rows, "x").bias))
    np.testing.assert_allclose(p, [5 / 12, 7 / 12, 6 / 12], rtol=1e-12)
