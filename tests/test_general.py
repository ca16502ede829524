"""The general Boltzmann machine: its definition, what it generalises, its posterior and its training."""

import numpy as np
import pytest
from conftest import all_states, complaint, numbers_of, random_rbm, random_rows
from deep import BATCH, ROWS, bits, random_dbm, tolerance, trained
from general import energies, log_weights, random_general
from scipy.special import expit, logsumexp, xlogy

from ebmbench import datasets
from ebmbench.evaluation.bounds import base_of, lower_bound
from ebmbench.models import boltzmann, general
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.rbm import free_energy
from ebmbench.partition import base_rates
from ebmbench.randomness import START, VISIBLE, Key, Stream, permutation, uniforms
from ebmbench.samplers.meanfield import augmented, silent
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.initial import (
    initial_boltzmann_machine,
    initial_general_boltzmann_machine,
)
from ebmbench.training.joint import Joint, Phases
from ebmbench.training.sgd import SGD

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


# --- training -----------------------------------------------------------------------------------


def plain_training(model, rows, updates, rate, sweeps, mean_field, chains, seed, centred):
    """The algorithm as plain loops over units, from the formulas of the definition.

    Centred, every unit counts from its offset: E = -sum_ij R_ij (x_i - mu_i)(x_j - mu_j) - sum_i a_i
    (x_i - mu_i), whose gradient moves R and a; the biases of the usual form are b = a - (R + Rᵀ) mu.
    """
    whole, n = model.whole, model.n_visible
    R, b, units = whole.R.copy(), whole.b.copy(), whole.n_visible
    key = Key(seed, Stream.CHAINS)
    x = (uniforms(key, chains, units, START) < expit(b)).astype(float)
    mu, batches = np.zeros(units), -(-len(rows) // BATCH)
    for update in range(updates):
        epoch, number = divmod(update, batches)
        order = permutation(Key(seed, Stream.SHUFFLING, epoch), len(rows))
        v = rows[order[number * BATCH :][:BATCH]].astype(float)
        given = joined(v, np.zeros((len(v), units - n)))
        for _ in range(mean_field):
            for i in range(n, units):
                given[:, i] = expit(b[i] + given @ (R + R.T)[:, i])
        for sweep in range(sweeps):
            u = uniforms(key.advance(update * sweeps + sweep), chains, units, VISIBLE)
            for i in range(units):
                x[:, i] = u[:, i] < expit(b[i] + x @ (R + R.T)[:, i])
        if centred:
            share = 0.01 if update else 1.0
            mu = (1 - share) * mu + share * (given.mean(axis=0) + x.mean(axis=0)) / 2.0
        up, down = given - mu, x - mu
        a = b + (R + R.T) @ mu
        R = R + rate * np.triu(up.T @ up / len(v) - down.T @ down / chains, 1)
        a = a + rate * (up.mean(axis=0) - down.mean(axis=0))
        b = a - (R + R.T) @ mu
    return model.of_whole(BoltzmannMachine(R, b))


@pytest.mark.parametrize("centred", [False, True])
def test_training_is_the_plain_algorithm(k, centred):
    """Means start at 2**-40 where the plain loop has 0."""
    run = Joint(k, MODEL, ROWS, SGD(0.1, 0.0, centred=centred), 4, BATCH, 3, Phases(7, 3, 4))
    wanted = plain_training(MODEL, ROWS, 7, 0.1, 3, 4, 7, 3, centred)
    found = trained(run, 7)
    np.testing.assert_allclose(bits(found), bits(wanted), rtol=0, atol=max(1e-10, tolerance(k)))
    assert np.abs(bits(found) - bits(MODEL)).max() > 0.05


def test_moments_of_means_are_the_bounds_gradient():
    """By finite differences of the bound with an exact log Z: means that are best need not follow."""

    def bound(R, b):
        machine = BoltzmannMachine(R, b)
        rows = general.mean_field(machine, v, np.full((9, 5), 0.5), 500)
        return general.variational(machine, rows, 6).mean() - boltzmann.log_z(machine), rows

    v, whole = ROWS[:9].astype(float), MODEL.whole
    _, rows = bound(whole.R, whole.b)
    positive = boltzmann.statistics(whole, rows, np.full(9, 1 / 9))
    _, negative = boltzmann.moments(whole)
    step = 1e-5
    for i in range(11):
        shift = np.eye(11)[i] * step
        found = (bound(whole.R, whole.b + shift)[0] - bound(whole.R, whole.b - shift)[0]) / (2 * step)
        assert found == pytest.approx(positive.v[i] - negative.v[i], abs=1e-7)
        for j in range(i + 1, 11):
            shift = np.zeros((11, 11))
            shift[i, j] = step
            found = (bound(whole.R + shift, whole.b)[0] - bound(whole.R - shift, whole.b)[0]) / (2 * step)
            assert found == pytest.approx(positive.vv[i, j] - negative.vv[i, j], abs=1e-7)


def test_the_centred_gradient_does_not_mind_which_state_is_called_on(k):
    """Turn units over in data, samples and model, and the step turns too (Melchior et al. 2016).

    A machine with the units of `turned` the other way about has the same law of turned states where R_ij
    gets the sign s_i s_j and b_i becomes s_i (b_i + sum of (R + Rᵀ)_ij over turned j), s = -1 if turned.
    """

    def over(machine, turned):
        sign = 1.0 - 2.0 * turned
        b = sign * (machine.b + (machine.R + machine.R.T) @ turned)
        return BoltzmannMachine(machine.R * np.outer(sign, sign), b)

    def stepped(machine, plus, minus):
        handle = k.put(machine)
        gradient, means = k.moments(handle, k.put_rows(plus), k.put_rows(minus))
        k.centre(handle, gradient, means, k.zeros(handle), 1.0)
        assert k.update(handle, k.zeros(handle), gradient, 0.3, 0.0, 0.0)
        return k.get(handle)

    machine, turned = MODEL.whole, random_rows(1, 11, seed=8)[0].astype(float)
    plus, minus = (random_rows(count, 11, seed=count).astype(float) for count in (9, 6))
    flipped = [np.abs(rows - turned) for rows in (plus, minus)]
    wanted = over(stepped(machine, plus, minus), turned)
    found = stepped(over(machine, turned), *flipped)
    np.testing.assert_allclose(bits(found), bits(wanted), rtol=0, atol=max(1e-10, tolerance(k)))
    assert np.abs(bits(stepped(machine, plus, minus)) - bits(machine)).max() > 0.05


@pytest.mark.parametrize("centred", [False, True])
def test_training_climbs_towards_the_data(k, centred):
    """Bars and stripes on 3 x 3: from independent pixels, -6.2 nats, to within 0.5 of -log 14."""
    rows = datasets.load("bars_and_stripes_3x3").train
    start = initial_general_boltzmann_machine(rows, 6, 1)
    run = Joint(k, start, rows, SGD(0.1, 0.5, centred=centred), 800, 14, 1, Phases(100, 5, 10))
    before, after = (exact_log_likelihood(one, rows) for one in (run.model, trained(run)))
    assert before < -6.0
    assert -np.log(14.0) - 0.5 < after < -np.log(14.0)


def test_hidden_units_learn_what_no_pairs_of_visible_ones_can(k):
    """Three bits of even parity, any two of which are independent: without hidden units -log 8."""
    rows = all_states(3)
    rows = rows[rows.sum(axis=1) % 2 == 0].astype(np.uint8)
    start = initial_general_boltzmann_machine(rows, 2, 3, scale=0.5)
    run = Joint(k, start, rows, SGD(0.2, 0.5, centred=True), 1500, 4, 3, Phases(200, 5, 10))
    assert -np.log(8.0) + 0.3 < exact_log_likelihood(trained(run), rows) < -np.log(4.0)
    concave = Fit(k, initial_boltzmann_machine(rows), rows, "exact", {}, SGD(0.5, 0.9), 100, 4)
    alone = trained(concave)
    assert -boltzmann.energy(alone, rows).mean() - boltzmann.log_z(alone) < -np.log(8.0) + 1e-3


def exact_log_likelihood(model, rows):
    weights = log_weights(model)
    return weights[numbers_of(rows)].mean() - logsumexp(weights)


def test_where_training_starts():
    model = initial_general_boltzmann_machine(ROWS, 30, 7, scale=0.02)
    assert (model.n_visible, model.n_hidden) == (6, 30)
    np.testing.assert_allclose(model.b, base_rates(ROWS, "").bias)
    assert not any(x.any() for x in (model.R, model.S, model.c))
    # 180 normals: the standard deviation has a relative error of 1 / sqrt(360) = 5 %.
    assert model.W.std() == pytest.approx(0.02, rel=0.15)
    assert "hidden units must be at least 1" in complaint(initial_general_boltzmann_machine, ROWS, 0, 1)
    assert "the seed" in complaint(initial_general_boltzmann_machine, ROWS, 3, 2**32)


def test_the_seed_decides_the_machine(k):
    def after(seed):
        return bits(trained(Joint(k, MODEL, ROWS, None, 2, BATCH, seed, Phases(chains=7))))

    assert (after(1) == after(1)).all()
    assert (after(1) != after(2)).any()


def test_a_machine_that_diverges_says_so(k):
    run = Joint(k, MODEL, ROWS, SGD(1e30), 200, BATCH, 1)
    with pytest.raises(Diverged, match=r"after \d+ updates"):
        run.advance(300)


def test_silent_means_are_a_pass_upwards(k):
    """After one update: h_1 of v alone, h_2 of v and h_1, and so on."""
    start = np.array(k.get_rows(silent(k, 9, 5)))
    means, _ = settle(k, MODEL, ROWS[:9].astype(float), start, 1)
    first = expit(MODEL.c[0] + ROWS[:9] @ MODEL.W[:, 0])
    second = expit(MODEL.c[1] + ROWS[:9] @ MODEL.W[:, 1] + first * MODEL.S[0, 1])
    np.testing.assert_allclose(means[:, :2], np.stack([first, second], axis=1), atol=1e-6)
