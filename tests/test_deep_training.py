"""Stacks of RBMs and deep Boltzmann machines: their training against plain NumPy loops, and its parts."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from conftest import complaint, flat, random_rbm, random_rows
from scipy.special import expit

from ebmbench import datasets
from ebmbench.estimators import cd
from ebmbench.kernels.api import load
from ebmbench.models import dbm
from ebmbench.models.dbm import DBM, composed
from ebmbench.models.enumerate import log_z_brute_force
from ebmbench.models.rbm import RBM
from ebmbench.partition import base_rates
from ebmbench.randomness import HIDDEN, START, VISIBLE, Key, Stream, permutation, uniforms
from ebmbench.training.fit import STARTS, Diverged, Fit
from ebmbench.training.joint import Joint, Phases, initial_dbm
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.sgd import SGD
from ebmbench.training.stack import Stack, betas

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = random_rows(11, 6, seed=2)
BATCH = 4  # of 11 rows: two whole batches and a short one, three updates an epoch
HIDDEN_UNITS = [5, 4, 3]


def tolerance(k):
    """Float32 beside float64 over a dozen updates of size 0.1: some hundred roundings of 2**-24."""
    return 1e-12 if k.name == "reference" else 2e-5


def bits(model):
    """All parameters of a model as one vector."""
    return np.concatenate([np.ravel(x) for x in model.parameters.values()])


def stack(k, rows=ROWS, hidden=HIDDEN_UNITS, epochs=2, **others):
    options = {"optimiser": SGD(0.1, 0.5), "batch_size": BATCH, "seed": 3} | others
    return Stack(k, rows, hidden, epochs=epochs, **options)


def trained(trainer, *parts):
    """The model after these numbers of updates, by default all."""
    for updates in parts or (trainer.steps,):
        trainer.advance(updates)
    return trainer.model


# --- stacks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "settings", "visible"),
    [("cd", {"k": 2}, "binary"), ("sml", {"chains": 7}, "binary"), ("cd", {}, "gaussian")],
)
def test_a_stack_of_one_layer_is_the_rbm(k, estimator, settings, visible):
    optimiser = SGD(0.02, 0.5, 0.001, centred=visible == "binary")
    start = STARTS[visible](ROWS, 5, 3)
    fit = Fit(k, start, ROWS, estimator, settings, optimiser, 4, BATCH, 3)
    one = stack(
        k, hidden=[5], estimator=estimator, settings=settings, optimiser=optimiser, epochs=4,
        visible=visible,
    )  # fmt: skip
    (layer,) = trained(one).layers
    assert type(layer) is type(start)
    assert (bits(layer) == bits(trained(fit))).all()
    assert (one.steps, one.batches, one.done) == (12, 3, 12)


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("parts", [(7, 11), (6, 6, 6), (5, 1, 12), (12, 6), (1,) * 18, (13, 5)])
def test_updates_add_up_over_layers(k, doubled, parts):
    whole, split = stack(k, doubled=doubled), stack(k, doubled=doubled)
    assert (bits(trained(whole, 18)) == bits(trained(split, *parts))).all()


def test_a_look_between_two_updates_changes_nothing(k):
    whole, looked = stack(k), stack(k)
    for _ in range(18):
        looked.advance(1)
        assert np.isfinite(bits(looked.model)).all()
        assert looked.state()
    assert (bits(trained(whole)) == bits(looked.model)).all()


def test_layers_have_epochs_and_rates_of_their_own(k):
    optimisers = [SGD(rate, 0.0) for rate in (0.3, 1e-9, 0.3)]
    one = stack(k, epochs=[1, 2, 3], optimiser=optimisers)
    assert one.steps == 18
    assert one.stage == "layer 1 of 3"
    assert [layer.n_hidden for layer in trained(one, 4).layers] == [5, 4]
    assert one.stage == "layer 2 of 3"
    start = one.model.layers[1]
    first, second, third = trained(one, 14).layers
    assert (one.done, one.stage) == (18, "layer 3 of 3")
    assert np.abs(second.W - start.W).max() < 1e-6
    assert min(np.abs(first.W).max(), np.abs(third.W).max()) > 0.05
    assert "too many" in complaint(one.advance, 1)


def test_an_upper_layer_sees_draws_of_q_made_anew_each_epoch(k):
    """All rows in one batch: layers 2 and 3 are given (u < sigmoid(c + vW)), layer after layer."""
    seen = []

    def take(rows, index, first, count):
        seen.append((np.array(k.get_rows(rows), float), np.array(k.get_rows(index))))
        return k.device["take"](rows, index, first, count)

    spy = dataclasses.replace(k, device={**k.device, "take": take})
    one = stack(spy, batch_size=100, epochs=2)
    layers = trained(one).layers
    given = [rows for rows, _ in seen]
    assert len(given) == 6
    for update, rows in enumerate(given):
        wanted = ROWS.astype(float)
        for n, layer in enumerate(layers[: update // 2]):
            key = Key(3, Stream.RECOGNITION, update * 3 + n)
            u = uniforms(key, 11, layer.n_hidden, HIDDEN)
            wanted = (u < expit(layer.c + wanted @ layer.W)).astype(float)
        assert (rows == wanted).all()
    assert (given[2] != given[3]).any()
    assert (given[4] != given[5]).any()


@pytest.mark.parametrize("estimator", ["cd", "sml", "pseudolikelihood"])
def test_backends_train_the_same_stack(computed, estimator):
    """The same draws as long as no uniform falls between two probabilities 1e-6 apart."""
    rows = datasets.load("bars_and_stripes").train
    found, wanted = (
        trained(stack(k, rows, [9, 7, 5], estimator=estimator, batch_size=12, doubled=estimator == "cd"))
        for k in (computed, load("reference"))
    )
    np.testing.assert_allclose(bits(found), bits(wanted), rtol=0, atol=tolerance(computed))


@pytest.mark.parametrize("centred", [False, True])
def test_masked_weights_stay_exactly_zero(k, centred):
    masks = [None, random_rows(5, 4, seed=8), random_rows(4, 3, seed=9)]
    masks[1][0] = 0  # a unit that hears nobody
    one = stack(k, masks=masks, optimiser=SGD(0.1, 0.9, 0.01, centred=centred))
    open_ = stack(k, optimiser=SGD(0.1, 0.9, 0.01, centred=centred))
    one.advance(6)
    for _ in range(12):
        one.advance(1)
        for mask, layer in zip(masks[1:], one.model.layers[1:], strict=False):
            assert (layer.W[mask == 0] == 0.0).all()
            assert (layer.W[mask == 1] != 0.0).all()
    assert (bits(one.model.layers[0]) == bits(trained(open_).layers[0])).all()
    # Without a mask these move, so that zeros are its doing.
    assert np.abs(open_.model.layers[1].W[masks[1] == 0]).min() > 0.0


def test_a_mask_is_the_projection_of_the_gradient(k):
    """Plain steps of the exact gradient times the mask."""
    mask = random_rows(6, 4, seed=5)
    model = random_rbm(6, 4, seed=4, scale=0.5)
    fit = Fit(k, model, ROWS, "exact", None, SGD(0.1, 0.0), 4, 11, 3, mask=mask)
    W, b, c = model.W * mask, model.b, model.c
    reference = load("reference")
    for _ in range(3):
        (gradient, _), _ = reference.exact_gradient(reference.put(RBM(W, b, c)), ROWS.astype(float))
        W, b, c = W + 0.1 * mask * gradient["W"], b + 0.1 * gradient["b"], c + 0.1 * gradient["c"]
    found = trained(fit, 3)
    np.testing.assert_allclose(bits(found), bits(RBM(W, b, c)), rtol=0, atol=tolerance(k))


def test_divergence_names_the_layer(k):
    one = stack(k, optimiser=[SGD(0.1), SGD(1e30), SGD(0.1)], epochs=200)
    with pytest.raises(Diverged, match=r"layer 2 of 3: .* after \d+ updates"):
        one.advance(1800)
    assert one.done < 610


BAD_STACKS = {
    "at least one hidden layer": {"hidden": []},
    "hidden units must be at least 1": {"hidden": [5, 0]},
    "3 layers need as many numbers of epochs": {"epochs": [1, 2]},
    "3 layers need as many optimisers": {"optimiser": [SGD()]},
    "3 layers need as many masks": {"masks": [None]},
    "a mask must be 0 and 1 of shape [6, 5]": {"masks": [np.ones((5, 6)), None, None]},
    "number of epochs": {"epochs": 0},
    "unknown estimator": {"estimator": "pcd"},
    "score_matching needs Gaussian visible units": {
        "estimator": "score_matching", "visible": "gaussian",
    },
    "binary and trained by cd": {"estimator": "sml", "doubled": True},
    "trained by cd, not gaussian": {"visible": "gaussian", "doubled": True},
    "visible must be": {"visible": "real"},
    "the seed": {"seed": -1},
    "outside [0, 1]": {"rows": np.full((4, 6), 2.0)},
}  # fmt: skip


@pytest.mark.parametrize(("words", "wrong"), BAD_STACKS.items(), ids=BAD_STACKS)
def test_a_stack_that_cannot_be_is_named_before_it_starts(k, words, wrong):
    assert words in complaint(stack, k, **wrong)


# --- layers that hear each other twice ----------------------------------------------------------


@pytest.mark.parametrize("pair", [(1.0, 1.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (0.5, 1.5)])
@pytest.mark.parametrize("sweeps", [1, 3])
def test_contrastive_divergence_at_two_temperatures(k, pair, sweeps):
    model, rows = random_rbm(6, 5, seed=4), ROWS.astype(float)
    config = cd.Config(sweeps, *pair)
    key = Key(3, 0, 7)
    gradient, _, _ = cd.step(k, k.put(model), config, None, k.put_rows(ROWS), key)
    now, v = Key(3, Stream.CONTRASTIVE, 7 * sweeps), rows
    for t in range(sweeps):
        p = expit(pair[1] * (model.c + v @ model.W))
        h = uniforms(now.advance(t), 11, 5, HIDDEN) < p
        v = (uniforms(now.advance(t), 11, 6, VISIBLE) < expit(pair[0] * (model.b + h @ model.W.T))) + 0.0
    on, off = (expit(pair[1] * (model.c + x @ model.W)) for x in (rows, v))
    wanted = {
        "W": (rows.T @ on - v.T @ off) / 11,
        "b": (rows - v).mean(axis=0),
        "c": (on - off).mean(axis=0),
    }
    found = k.get_tree(k.put(model), gradient)
    np.testing.assert_allclose(flat(found), flat(wanted), rtol=0, atol=1e-6)


@pytest.mark.parametrize("beta", [0.0, -1.0, float("nan"), float("inf")])
def test_temperatures_that_cannot_be(beta):
    assert "hidden_beta" in complaint(cd.Config, 1, 1.0, beta)
    assert "visible_beta" in complaint(cd.Config, 1, beta, 1.0)


def test_who_hears_whom_twice():
    """The bottom RBM's hidden units, the top one's visible ones, and both of all between (figure 2)."""
    assert betas(1) == [(1.0, 1.0)]
    assert betas(2) == [(1.0, 2.0), (2.0, 1.0)]
    assert betas(4) == [(1.0, 2.0), (2.0, 2.0), (2.0, 2.0), (2.0, 1.0)]


def test_a_composed_layer_hears_both_neighbours_once():
    """The DBM's input of each hidden layer is the mean of what its two RBMs heard twice."""
    rng = np.random.default_rng(3)
    layers = [random_rbm(*sizes, seed=5) for sizes in ((6, 5), (5, 4), (4, 3))]
    model = composed(layers)
    states = [rng.integers(0, 2, (7, n)).astype(float) for n in model.sizes]
    for n in (1, 2):
        below, above = layers[n - 1], layers[n]
        doubled = [
            2.0 * (below.c + states[n - 1] @ below.W),
            2.0 * (above.b + states[n + 1] @ above.W.T),
        ]
        wanted = expit(sum(doubled) / 2.0)
        found = _given_neighbours(model, states, n)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)
    for n, layer in ((0, layers[0].transposed), (3, layers[-1])):
        wanted = expit(layer.c + states[1 if n == 0 else 2] @ layer.W)
        np.testing.assert_allclose(_given_neighbours(model, states, n), wanted, rtol=0, atol=1e-14)


