"""log Z from both sides: reverse AIS, the bridge, schedules that adapt, and what they say together."""

import numpy as np
import pytest
from conftest import FAMILY_ALPHA, complaint, random_rbm, random_rows
from deep import random_dbm
from scipy import stats
from scipy.special import expit

from ebmbench import partition
from ebmbench.evaluation.likelihood import Likelihood, evaluate
from ebmbench.evaluation.sandwich import RESOLVED, Sandwich, default_methods, sandwich
from ebmbench.harness import measures
from ebmbench.models.enumerate import log_z_brute_force
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.rbm import RBM
from ebmbench.models.storage import load_fixture
from ebmbench.partition import BaseRates, LogZ, _adaptive, _start, _works, bridge, log_z_base, reverse_ais
from ebmbench.partition._weights import summarise
from ebmbench.partition.ais import Config

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = random_rbm(6, 5, seed=11, scale=1.5)
TINY = random_rbm(3, 2, seed=12)


def base_of(model, shift=0.3):
    """Base rates that are neither the model's biases nor zero."""
    return BaseRates(0.5 * model.b + shift, "test")


def estimate(k, name, model, seed=1, **settings):
    module, config = partition.find(name, settings)
    return module.estimate(k, model, config, base_of(model), seed)


def test_each_rows_log_likelihood_and_the_error_of_their_mean(k):
    rows = random_rows(9, TINY.n_visible)
    found = evaluate(k, TINY, rows, "exact")
    v = rows @ TINY.W + TINY.c
    log_p = rows @ TINY.b + np.log1p(np.exp(v)).sum(axis=1) - log_z_brute_force(TINY)
    np.testing.assert_allclose(found.values, log_p, atol=1e-5)
    assert abs(found.mean - log_p.mean()) < 1e-5
    assert abs(found.rows_std_error - np.std(log_p, ddof=1) / 3) < 1e-5
    one = evaluate(k, TINY, rows[:1], "exact")
    assert (one.n_rows, one.rows_std_error) == (1, None)


# --- 80 models annealed badly -------------------------------------------------------------------

MODELS, BLOCKS, CHAINS, TEMPERATURES = 80, 1000, 4, 4
BRIDGES = 50  # blocks whose bridge is solved: the root of its mean square is known to a tenth


def badly_annealed(k, seed):
    """Errors of AIS and reverse AIS [2, blocks], and of all three methods [3, BRIDGES], on one model.

    8 x 6 units with weights of standard deviation 3, 4 temperatures, a uniform base, 4 chains a block and
    exact draws to start back from.
    """
    model = random_rbm(8, 6, seed=100 + seed, scale=3.0)
    truth, base = log_z_brute_force(model), BaseRates(np.zeros(8), "uniform")
    config = bridge.Config(betas=TEMPERATURES, chains=BLOCKS * CHAINS, start="exact")
    there = _works.forward(k, model, config, base, seed, config.chains).log_weights
    back = _works.reverse(k, model, config, base, seed, config.chains).log_weights
    there, back = there.reshape(BLOCKS, CHAINS), back.reshape(BLOCKS, CHAINS)
    errors = np.stack([_log_mean(there), -_log_mean(-back)]) - truth
    half = CHAINS // 2
    bridges = [
        bridge.acceptance_ratio(f[:half], r[:half])[0] - truth
        for f, r in zip(there[:BRIDGES], back[:BRIDGES], strict=True)
    ]
    return errors, np.vstack([errors[:, :BRIDGES], bridges])


def _log_mean(log_weights):
    return np.logaddexp.reduce(log_weights, axis=1) - np.log(log_weights.shape[1])


def test_the_sandwich_on_80_models(k):
    """On each model mean AIS <= exact + 3 s.e. and mean reverse AIS >= exact - 3 s.e., over 1,000 blocks.

    The gaps stand above 10 standard errors on every model, so the bounds are no equalities. Of the three,
    the bridge has the least root mean square error, over 50 blocks, on at least 80 % of the models.
    """
    bridge_is_best = []
    for seed in range(MODELS):
        errors, three = badly_annealed(k, seed)
        below, above = errors.mean(axis=1) / (errors.std(axis=1, ddof=1) / np.sqrt(BLOCKS))
        assert below <= 3.0
        assert above >= -3.0
        assert min(-below, above) > 10.0
        bridge_is_best.append(np.argmin((three**2).mean(axis=1)) == 2)
    assert np.mean(bridge_is_best) >= 0.8


