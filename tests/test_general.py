"""The general Boltzmann machine: its definition, what it generalises, its posterior and its bound."""

import numpy as np
import pytest
from conftest import all_states, complaint, numbers_of, random_rbm, random_rows
from deep import ROWS, random_dbm
from general import energies, log_weights, random_general
from scipy.special import expit, logsumexp, xlogy

from ebmbench.evaluation.bounds import base_of, lower_bound
from ebmbench.models import boltzmann, general
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.rbm import free_energy
from ebmbench.partition import base_rates
from ebmbench.samplers.meanfield import augmented, silent

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(5, 4), (5, 1), (1, 4), (5, 7)]
MODEL = random_general(6, 5, seed=3)


def joined(v, h):
    return np.concatenate([v, h], axis=1)


# --- definition ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_whole_has_the_energy_of_the_definition(sizes):
    model = random_general(*sizes)
    both = all_states(sum(sizes))
    v, h = both[:, : sizes[0]], both[:, sizes[0] :]
    np.testing.assert_allclose(boltzmann.energy(model.whole, both), energies(model, v, h), atol=1e-12)
    assert boltzmann.log_z(model.whole) == pytest.approx(logsumexp(log_weights(model)), abs=1e-12)
    back = model.of_whole(model.whole)
    assert all((back.parameters[name] == x).all() for name, x in model.parameters.items())


def test_without_lateral_couplings_it_is_the_rbm():
    model = random_rbm(5, 4, seed=1)
    none = np.zeros((5, 5)), np.zeros((4, 4))
    whole = GeneralBoltzmannMachine(none[0], model.W, none[1], model.b, model.c)
    np.testing.assert_allclose(log_weights(whole), -free_energy(model, all_states(5)), atol=1e-12)


def as_general(model):
    """A DBM of two hidden layers as a general machine, whose hidden units are both layers'."""
    _, below, above = model.sizes
    W = np.pad(model.weights[0], ((0, 0), (0, above)))
    S = np.zeros((below + above, below + above))
    S[:below, below:] = model.weights[1]
    n = model.n_visible
    return GeneralBoltzmannMachine(np.zeros((n, n)), W, S, model.biases[0], np.hstack(model.biases[1:]))


def test_a_dbm_is_one(k):
    """The same bound, log Z included, where mean field has converged in both."""
    model = random_dbm(5, 4, 3, seed=2)
    found, wanted = (lower_bound(k, one, ROWS[:, :5], "exact") for one in (as_general(model), model))
    assert found.log_z.log_z == pytest.approx(wanted.log_z.log_z, abs=1e-9)
    assert found.mean == pytest.approx(wanted.mean, abs=2e-5)


BAD = {
    "R must have shape (6, 6)": {"R": np.zeros((5, 6))},
    "S must have shape (5, 5)": {"S": np.zeros((6, 6))},
    "b must have shape (6,)": {"b": np.zeros(5)},
    "c must have shape (5,)": {"c": np.zeros((5, 1))},
    "W must be a matrix": {"W": np.zeros(6)},
    "not empty": {"W": np.zeros((6, 0))},
    "R must be strictly upper triangular": {"R": np.ones((6, 6))},
    "S must be strictly upper triangular": {"S": np.eye(5)},
    "W holds a value that is not finite": {"W": np.full((6, 5), np.nan)},
    "c must hold real numbers": {"c": ["a"] * 5},
}


@pytest.mark.parametrize(("words", "wrong"), BAD.items(), ids=BAD)
def test_what_is_no_machine_is_named(words, wrong):
    assert words in complaint(GeneralBoltzmannMachine, **MODEL.parameters | wrong)


def test_a_whole_of_other_units_is_refused():
    assert "11" in complaint(MODEL.of_whole, random_general(5, 5).whole)


# --- mean field and the bound -------------------------------------------------------------------


def full_bound(model, v, means):
    """E_q[-E] + H(q) from the definition, by all states of the hidden units."""
    h = all_states(model.n_hidden)
    found = -(xlogy(means, means) + xlogy(1 - means, 1 - means)).sum(axis=1)
    for n, (row, mean) in enumerate(zip(v, means, strict=True)):
        q = np.prod(np.where(h == 1, mean, 1 - mean), axis=1)
        found[n] -= q @ energies(model, np.tile(row, (len(h), 1)), h)
    return found


def settle(k, model, v, start, *more):
    """The means after mean field, float64, and the number of updates."""
    handle = k.put(model.whole)
    rows, done = k.mean_field(handle, k.put_rows(v), k.put_rows(start.astype(np.float32)), *more)
    found = np.array(k.get_rows(rows), float)
    np.testing.assert_allclose(found[:, : v.shape[1]], v, atol=1e-7)
    return found[:, v.shape[1] :], done


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_mean_field_is_the_plain_loop_and_raises_the_bound(k, sizes):
    """Unit after unit; float32 means are off by 1e-7, and the bound by that times weights: 1e-5."""
    model = random_general(*sizes, seed=5, scale=1.0)
    v = random_rows(9, sizes[0], seed=4).astype(float)
    start = np.random.default_rng(2).uniform(0.02, 0.98, (9, sizes[1])).astype(np.float32)
    means, both = start.astype(float), model.S + model.S.T
    seen = [full_bound(model, v, means)]
    for sweeps in range(1, 6):
        for j in range(sizes[1]):
            means[:, j] = expit(model.c[j] + v @ model.W[:, j] + means @ both[:, j])
        found, _ = settle(k, model, v, start, sweeps)
        np.testing.assert_allclose(found, means, rtol=0, atol=1e-12 if k.name == "reference" else 1e-6)
        seen.append(full_bound(model, v, found))
        told = general.variational(model.whole, joined(v, found), sizes[0])
        np.testing.assert_allclose(told, seen[-1], atol=1e-9)
    rises = np.diff(seen, axis=0)
    assert rises.min() > -1e-5
    assert rises[0].max() > 0.05


