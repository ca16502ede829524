"""Estimators' gradients against finite differences, exact expectations and their common contract."""

import numpy as np
import pytest
from conftest import (
    all_states,
    complaint,
    flat,
    host,
    largest_z,
    mean_log_likelihood,
    numbers_of,
    random_rbm,
    random_rows,
)

from ebmbench import estimators
from ebmbench.models import enumerate as exact
from ebmbench.models.rbm import RBM, hidden_probability
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.gibbs import Chains

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = random_rbm(5, 4, seed=4)
ROWS = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]], np.uint8)
KEY = Key(9, 0)
# Float32 gradients are means of products of probabilities whose errors stay below 2e-6: the model's
# rounding and sums of ten terms of size 3.
TOLERANCE = {"reference": 1e-10, "cpu": 5e-6}


def tolerance(k):
    return TOLERANCE.get(k.name, 5e-6)


def gradient(k, name, rows, model=MODEL, settings=None, key=KEY, state=None):
    """One gradient as a vector W, b, c; from the estimator's first state unless one is given."""
    module, config = estimators.find(name, settings or {})
    state = module.init(k, model, config, key, model.b) if state is None else state
    batch = k.put_rows(rows)
    tree, _, _ = module.step(k, k.put(model), config, state, batch, key)
    return flat(host(k, tree, model))


def statistics(model, rows):
    """v p(h|v), v and p(h|v) of each row, float64 [rows, parameters]."""
    v, h = np.asarray(rows, float), hidden_probability(model, rows)
    return np.hstack([(v[:, :, None] * h[:, None, :]).reshape(len(v), -1), v, h])


def finite_differences(model, rows, step=1e-5):
    """Central differences of the mean log-likelihood; their error is about step**2 and 1e-16 / step."""
    parameters = [model.W, model.b, model.c]
    out = []
    for which, parameter in enumerate(parameters):
        for index in np.ndindex(parameter.shape):
            value = []
            for sign in (1.0, -1.0):
                moved = [p.copy() for p in parameters]
                moved[which][index] += sign * step
                value.append(mean_log_likelihood(*moved, rows))
            out.append((value[0] - value[1]) / (2 * step))
    return np.array(out)


def expected_cd(model, rows, sweeps):
    """CD-k's expected gradient: its negative phase by the k-step transition matrix."""
    law = np.linalg.matrix_power(exact.transition_matrix(model), sweeps)[numbers_of(rows)].mean(axis=0)
    negative = law @ statistics(model, all_states(model.n_visible))
    return statistics(model, rows).mean(axis=0) - negative


def exact_error(k, model=MODEL, rows=ROWS):
    """The largest difference of the `exact` gradient from finite differences of the definition."""
    return np.abs(gradient(k, "exact", rows, model) - finite_differences(model, rows)).max()


def cd_z(k, sweeps=1, replicates=200):
    """CD-k's mean over chains and steps against its exact expectation: largest |z|, and allowed."""
    rows = np.tile(ROWS, (50, 1))
    keys = [Key(31, 0, step=t, chain=len(rows) * t) for t in range(replicates)]
    found = [gradient(k, "cd", rows, settings={"k": sweeps}, key=key) for key in keys]
    return largest_z(np.array(found), expected_cd(MODEL, ROWS, sweeps))


def sml_z(k, replicates=200, chains=200):
    """SML from exact draws of the model against the exact gradient: largest |z|, and allowed."""
    rng = np.random.default_rng(32)
    states = all_states(5).astype(np.uint8)
    found = []
    for t in range(replicates):
        start = states[rng.choice(32, chains, p=exact.distribution(MODEL))]
        state = Chains(k.put_rows(start), Key(33, Stream.CHAINS, step=t, chain=chains * t))
        found.append(gradient(k, "sml", ROWS, settings={"k": 1, "chains": chains}, state=state))
    return largest_z(np.array(found), finite_differences(MODEL, ROWS))