# --- annealed well ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reverse_ais", "bridge"])
@pytest.mark.parametrize("arithmetic", ["float", "grid"])
def test_it_agrees_with_enumeration_when_annealed_well(k, name, arithmetic):
    """Five seeds within four standard errors: chance of a false alarm 3e-4."""
    truth = log_z_brute_force(MODEL)
    settings = {"betas": 500, "chains": 300, "arithmetic": arithmetic}
    found = [estimate(k, name, MODEL, seed, **settings) for seed in range(5)]
    assert max(one.std_error for one in found) < 0.05  # a sharp test
    assert max(abs(one.log_z - truth) / one.std_error for one in found) < 4.0


@pytest.mark.parametrize("name", ["reverse_ais", "bridge"])
def test_the_standard_error_is_the_spread_over_seeds(k, name):
    """60 squared z-scores sum to a chi-squared variate: too small an error and too large one show."""
    truth = log_z_brute_force(MODEL)
    found = [estimate(k, name, MODEL, seed, betas=30, chains=500) for seed in range(60)]
    total = sum(((one.log_z - truth) / one.std_error) ** 2 for one in found)
    lowest, highest = stats.chi2.ppf([FAMILY_ALPHA / 2, 1.0 - FAMILY_ALPHA / 2], len(found))
    assert lowest < total < highest


def test_the_mean_inverse_weight_is_unbiased(k):
    """E[1 / weight] = 1 / Z for any schedule, from exact draws: the identity reverse AIS rests on.

    Twice a two-sided 1e-3 / 2.
    """
    chains = 40_000
    for betas in (3, 5):
        found = estimate(k, "reverse_ais", TINY, betas=betas, chains=chains)
        inverse = np.exp(log_z_brute_force(TINY) - found.log_weights)
        assert inverse.std() < 3.0  # else a normal law of their mean could not be relied on
        z = abs(inverse.mean() - 1.0) / (inverse.std(ddof=1) / np.sqrt(chains))
        assert z < stats.norm.ppf(1.0 - FAMILY_ALPHA / 4)


@pytest.mark.parametrize("start", ["exact", "parallel_tempering", "chain"])
def test_every_start_agrees_where_chains_mix(k, start):
    """400 chains, 4 standard errors: chance of a false alarm 6e-5 each."""
    found = estimate(k, "reverse_ais", TINY, betas=30, chains=400, start=start, sweeps=50, temperatures=4)
    assert abs(found.log_z - log_z_brute_force(TINY)) < 4.0 * found.std_error < 0.1


def test_an_estimate_says_where_it_started(k):
    settings = {"betas": 4, "chains": 6, "sweeps": 30, "temperatures": 3}
    starts = {
        start: estimate(k, "bridge", TINY, start=start, **settings).start for start in _start.STARTS
    }
    assert starts["exact"] == starts["auto"] == "exact draws"
    assert starts["parallel_tempering"].startswith(
        "parallel tempering (3 temperatures, 30 sweeps, swap rates from 0."
    )
    assert starts["chain"] == "Gibbs chains (30 sweeps from the base rates)"
    assert estimate(k, "ais", TINY, betas=4, chains=6).start is None


def test_a_start_that_misses_a_mode_is_seen_below(k):
    """Two modes of one weight; chains that begin at the base rates of one reach only that one.

    Reverse AIS then sees half of Z: it stands log 2 too low, and no standard error tells.
    """
    model = RBM(np.full((12, 1), 6.0), np.full(12, -3.0), np.array([-36.0]))
    base = BaseRates(np.full(12, 3.0), "one mode")
    config = reverse_ais.Config(betas=2000, chains=200, start="chain", sweeps=20)
    found = reverse_ais.estimate(k, model, config, base, 1)
    exact = reverse_ais.estimate(k, model, reverse_ais.Config(betas=2000, chains=200), base, 1)
    assert found.log_z == pytest.approx(log_z_brute_force(model) - np.log(2.0), abs=0.1)
    assert exact.log_z > log_z_brute_force(model) - 0.1


