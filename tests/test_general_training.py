"""Training of general Boltzmann machines, and the centred gradient of machines of any units."""

import numpy as np
import pytest
from conftest import all_states, complaint, numbers_of, random_rows
from deep import BATCH, ROWS, bits, tolerance, trained
from general import log_weights, random_general
from scipy.special import expit, logsumexp
from test_boltzmann import random_machine

from ebmbench import datasets
from ebmbench.kernels.api import load
from ebmbench.models import boltzmann, general
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.graph import lattice
from ebmbench.models.markov_field import ising
from ebmbench.partition import base_rates
from ebmbench.randomness import START, VISIBLE, Key, Stream, permutation, uniforms
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.initial import (
    initial_boltzmann_machine,
    initial_general_boltzmann_machine,
)
from ebmbench.training.joint import Joint, Phases
from ebmbench.training.sgd import SGD
from ebmbench.training.supervised import Supervised

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = random_general(6, 5, seed=3)


def joined(v, h):
    return np.concatenate([v, h], axis=1)


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


def test_training_climbs_towards_the_data(k):
    """Bars and stripes on 3 x 3: from independent pixels, -6.2 nats, to within 0.5 of -log 14."""
    rows = datasets.load("bars_and_stripes_3x3").train
    start = initial_general_boltzmann_machine(rows, 6, 1)
    run = Joint(k, start, rows, SGD(0.1, 0.5, centred=True), 800, 14, 1, Phases(100, 5, 10))
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


CENTRED = {
    "exact": {}, "cd": {"k": 2}, "sml": {"chains": 7},
    "parallel_tempering": {"chains": 5, "temperatures": 3},
    "pseudolikelihood": {}, "ratio_matching": {"stochastic": True}, "nce": {"ratio": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", CENTRED)
def test_every_principle_trains_a_centred_machine_without_hidden_units(k, name):
    """As on the reference; and what is centred is another update, whose offsets are the phases' means."""

    def run(backend, centred):
        how = SGD(0.1, 0.5, 0.01, centred=centred)
        start = random_machine(6, seed=4, scale=0.5)
        fit = Fit(backend, start, ROWS, name, CENTRED[name], how, 4, BATCH, 3)
        return bits(trained(fit, 7))

    found = run(k, True)
    np.testing.assert_allclose(found, run(load("reference"), True), rtol=0, atol=tolerance(k))
    assert np.abs(found - run(k, False)).max() > 1e-3


def test_other_models_of_units_are_not_centred(k):
    model = ising(lattice(2, 3), 0.1)
    told = complaint(Fit, k, model, ROWS, "cd", None, SGD(centred=True))
    assert told == "the centred gradient is for RBMs and Boltzmann machines, not for a markov_field"


def test_trainers_say_which_models_are_theirs(k):
    assert "Joint trains a dbm or a general" in complaint(Joint, k, random_machine(6), ROWS)
    assert "is trained by Joint" in complaint(Fit, k, MODEL, ROWS, "sml")
    assert "Supervised trains an mlp" in complaint(Supervised, k, MODEL, ROWS, np.zeros(11, int))
    assert "must be a whole one, but is 2.5" in complaint(initial_general_boltzmann_machine, ROWS, 2.5, 1)