@pytest.mark.parametrize("size", [(5, 4), (3, 7), (6, 2)], ids=str)
def test_exact_is_the_gradient_of_the_log_likelihood(k, size):
    error = exact_error(k, random_rbm(*size, seed=5, scale=1.5), random_rows(7, size[0], seed=1))
    assert error < max(1e-6, tolerance(k))


def test_exact_tells_log_z(k):
    module, config = estimators.find("exact", {})
    _, _, info = module.step(k, k.put(MODEL), config, None, k.put_rows(ROWS), KEY)
    # Float32 weights: nine sums of size 5 * 2**-24 at most.
    assert info["log_z"] == pytest.approx(exact.log_z_brute_force(MODEL), abs=1e-5)


@pytest.mark.parametrize("sweeps", [1, 2])
def test_cd_follows_the_transition_matrix_on_average(k, sweeps):
    z, allowed = cd_z(k, sweeps)
    assert z < allowed


def test_cd_is_biased_and_its_expectation_shows_it():
    """The expectations of CD-1, CD-2 and the true gradient differ by far more than cd_z resolves."""
    truth = finite_differences(MODEL, ROWS)
    one, two, many = (expected_cd(MODEL, ROWS, sweeps) for sweeps in (1, 2, 200))
    assert np.abs(one - two).max() > 0.02
    assert np.abs(two - truth).max() > 0.02
    np.testing.assert_allclose(many, truth, rtol=0, atol=1e-8)


def test_sml_at_stationarity_is_unbiased(k):
    z, allowed = sml_z(k)
    assert z < allowed


def test_sml_chains_go_on_where_they_stood(k):
    module, config = estimators.find("sml", {"k": 2, "chains": 6})
    state = module.init(k, MODEL, config, KEY, MODEL.b)
    model, batch = k.put(MODEL), k.put_rows(ROWS)
    _, after, _ = module.step(k, model, config, state, batch, KEY)
    wanted, _ = k.gibbs(model, state.v, 2, state.key)
    assert (k.get_rows(after.v) == k.get_rows(wanted)).all()
    assert after.key == state.key.advance(2)


# --- batches ------------------------------------------------------------------------------------


def test_exact_is_a_mean_over_rows(k):
    whole = gradient(k, "exact", ROWS)
    one_by_one = [gradient(k, "exact", row[None]) for row in ROWS]
    np.testing.assert_allclose(np.mean(one_by_one, axis=0), whole, rtol=0, atol=tolerance(k))
    twice = gradient(k, "exact", np.vstack([ROWS, ROWS]))
    np.testing.assert_allclose(twice, whole, rtol=0, atol=tolerance(k))


@pytest.mark.parametrize("settings", [{"k": 1}, {"k": 3}], ids=str)
def test_cd_of_a_short_batch_counts_its_own_rows(k, settings):
    """7 rows' gradient is the weighted mean of those of 3 and of 4, their chains kept."""
    rows = random_rows(7, 5, seed=2)
    whole = gradient(k, "cd", rows, settings=settings)
    first = gradient(k, "cd", rows[:3], settings=settings)
    last = gradient(k, "cd", rows[3:], settings=settings, key=KEY._replace(chain=3))
    np.testing.assert_allclose((3 * first + 4 * last) / 7, whole, rtol=0, atol=tolerance(k))
    assert np.abs(whole - first).max() > 0.1


def test_cd_is_the_contrast_with_its_own_chains(k):
    rows = random_rows(3, 5, seed=3)
    key = Key(9, Stream.CONTRASTIVE, step=2 * 4)
    negative, _ = k.gibbs(k.put(MODEL), k.put_rows(rows), 2, key)
    wanted = statistics(MODEL, rows).mean(axis=0)
    wanted -= statistics(MODEL, k.get_rows(negative)).mean(axis=0)
    found = gradient(k, "cd", rows, settings={"k": 2}, key=Key(9, 0, step=4))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance(k))


# --- the contract of every estimator that is found ----------------------------------------------


REAL_ONLY = ("score_matching",)  # see test_gaussian_training.py


@pytest.fixture(params=[name for name in estimators.known() if name not in REAL_ONLY])
def name(request):
    return request.param