def test_auto_is_exact_only_where_a_layer_can_be_enumerated():
    config = reverse_ais.Config()
    small, large = (RBM(np.zeros((n, 40)), np.zeros(n), np.zeros(40)) for n in (20, 30))
    assert [config.start_of(m) for m in (small, large)] == ["exact", "parallel_tempering"]
    assert reverse_ais.Config(start="chain").start_of(small) == "chain"
    assert default_methods(small) == ["ais", "bridge", "reverse_ais", "exact"]
    assert default_methods(large) == ["ais", "bridge", "reverse_ais"]


def test_exact_draws_of_a_large_model_are_refused(k):
    model = RBM(np.zeros((30, 40)), np.zeros(30), np.zeros(40))
    config = reverse_ais.Config(betas=2, start="exact")
    assert "2**30" in complaint(reverse_ais.estimate, k, model, config, base_of(model), 1)


# --- the acceptance ratio -----------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(4000, 4000), (6000, 500), (500, 6000)])
def test_acceptance_ratio_of_gaussian_works(k, n, m):
    """Normal works that obey P_reverse / P_forward = e**(w - L): means L -+ s**2 / 2.

    As many walks each way or not; 20 draws within the chi-squared bounds of 1e-3.
    """
    rng, log_z, s, found = np.random.default_rng(5), 451.2, 2.0, []
    for _ in range(20):
        there, back = rng.normal(log_z - s * s / 2, s, n), rng.normal(log_z + s * s / 2, s, m)
        value, std_error = bridge.acceptance_ratio(there, back)
        found.append((value - log_z) / std_error)
        accepted = expit(there - value - np.log(n / m)).sum(), expit(value + np.log(n / m) - back).sum()
        assert accepted[0] == pytest.approx(accepted[1], rel=1e-6)
    lowest, highest = stats.chi2.ppf([FAMILY_ALPHA / 2, 1.0 - FAMILY_ALPHA / 2], 20)
    assert lowest < np.sum(np.square(found)) < highest


@pytest.mark.parametrize("shift", [0.0, 1e5, -1e5])
def test_acceptance_ratio_of_equal_and_of_distant_works(shift):
    """Equal works are log Z; without any overlap the root lies midway, and the error says so."""
    value, std_error = bridge.acceptance_ratio(np.full(3, shift), np.full(5, shift))
    assert (value, std_error) == (pytest.approx(shift, abs=1e-6), 0.0)
    value, std_error = bridge.acceptance_ratio(
        shift + np.array([-400.0, -410.0]), shift + np.full(2, 400.0)
    )
    assert np.isfinite([value, std_error]).all()
    assert shift - 410.0 < value < shift + 400.0


def test_log_z_of_the_base_model_is_that_of_no_weights():
    model = random_rbm(4, 3, seed=2)
    base = base_of(model)
    wanted = log_z_brute_force(RBM(np.zeros((4, 3)), base.bias, np.zeros(3)))
    assert log_z_base(model, base) == pytest.approx(wanted, rel=1e-12)


# --- schedules that adapt -----------------------------------------------------------------------


def test_respacing_gives_equal_lengths():
    """Segments of lengths sqrt(variance x steps) = 2, 4, 2: half of the temperatures go to the second."""
    ends, steps = np.array([0.0, 0.2, 0.5, 1.0]), np.array([4, 1, 2])
    betas = _adaptive.respaced(ends, steps, np.array([1.0, 16.0, 2.0]), 17)
    wanted = np.concatenate(
        [np.linspace(0, 0.2, 5)[:-1], np.linspace(0.2, 0.5, 9), np.linspace(0.5, 1, 5)[1:]]
    )
    np.testing.assert_allclose(betas, wanted, rtol=0, atol=1e-6)
    even = _adaptive.respaced(np.array([0.0, 0.5, 1.0]), np.array([1, 1]), np.zeros(2), 5)
    np.testing.assert_allclose(even, np.linspace(0, 1, 5), rtol=0, atol=1e-12)


@pytest.mark.parametrize("error", [0.3, 0.05])
def test_an_adaptive_schedule_reaches_its_error(computed, error):
    """The golden model of 64 x 20, whose log Z is known; from uniform base rates, which makes it hard."""
    fixture = load_fixture("digits_rbm20")
    base = BaseRates(np.zeros(64), "uniform")
    module, config = partition.find("ais", {"betas": "adaptive", "error": error})
    for seed in range(3):
        found = module.estimate(computed, fixture.model, config, base, seed)
        assert found.reached
        assert found.std_error <= error
        # Two rounds agree within the error, so what is left of the bias is below it; and 3 errors.
        assert abs(found.log_z - fixture.log_z) < error + 3.0 * found.std_error
        assert f"error {error:g} reached" in found.schedule