def _given_neighbours(model, states, n):
    """p(layer n on | all others) of a DBM from differences of its energy."""
    found = np.empty_like(states[n])
    for unit in range(states[n].shape[1]):
        energies = []
        for value in (0.0, 1.0):
            now = [x.copy() for x in states]
            now[n][:, unit] = value
            energies.append(energy(model, now))
        found[:, unit] = expit(energies[0] - energies[1])
    return found


def energy(model, states):
    """E(v, h) of a DBM from the definition, [B]."""
    total = -sum(x @ b for x, b in zip(states, model.biases, strict=True))
    for W, below, above in zip(model.weights, states, states[1:], strict=False):
        total = total - np.einsum("bi,ij,bj->b", below, W, above)
    return total


def test_an_upper_layer_starts_at_its_rates(k):
    """sigmoid(beta b) is the smoothed rate of the units that it sees, doubled or not."""
    for doubled in (False, True):
        one = stack(k, doubled=doubled, optimiser=SGD(1e-9), epochs=1)
        one.advance(3)
        bottom = one.model.layers[0]
        upward = 2.0 if doubled else 1.0
        u = uniforms(Key(3, Stream.RECOGNITION, 3), 11, 5, HIDDEN)
        rows = u < expit(upward * (bottom.c + ROWS @ bottom.W))
        one.advance(1)
        np.testing.assert_allclose(
            upward * one.model.layers[1].b, base_rates(rows, "").bias, rtol=0, atol=1e-5
        )


def test_composed_refuses_what_is_no_stack_of_binary_layers():
    assert "do not chain" in complaint(composed, [random_rbm(4, 3), random_rbm(4, 3)])
    assert "at least one" in complaint(composed, [])
    real = STARTS["gaussian"](ROWS, 3, 0)
    assert "binary" in complaint(composed, [real, random_rbm(3, 2)])


# --- joint training -----------------------------------------------------------------------------


def random_dbm(*sizes, seed=0, scale=0.5):
    rng = np.random.default_rng([seed, *sizes])
    weights = [rng.normal(0.0, scale, pair) for pair in pairwise(sizes)]
    return DBM(tuple(weights), tuple(rng.normal(0.0, scale, n) for n in sizes))


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
    assert (bits(trained(run).bipartite) == bits(trained(fit))).all()


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
    bipartite = model.bipartite
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
    phases = Phases(chains=200, sweeps=5, mean_field=10)
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