def test_each_row_settles_by_itself(k):
    """The same bits alone or among others, and after so many updates as the slowest takes."""
    model, v = random_general(6, 5, seed=3, scale=1.5), random_rows(7, 6, seed=1)
    start = np.full((7, 5), 0.5)
    whole, most = settle(k, model, v, start, 200, 1e-4)
    alone = [settle(k, model, v[[r]], start[[r]], 200, 1e-4) for r in range(7)]
    assert (whole == np.concatenate([means for means, _ in alone])).all()
    numbers = [done for _, done in alone]
    assert len(set(numbers)) > 1
    assert most == max(numbers) < 200
    again, few = settle(k, model, v, whole, 200, 1e-4)
    assert np.abs(again - whole).max() < 1e-4
    assert few <= 2


def test_rows_without_hidden_units_stay(k):
    model, v = BoltzmannMachine(np.triu(np.ones((4, 4)), 1), np.zeros(4)), random_rows(3, 4)
    rows, done = k.mean_field(k.put(model), k.put_rows(v), k.put_rows(np.empty((3, 0), np.float32)), 5)
    assert (np.array(k.get_rows(rows)) == v).all()
    assert done == 1


def test_mean_field_of_a_diverged_machine_says_nan(k):
    model = random_general(3, 4)
    start = np.full((2, 4), np.nan)
    means, done = settle(k, model, np.ones((2, 3)), start, 7, 0.1)
    assert np.isnan(means).all()
    assert done == 7


@pytest.mark.parametrize("lateral", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_bound_never_exceeds_the_log_likelihood(k, sizes, lateral):
    """With the exact log Z, row by row; where no two hidden units are joined it is the log-likelihood."""
    model = random_general(*sizes, seed=2, scale=1.0, lateral=lateral)
    weights = log_weights(model)
    rows = all_states(sizes[0])
    filled = augmented(k, model, rows).astype(float)
    gap = weights - general.variational(model.whole, filled, sizes[0])
    assert gap.min() > -1e-5
    if lateral == 0.0 or sizes[1] == 1:
        assert gap.max() < 1e-5
    elif lateral == 2.0:
        assert gap.max() > 1e-3
    some = random_rows(9, sizes[0], seed=6)
    found = lower_bound(k, model, some, "exact")
    wanted = (weights - gap)[numbers_of(some)].mean() - logsumexp(weights)
    assert found.mean == pytest.approx(wanted, abs=1e-5)
    assert (found.sampling_error, found.n_rows) == (0.0, 9)


@pytest.mark.parametrize("method", ["ais", "bridge", "reverse_ais"])
def test_log_z_agrees_with_enumeration(k, method):
    """Five seeds within four standard errors: chance of a false alarm 3e-4."""
    truth = logsumexp(log_weights(MODEL))
    settings = {"betas": 300, "chains": 200}
    found = [lower_bound(k, MODEL, ROWS, method, settings, seed=seed) for seed in range(5)]
    assert max(one.log_z.std_error for one in found) < 0.1
    assert max(abs(one.log_z.log_z - truth) / one.log_z.std_error for one in found) < 4.0


def test_annealing_starts_at_the_rates_of_rows_and_the_models_own_biases(k):
    base = base_of(k, MODEL, ROWS, "these rows")
    np.testing.assert_array_equal(base.bias, np.hstack([base_rates(ROWS, "").bias, MODEL.c]))
    assert base.source == "base rates of these rows and the model's biases"
    settings = {"betas": 20, "chains": 5}
    found, wanted = (
        lower_bound(k, MODEL, ROWS, "ais", settings, given)
        for given in (base_rates(ROWS, "base rates of these rows"), base)
    )
    assert (found.mean, found.log_z.base) == (wanted.mean, wanted.log_z.base)
    assert "needs no lower bound" in complaint(lower_bound, k, MODEL.whole, ROWS)


def test_silent_means_are_a_pass_upwards(k):
    """After one update: h_1 of v alone, h_2 of v and h_1, and so on."""
    start = np.array(k.get_rows(silent(k, 9, 5)))
    means, _ = settle(k, MODEL, ROWS[:9].astype(float), start, 1)
    first = expit(MODEL.c[0] + ROWS[:9] @ MODEL.W[:, 0])
    second = expit(MODEL.c[1] + ROWS[:9] @ MODEL.W[:, 1] + first * MODEL.S[0, 1])
    np.testing.assert_allclose(means[:, :2], np.stack([first, second], axis=1), atol=1e-6)