ONE_PHASE = ("pseudolikelihood", "ratio_matching")  # whose gradient is no contrast of two samples


def test_a_step_gives_a_gradient_a_state_and_both_phases_means(k, name):
    module, config = estimators.find(name, {})
    rows = random_rows(3, 5, seed=4)
    state = module.init(k, MODEL, config, KEY, MODEL.b)
    model, batch = k.put(MODEL), k.put_rows(rows)
    for step in range(3):
        tree, state, info = module.step(k, model, config, state, batch, KEY.advance(step))
        logical = host(k, tree, MODEL)
        assert {"W", "b", "c"} <= set(logical)
        for part in ("W", "b", "c"):
            assert logical[part].shape == getattr(MODEL, part).shape
            assert np.isfinite(logical[part]).all()
        means = host(k, info["means"], MODEL)
        for part in ("b", "c"):
            assert means[part].shape == logical[part].shape
            assert (means[part] >= 0.0).all()
            assert (means[part] <= 1.0).all()
        if name == "nce":  # its rows have weights, and its second phase is noise
            continue
        # With two phases mean = (plus + minus) / 2 and gradient = plus - minus; plus is the batch's.
        plus = means["b"] + (logical["b"] / 2 if name not in ONE_PHASE else 0.0)
        np.testing.assert_allclose(plus, rows.mean(axis=0), rtol=0, atol=1e-6)
    assert (k.get_rows(batch) == rows).all()
    np.testing.assert_allclose(k.get(model).W, MODEL.W, rtol=2.0**-24)
    assert isinstance(config.label, str)


def test_the_gradient_points_uphill(k, name):
    """Averaged over 100 keys, on a model near its start: a small angle to the true gradient."""
    model = random_rbm(5, 4, seed=6, scale=0.1, bias=0.1)
    found = np.mean([gradient(k, name, ROWS, model, key=Key(s, 0)) for s in range(100)], axis=0)
    truth = finite_differences(model, ROWS)
    cosine = found @ truth / np.sqrt((found @ found) * (truth @ truth))
    assert cosine > 0.7


def test_copies_of_a_batch_do_not_change_the_mean_gradient(k, name):
    """A gradient divided by anything but the true number of rows is off by a factor of three here."""
    seeds = range(300)
    once = np.array([gradient(k, name, ROWS, key=Key(s, 0)) for s in seeds])
    thrice = np.array([gradient(k, name, np.tile(ROWS, (3, 1)), key=Key(300 + s, 0)) for s in seeds])
    if np.ptp(once, axis=0).max() == 0.0:
        np.testing.assert_allclose(thrice[0], once[0], rtol=0, atol=tolerance(k))
    else:
        z, allowed = largest_z(once - thrice, np.zeros(once.shape[1]))
        assert z < allowed


def test_the_same_key_gives_the_same_gradient(k, name):
    first, second, other = (gradient(k, name, ROWS, key=Key(s, 0)) for s in (1, 1, 2))
    assert (first == second).all()
    assert name in ("exact", *ONE_PHASE) or (first != other).any()


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "settings", "words"),
    [
        ("pcd", {}, "unknown estimator 'pcd'"),
        ("cd", {"k": 0}, "k of estimator cd"),
        ("sml", {"k": 0}, "k of estimator sml"),
        ("sml", {"chains": 0}, "chains of estimator sml"),
        ("cd", {"k": 1.5}, "k of estimator cd must be of type int"),
        ("cd", {"k": [1, 10]}, "but is [1, 10]; a list within a table or a list is no axis"),
        ("cd", {"sweeps": 2}, "unknown option of estimator cd 'sweeps'"),
    ],
)
def test_what_is_not_known_is_named(wanted, settings, words):
    assert words in complaint(estimators.find, wanted, settings)


def test_exact_refuses_a_model_that_cannot_be_enumerated(k):
    module, config = estimators.find("exact", {})
    large = RBM(np.zeros((26, 26)), np.zeros(26), np.zeros(26))
    assert "2**26" in complaint(module.init, k, large, config, KEY, large.b)
