"""Stacks of RBMs: one upon the other, what the upper ones see, masks, layers that hear others twice."""

import dataclasses

import numpy as np
import pytest
from conftest import all_states, complaint, flat, random_rbm, random_rows
from deep import BATCH, ROWS, bits, energy, stack, tolerance, trained
from scipy.special import expit

from ebmbench import datasets
from ebmbench.estimators import cd
from ebmbench.kernels.api import load
from ebmbench.models.dbm import composed
from ebmbench.models.rbm import RBM, free_energy
from ebmbench.partition import base_rates
from ebmbench.randomness import HIDDEN, VISIBLE, Key, Stream, uniforms
from ebmbench.training.fit import STARTS, Diverged, Fit
from ebmbench.training.sgd import SGD
from ebmbench.training.stack import betas, turned

pytestmark = pytest.mark.usefixtures("one_thread")

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
    assert "whole one of at least 0" in complaint(one.advance, -1)


@pytest.mark.parametrize("doubled", [False, True])
def test_an_upper_layer_sees_draws_of_q_made_anew_each_epoch(k, doubled):
    """All rows in one batch: layers 2 and 3 are given u < sigmoid(beta (c + vW)), layer after layer."""
    seen = []

    def take(rows, index, first, count):
        seen.append((np.array(k.get_rows(rows), float), np.array(k.get_rows(index))))
        return k.device["take"](rows, index, first, count)

    spy = dataclasses.replace(k, device={**k.device, "take": take}, fused={})
    one = stack(spy, batch_size=100, epochs=2, optimiser=SGD(3.0), doubled=doubled)
    layers = trained(one).layers
    given = [rows for rows, _ in seen]
    beta = 2.0 if doubled else 1.0
    assert len(given) == 6
    for update, rows in enumerate(given):
        wanted = ROWS.astype(float)
        for n, layer in enumerate(layers[: update // 2]):
            key = Key(3, Stream.RECOGNITION, update * 3 + n)
            u = uniforms(key, 11, layer.n_hidden, HIDDEN)
            wanted = (u < expit(beta * (layer.c + wanted @ layer.W))).astype(float)
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
    "of numbers of epochs 3 layers need one each": {"epochs": [1, 2]},
    "of optimisers 3 layers need one each": {"optimiser": [SGD()]},
    "of masks 3 layers need one each": {"masks": [None]},
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
    "layer 2 starts as the one below, whose 6 visible units its 4 do not hold": {"tied": True},
    "layer 3 starts as the one below, whose 6": {"hidden": (6, 6, 5), "tied": True},
    "needs binary visible units, not gaussian": {"hidden": (6, 6), "tied": True, "visible": "gaussian"},
    "hears its neighbours once, but doubled": {"hidden": (6, 6), "tied": True, "doubled": True},
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


def test_a_layer_turned_round_has_the_law_of_the_one_below():
    """sum_v p(v, h) of the layer below is p(h) of the one above, but for units without weights."""
    below, h = random_rbm(6, 5), all_states(5).astype(float)
    above = turned(below, RBM(np.zeros((5, 9)), np.zeros(5), np.zeros(9)))
    of_h = h @ below.c + np.logaddexp(0.0, below.b + h @ below.W.T).sum(1)
    difference = -free_energy(above, h) - of_h
    np.testing.assert_allclose(difference, 3 * np.log(2.0), rtol=1e-12)


def test_a_tied_layer_starts_as_the_one_below(k):
    one = stack(k, hidden=(5, 8), tied=True, optimiser=[SGD(0.1), SGD(1e-9)], epochs=1)
    one.advance(4)
    below, above = one.model.layers
    for found, wanted in ((above.W[:, :6], below.W.T), (above.c[:6], below.b), (above.b, below.c)):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert 0 < np.abs(above.W[:, 6:]).max() < 0.1


def test_composed_refuses_what_is_no_stack_of_binary_layers():
    assert "do not chain" in complaint(composed, [random_rbm(4, 3), random_rbm(4, 3)])
    assert "at least one" in complaint(composed, [])
    real = STARTS["gaussian"](ROWS, 3, 0)
    assert "binary" in complaint(composed, [real, random_rbm(3, 2)])
