"""Joint training of deep Boltzmann machines against plain NumPy loops, with and without pre-training."""

import numpy as np
import pytest
from conftest import complaint, random_rbm
from deep import BATCH, ROWS, bits, random_dbm, stack, tolerance, trained
from scipy.special import expit

from ebmbench import datasets
from ebmbench.models import dbm
from ebmbench.models.dbm import DBM, composed
from ebmbench.models.enumerate import log_z_brute_force
from ebmbench.partition import base_rates
from ebmbench.randomness import HIDDEN, START, VISIBLE, Key, Stream, permutation, uniforms
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.joint import Joint, Phases, initial_dbm
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.sgd import SGD

pytestmark = pytest.mark.usefixtures("one_thread")


def plain_joint(model, rows, updates, rate, sweeps, mean_field, chains, seed, centred=False):
    """Algorithm 1 of Salakhutdinov & Hinton (2009) as plain loops over layers, from its formulas.

    Chains and mean field take even and odd layers in turns. The uniforms are those of the two sides.
    """
    W, b = [x.copy() for x in model.weights], [x.copy() for x in model.biases]
    sizes, depth = model.sizes, len(model.sizes)
    key = Key(seed, Stream.CHAINS)
    even, odd = range(0, depth, 2), range(1, depth, 2)

    def inputs(states, n):
        x = np.tile(b[n], (len(states[0]), 1))
        x += states[n - 1] @ W[n - 1] if n else 0.0
        return x + (states[n + 1] @ W[n].T if n + 1 < depth else 0.0)

    def drawn(states, which, key, layer):
        u = uniforms(key, chains, sum(sizes[n] for n in which), layer)
        for n, first in zip(which, np.cumsum([0, *(sizes[m] for m in which)]), strict=False):
            states[n] = (u[:, first : first + sizes[n]] < expit(inputs(states, n))).astype(float)

    walkers = [np.zeros((chains, n)) for n in sizes]
    u = uniforms(key, chains, sum(sizes[n] for n in even), START)
    for n, first in zip(even, np.cumsum([0, *(sizes[m] for m in even)]), strict=False):
        walkers[n] = (u[:, first : first + sizes[n]] < expit(b[n])).astype(float)
    offsets, batches = [0.0] * depth, -(-len(rows) // BATCH)
    for update in range(updates):
        epoch, number = divmod(update, batches)
        order = permutation(Key(seed, Stream.SHUFFLING, epoch), len(rows))
        v = rows[order[number * BATCH :][:BATCH]].astype(float)
        means = [v, *(np.zeros((len(v), n)) for n in sizes[1:])]
        for _ in range(mean_field):
            for n in [*odd, *even[1:]]:
                means[n] = expit(inputs(means, n))
        for n in odd:
            means[n] = expit(inputs(means, n))
        for sweep in range(sweeps):
            now = key.advance(update * sweeps + sweep)
            drawn(walkers, odd, now, HIDDEN)
            drawn(walkers, even, now, VISIBLE)
        for n in odd:  # averaged out, as in the data's phase
            walkers[n] = expit(inputs(walkers, n))
        pairs = [
            means[n].T @ means[n + 1] / len(v) - walkers[n].T @ walkers[n + 1] / chains
            for n in range(depth - 1)
        ]
        ones = [means[n].mean(axis=0) - walkers[n].mean(axis=0) for n in range(depth)]
        if centred:
            for n in range(depth):
                middle = (means[n].mean(axis=0) + walkers[n].mean(axis=0)) / 2.0
                share = 0.01 if update else 1.0
                offsets[n] = (1 - share) * offsets[n] + share * middle
            for n in range(depth - 1):
                pairs[n] -= np.outer(offsets[n], ones[n + 1]) + np.outer(ones[n], offsets[n + 1])
            for n in range(depth):
                ones[n] = ones[n] - (offsets[n - 1] @ pairs[n - 1] if n else 0.0)
                ones[n] = ones[n] - (pairs[n] @ offsets[n + 1] if n + 1 < depth else 0.0)
        for n in range(depth - 1):
            W[n] += rate * pairs[n]
        for n in range(depth):
            b[n] += rate * ones[n]
    return DBM(tuple(W), tuple(b))


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("sizes", [(6, 5, 4), (6, 5, 4, 3), (6, 3, 1, 4, 2)], ids=str)
def test_joint_training_is_the_plain_algorithm(k, sizes, centred):
    """Means start at 2**-40 where the plain loop has 0."""
    model = random_dbm(*sizes, seed=3)
    phases = Phases(chains=7, sweeps=3, mean_field=4)
    run = Joint(k, model, ROWS, SGD(0.1, 0.0, centred=centred), 4, BATCH, 3, phases)
    wanted = plain_joint(model, ROWS, 7, 0.1, 3, 4, 7, 3, centred)
    found = trained(run, 7)
    np.testing.assert_allclose(bits(found), bits(wanted), rtol=0, atol=max(1e-10, tolerance(k)))
    assert np.abs(bits(found) - bits(model)).max() > 0.05


def test_a_dbm_of_one_hidden_layer_is_trained_as_the_rbm(k):
    model = random_rbm(6, 5, seed=4, scale=0.5)
    optimiser = SGD(0.1, 0.5, 0.01, "linear", centred=True)
    settings = {"k": 3, "chains": 7}
    fit = Fit(k, model, ROWS, "sml", settings, optimiser, 4, BATCH, 3)
    run = Joint(k, composed([model]), ROWS, optimiser, 4, BATCH, 3, Phases(7, 3))
    assert (bits(trained(run).whole) == bits(trained(fit))).all()


@pytest.mark.parametrize("centred", [False, True])
def test_layers_that_are_no_neighbours_stay_untied(k, centred):
    model = random_dbm(6, 5, 4, 3, seed=3)
    run = Joint(k, model, ROWS, SGD(0.1, 0.9, 0.01, centred=centred), 4, BATCH, 3, Phases(7, 2))
    run.advance(12)
    W = k.get(run._ascent.handle).W
    assert (W[dbm.mask(model.sizes) == 0] == 0.0).all()
    assert (W[dbm.mask(model.sizes) == 1] != 0.0).all()


def test_updates_of_joint_training_add_up(k):
    whole, split = (
        Joint(k, random_dbm(6, 5, 4), ROWS, SGD(0.1, schedule="linear"), 4, BATCH, 3, Phases(7, 2))
        for _ in range(2)
    )
    assert (bits(trained(whole, 11)) == bits(trained(split, 4, 1, 6))).all()


def test_the_seed_decides_the_dbm(k):
    def after(seed):
        phases = Phases(chains=7)
        return bits(trained(Joint(k, random_dbm(6, 5, 4), ROWS, None, 2, BATCH, seed, phases)))

    assert (after(1) == after(1)).all()
    assert (after(1) != after(2)).any()


def exact_log_likelihood(model, rows):
    """Mean log p(v) of a DBM with at most one even hidden layer, by enumeration."""
    bipartite = model.whole
    others = bipartite.n_visible - model.n_visible
    states = (np.arange(2**others)[:, None] >> np.arange(others)) & 1
    every = [np.concatenate([np.tile(v, (len(states), 1)), states], axis=1) for v in rows]
    free = [
        -(x @ bipartite.b) - np.logaddexp(0.0, bipartite.c + x @ bipartite.W).sum(axis=1) for x in every
    ]
    return np.mean([np.logaddexp.reduce(-f) for f in free]) - log_z_brute_force(bipartite)


@pytest.mark.parametrize("pretrained", [True, False])
def test_training_climbs_towards_the_data(k, pretrained):
    """Bars and stripes on 3 x 3: from independent pixels at -6.2 nats to within 0.8 of -log 14 = -2.64.

    Pre-trained, and without pre-training where the gradient is centred (Montavon & Müller 2012).
    """
    rows = datasets.load("bars_and_stripes_3x3").train
    phases = Phases(chains=100, sweeps=5, mean_field=10)
    if pretrained:
        run = Pretrained(
            k, rows, [8, 4], {"k": 5}, SGD(0.2, 0.5), 200, SGD(0.1, 0.5), 1000, 14, 1, phases
        )
        run.advance(200 * 2)
    else:
        optimiser = SGD(0.1, 0.5, centred=True)
        run = Joint(k, initial_dbm(rows, [8, 4], 1), rows, optimiser, 1200, 14, 1, phases)
    before = exact_log_likelihood(run.model, rows)
    run.advance(run.steps - run.done)
    after = exact_log_likelihood(run.model, rows)
    assert after > before + 0.5
    assert -np.log(14.0) - 0.8 < after < -np.log(14.0)


def test_pretraining_and_joint_training_are_the_two_after_each_other(k):
    phases = Phases(7, 2)
    both = Pretrained(k, ROWS, [5, 4], {"k": 2}, SGD(0.1), [1, 2], SGD(0.05), 2, BATCH, 3, phases)
    assert (both.steps, both.stage) == (15, "pre-training layer 1 of 2")
    first = stack(k, hidden=[5, 4], settings={"k": 2}, optimiser=SGD(0.1), epochs=[1, 2], doubled=True)
    start = composed(trained(first).layers)
    then = Joint(k, start, ROWS, SGD(0.05), 2, BATCH, 3, phases)
    assert trained(both, 2).sizes == (6, 5)
    assert (bits(trained(both, 7)) == bits(start)).all()
    assert (bits(trained(both, 6)) == bits(trained(then))).all()
    assert (both.stage, both.done, both.batches) == ("joint training", 15, 3)


def test_initial_dbm():
    model = initial_dbm(ROWS, [30, 20, 10], 7, scale=0.02)
    assert model.sizes == (6, 30, 20, 10)
    np.testing.assert_allclose(model.biases[0], base_rates(ROWS, "").bias)
    assert not any(c.any() for c in model.biases[1:])
    # 600 normals: the standard deviation has a relative error of 1 / sqrt(1200) = 3 %.
    assert model.weights[1].std() == pytest.approx(0.02, rel=0.1)
    assert (model.weights[0][:6, :20] != model.weights[1][:6, :20]).all()
    assert (model.weights[0] == initial_dbm(ROWS, [30], 7, 0.02).weights[0]).all()


BAD_JOINTS = {
    "6 columns, but the model has 7": {"model": random_dbm(7, 5, 4)},
    "number of epochs": {"epochs": 0},
    "batch size": {"batch_size": 0},
    "outside [0, 1]": {"rows": ROWS + 1.5},
    "the seed": {"seed": 2**32},
}
BAD_PHASES = {
    "number of chains": {"chains": 0},
    "chains' sweeps": {"sweeps": 0},
    "updates of mean field": {"mean_field": 0},
    "tolerance of mean field": {"tolerance": -1.0},
}


@pytest.mark.parametrize(("words", "wrong"), BAD_JOINTS.items(), ids=BAD_JOINTS)
def test_joint_training_that_cannot_be_is_named(k, words, wrong):
    assert words in complaint(Joint, k, **{"model": random_dbm(6, 5, 4), "rows": ROWS} | wrong)


@pytest.mark.parametrize(("words", "wrong"), BAD_PHASES.items(), ids=BAD_PHASES)
def test_phases_that_cannot_be_are_named(words, wrong):
    assert words in complaint(Phases, **wrong)


def test_a_dbm_that_diverges_says_so(k):
    run = Joint(k, random_dbm(6, 5, 4), ROWS, SGD(1e30), 200, BATCH, 1)
    with pytest.raises(Diverged, match=r"after \d+ updates"):
        run.advance(300)
    both = Pretrained(k, ROWS, [5, 4], None, SGD(0.1), 1, SGD(1e30), 200, BATCH)
    with pytest.raises(Diverged, match=r"joint training: .* after \d+ updates"):
        both.advance(306)