def test_a_smaller_error_takes_more_temperatures(computed):
    model = random_rbm(12, 10, seed=3, scale=1.5)
    counts = []
    for error in (0.1, 0.01):
        walks = _works.forward(computed, model, Config("adaptive", 100, error), base_of(model), 1, 100)
        counts.append(len(walks.schedule.betas))
    assert counts[0] < counts[1]


def test_adaptive_says_where_it_gave_up(k):
    model = random_rbm(12, 10, seed=3, scale=3.0)
    found = estimate(k, "ais", model, betas="adaptive", error=0.001, most_betas=300, chains=20)
    assert found.reached is False
    assert found.schedule == "adaptive (300 on [0, 1] after 2 rounds, error 0.001 not reached)"
    assert estimate(k, "ais", TINY).reached is None


# --- what they say together ---------------------------------------------------------------------


@pytest.mark.parametrize("betas", [50, "adaptive"])
def test_the_sandwich_is_what_its_methods_say_alone(k, betas):
    """To the bit, though nothing is run twice: the bridge takes the first half of both ways' chains."""
    settings, rows, base = {"betas": betas, "chains": 20}, random_rows(30, 6), base_of(MODEL)
    found = sandwich(k, MODEL, rows, settings=settings, base=base, seed=3)
    assert [one.log_z.method for one in found.estimates] == default_methods(MODEL)
    for one in found.estimates:
        name = one.log_z.method
        alone = evaluate(k, MODEL, rows, name, {} if name == "exact" else settings, base, 3)
        assert one.log_z.log_z == pytest.approx(alone.log_z.log_z, abs=1e-9)
        assert one.mean == pytest.approx(alone.mean, abs=1e-9)
        assert (one.log_z.schedule, one.log_z.start) == (alone.log_z.schedule, alone.log_z.start)
    alone = sandwich(k, MODEL, rows, ["bridge"], settings, base, 3).estimates[0]
    assert alone.log_z.log_z == pytest.approx(found.estimates[1].log_z.log_z, abs=1e-9)
    assert found.gap == found.estimates[2].log_z.log_z - found.estimates[0].log_z.log_z


def told(ess=None, **log_z):
    fields = (0.1, ess, "linear", "rates", "exact draws", None, np.zeros(50))
    return Sandwich([Likelihood(np.zeros(1), LogZ(m, z, *fields), 0.0) for m, z in log_z.items()])


def test_the_verdict_says_that_few_chains_carry_the_weight():
    ends = {"ais": 10.0, "reverse_ais": 10.5}
    few = "by 0.50 +- 0.14 nats, but the 50 chains of ais count for 9.0 (their effective sample size): "
    assert few in told(9.0, **ends).verdict
    assert "effective" not in told(10.0, **ends).verdict


def test_the_verdict():
    found = told(ais=10.0, reverse_ais=10.85)
    assert (found.gap, found.resolved) == (pytest.approx(0.85), True)
    assert found.gap_error == pytest.approx(np.hypot(0.1, 0.1))
    assert found.verdict == (
        "resolved: forward and reverse AIS differ by 0.85 +- 0.14 nats; reverse AIS started from exact "
        "draws"
    )
    for uncertain in (told(ais=10.0, reverse_ais=10.87), told(ais=10.0, reverse_ais=9.13)):
        assert not uncertain.resolved
        assert uncertain.verdict == (
            "not resolved: forward and reverse AIS differ by 0.87 +- 0.14 nats, which more temperatures "
            "or chains would make surer; reverse AIS started from exact draws"
        )
    found = told(ais=10.0, reverse_ais=11.0)
    assert not found.resolved
    assert (
        "1.00 nats above forward AIS, so the log-likelihood may be up to 1.00 nats too high"
        in found.verdict
    )
    found = told(ais=10.0, reverse_ais=8.5)
    assert not found.resolved
    assert "1.50 nats below forward AIS, so its start does not represent the model" in found.verdict
    found = told(ais=10.0, reverse_ais=10.1, exact=29.0)  # both walks miss the same mode
    assert not found.resolved
    assert "the exact log Z is up to 19.00 nats away" in found.verdict
    assert told(ais=10.0, reverse_ais=10.1, exact=10.05).resolved
    found = told(ais=10.0, bridge=10.5)
    assert found.gap is found.gap_error is found.resolved is found.verdict is None


def rows_of(values, **log_z):
    fields = (0.1, None, "linear", "rates", "exact draws", None, np.zeros(50))
    found = {m: LogZ(m, z, *fields) for m, z in log_z.items()}
    return Sandwich([Likelihood(np.array(values) - z.log_z, z, 0.0) for z in found.values()])


def test_probabilities_that_add_up_to_more_than_1_are_seen():
    weights = np.log([4.0, 3.0, 2.0, 4.0, 4.0])  # three rows, one of them three times: 9 in all
    found = rows_of(weights, ais=np.log(9.0) - 1.5)
    assert found.estimates[0].excess == pytest.approx(1.5, abs=1e-5)
    assert (found.gap, found.resolved) == (None, False)
    assert found.verdict == (
        "not resolved: by AIS these rows' probabilities add up to more than 1, so its log Z is at least "
        "1.50 nats too low"
    )
    found = rows_of(weights, ais=np.log(9.0) - 2.5, reverse_ais=np.log(9.0) - 2.6)
    assert not found.resolved  # both err alike
    assert "by reverse AIS these rows'" in found.verdict
    assert "2.60 nats too low; reverse AIS started from exact draws" in found.verdict
    assert "9.00 nats above" in rows_of(weights, ais=0.0, reverse_ais=9.0).verdict  # which says more
    found = rows_of(weights, ais=-3.0, exact=np.log(9.0))
    assert not found.resolved
    assert "the exact log Z is up to 5.20 nats away" in found.verdict
    nothing = rows_of([np.nan, 1.0], ais=-3.0)
    assert nothing.resolved is nothing.verdict is None
    assert Sandwich([]).resolved is None
    found = rows_of(weights, ais=np.log(9.0) - 0.5, reverse_ais=np.log(9.0))
    assert found.resolved  # it is known to a nat


def test_the_page_says_a_gap_where_it_is_one():
    assert measures.LEAST_GAP == RESOLVED


def test_densities_may_add_up_to_anything(k):
    rows = np.full((5, 2), 0.5)
    narrow = GaussianRBM(np.zeros((2, 1)), rows[0], np.zeros(1), np.full(2, 1e4))
    found = evaluate(k, narrow, rows, "exact", {})
    assert found.mean > 7.0
    assert found.excess == -np.inf


def test_a_mode_that_annealing_misses_is_seen_by_the_rows_that_are_in_it(k):
    row = (np.arange(40) % 2).astype(float)
    likes = 6.0 * (2 * row[:, None] - 1)  # of one hidden unit; a row at chance does not wake it
    model = RBM(likes, np.zeros(40), np.full(1, -60.0))
    rows, base = np.tile(row, (3, 1)), BaseRates(np.zeros(40), "uniform")
    truth = evaluate(k, model, rows, "exact", base=base)
    assert -0.5 < truth.mean <= truth.excess <= 0.0
    found = sandwich(k, model, rows, ["ais"], {"betas": 2, "chains": 20}, base, 0)
    missing = truth.log_z.log_z - found.estimates[0].log_z.log_z
    assert missing > 30.0
    assert 30.0 < found.estimates[0].excess <= missing
    assert found.resolved is False


def test_what_the_sandwich_does_not_know_is_named(k):
    rows = random_rows(5, 6)
    for methods, settings, words in (
        (["aiss"], {}, "did you mean 'ais'?"),
        (None, {"beta": 3}, "did you mean 'betas'?"),
        (None, {"betas": 1}, "number of temperatures"),
        (None, {"chains": 1}, "at least 2 chains"),
        (None, {"start": "cold"}, "'cold'"),
    ):
        assert words in complaint(sandwich, k, MODEL, rows, methods, settings)


def test_summaries_of_the_same_weights_bracket():
    """Jensen: log mean e**w >= -log mean e**-w for the same numbers."""
    w = np.random.default_rng(1).normal(size=50)
    assert summarise(w)[0] > -summarise(-w)[0]


@pytest.mark.parametrize("judge", [evaluate, sandwich])
def test_a_deep_model_has_bounds_instead(judge, k):
    model, rows = random_dbm(5, 3, 2), random_rows(7, 5)
    assert "a dbm has no free energy to be summed: see lower_bound" in complaint(judge, k, model, rows)
