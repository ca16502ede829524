"""The fit loop and its optimiser against plain NumPy, and training against the exact log-likelihood."""

import dataclasses

import numpy as np
import pytest
from conftest import (
    all_states,
    complaint,
    device,
    flat,
    host,
    joint_law,
    random_rbm,
    random_rows,
)
from scipy.special import expit

from ebmbench import datasets
from ebmbench.kernels.api import load
from ebmbench.models.rbm import RBM, hidden_probability
from ebmbench.randomness import Key, Stream, permutation
from ebmbench.training.fit import Diverged, Fit, initial_model
from ebmbench.training.sgd import CENTRING_SLIDING, SGD

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = random_rbm(5, 4, seed=4, scale=0.5)
ROWS = random_rows(11, 5, seed=2)
BATCH = 4  # of 11 rows: two whole batches and a short one
# Float32 beside float64 over a dozen updates of size 0.1: some hundred roundings of 2**-24.
TOLERANCE = {"reference": 1e-12, "cpu": 2e-5}


def tolerance(k):
    return TOLERANCE.get(k.name, 2e-5)


def parameters(model):
    return {"W": model.W.copy(), "b": model.b.copy(), "c": model.c.copy()}


def test_updates_are_a_whole_number():
    fit = Fit(load("reference"), MODEL, ROWS, "cd")
    for updates in (-1, 2.5):
        assert "whole one of at least 0" in complaint(fit.advance, updates)
    fit.advance(0)
    assert fit.done == 0


def plain_gradient(p, rows):
    """The exact gradient, and the means of v and h over both phases, by sums over all states."""
    model = RBM(**p)
    joint = joint_law(model)
    v, h = all_states(len(p["b"])), all_states(len(p["c"]))
    on = hidden_probability(model, rows)
    plus = rows.T @ on / len(rows), rows.mean(axis=0), on.mean(axis=0)
    minus = v.T @ joint @ h, joint.sum(axis=1) @ v, joint.sum(axis=0) @ h
    gradient = dict(zip("Wbc", (a - b for a, b in zip(plus, minus, strict=True)), strict=True))
    means = {"b": (plus[1] + minus[1]) / 2, "c": (plus[2] + minus[2]) / 2}
    return gradient, means


def plain_fit(model, rows, optimiser, epochs, updates, seed):
    """Exact-gradient training as a plain loop, from the formulas in the papers."""
    p = parameters(model)
    velocity = {name: np.zeros_like(x) for name, x in p.items()}
    mu, lam = np.zeros(len(p["b"])), np.zeros(len(p["c"]))
    batches = -(-len(rows) // BATCH)
    for t in range(updates):
        epoch, number = divmod(t, batches)
        order = permutation(Key(seed, Stream.SHUFFLING, epoch), len(rows))
        gradient, means = plain_gradient(p, rows[order[number * BATCH :][:BATCH]])
        if optimiser.centred:
            share = CENTRING_SLIDING if t else 1.0
            mu = (1 - share) * mu + share * means["b"]
            lam = (1 - share) * lam + share * means["c"]
            centred = gradient["W"] - np.outer(mu, gradient["c"]) - np.outer(gradient["b"], lam)
            gradient["b"] = gradient["b"] - centred @ lam
            gradient["c"] = gradient["c"] - centred.T @ mu
            gradient["W"] = centred
        rate = optimiser.rate
        if optimiser.schedule == "linear":
            rate = optimiser.rate * (1 - t / (epochs * batches))
        for name in p:
            decay = optimiser.decay * p[name] if name == "W" else 0.0
            velocity[name] = optimiser.momentum * velocity[name] + rate * (gradient[name] - decay)
            p[name] = p[name] + velocity[name]
    return p


OPTIMISERS = {
    "plain": SGD(0.1, 0.0),
    "momentum": SGD(0.1, 0.9),
    "decay": SGD(0.1, 0.5, decay=0.2),
    "linear": SGD(0.2, 0.5, schedule="linear"),
    "centred": SGD(0.1, 0.5, centred=True),
}


def fit_error(k, optimiser, model=MODEL, updates=8):
    """The largest difference of a `Fit` with exact gradients from the plain loop: 2.7 epochs of 4."""
    wanted = plain_fit(model, ROWS, optimiser, 4, updates, 3)
    fit = Fit(k, model, ROWS, "exact", None, optimiser, epochs=4, batch_size=BATCH, seed=3)
    fit.advance(updates)
    return np.abs(flat(parameters(fit.model)) - flat(wanted)).max()


@pytest.mark.parametrize("optimiser", OPTIMISERS.values(), ids=OPTIMISERS)
def test_fit_is_the_plain_loop(k, optimiser):
    assert fit_error(k, optimiser) < tolerance(k)


def test_every_setting_changes_the_outcome():
    """So that no two of the plain loops above test the same thing."""
    fits = [flat(plain_fit(MODEL, ROWS, o, 4, 8, 3)) for o in OPTIMISERS.values()]
    for number, first in enumerate(fits):
        for second in fits[:number]:
            assert np.abs(first - second).max() > 0.01


def test_update_by_hand(k):
    """Three updates of one weight and two biases: rate 0.5, 0.25, 0.125; momentum 1/2; decay 1/4."""
    first = RBM([[2.0]], [1.0], [-1.0])
    model = k.put(first)
    velocity = k.zeros(model)
    seen = []
    for rate in (0.5, 0.25, 0.125):
        tree = {"W": np.array([[1.0]]), "b": np.array([2.0]), "c": np.array([-1.0])}
        gradient = device(k, tree, first)
        assert k.update(model, velocity, gradient, rate, 0.5, 0.25)
        seen.append([float(x) for x in flat(parameters(k.get(model)))])
    # W: v = .5(1 - .5) = .25; v = .125 + .25(1 - .5625) = .234375; v = .1171875 + .125(1 - .62109375)
    assert seen == [
        [2.25, 2.0, -1.5],
        [2.484375, 3.0, -2.0],
        [2.484375 + 0.1171875 + 0.125 * 0.37890625, 3.75, -2.375],
    ]


@pytest.mark.parametrize("formed", ["at once", "written down first"])
def test_a_velocity_that_dies_away_ends_at_zero(formed):
    """Momentum 0.9 rounds the smallest float32 to themselves, and each costs as much as a hundred."""
    k = load("cpu")
    size = 20, 40
    model = k.put(RBM(np.zeros(size), np.zeros(size[0]), np.zeros(size[1])))
    velocity = k.zeros(model)
    velocity["W"][:] = 1.0
    off = k.put_rows(np.zeros((5, size[0]), np.uint8))
    for _ in range(700):
        gradient = k.moments(model, off, off)[0]["W"]
        if formed == "written down first":
            gradient = np.asarray(gradient)
        k.update(model, {"W": velocity["W"]}, {"W": gradient}, 0.1, 0.9, 0.0)
    assert (velocity["W"] == 0.0).all()
    assert model.W[0, 0] == pytest.approx(9.0, rel=1e-4)


def centring_error(k, model):
    """The largest difference of `centre` from the contrast of (v - mu)(h - lambda)ᵀ."""
    plus, minus = (random_rows(n, model.n_visible, seed=n) for n in (6, 9))
    handle = k.put(model)
    gradient, means = k.moments(handle, k.put_rows(plus), k.put_rows(minus))
    rng = np.random.default_rng(5)
    old = {"W": np.zeros_like(model.W), "b": rng.uniform(size=model.n_visible)}
    old["c"] = rng.uniform(size=model.n_hidden)
    offsets = device(k, old, model)
    k.centre(handle, gradient, means, offsets, 0.25)
    phases = [(rows.astype(float), hidden_probability(model, rows)) for rows in (plus, minus)]
    mu = 0.75 * old["b"] + 0.25 * sum(v.mean(axis=0) for v, _ in phases) / 2
    lam = 0.75 * old["c"] + 0.25 * sum(h.mean(axis=0) for _, h in phases) / 2
    W = np.subtract(*((v - mu).T @ (h - lam) / len(v) for v, h in phases))
    b = np.subtract(*(v.mean(axis=0) for v, _ in phases)) - W @ lam
    c = np.subtract(*(h.mean(axis=0) for _, h in phases)) - W.T @ mu
    moved = host(k, offsets, model)
    wanted = [flat({"W": W, "b": b, "c": c}), mu, lam]
    found = [flat(host(k, gradient, model)), moved["b"], moved["c"]]
    return max(np.abs(x - y).max() for x, y in zip(found, wanted, strict=True))


@pytest.mark.parametrize("size", [(5, 4), (6, 6)], ids=str)
def test_centring_is_the_derivation(k, size):
    """Float32: contrasts of means of a dozen products, each within 5e-7, and sums of six of them."""
    assert centring_error(k, random_rbm(*size, seed=9)) < 4e-6


# --- runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("centred", [False, True])
def test_exact_training_climbs_the_log_likelihood(k, centred):
    """Full batches of small steps climb at every look, from -11.2 nats towards -log 30 = -3.4."""
    rows = datasets.load("bars_and_stripes").train
    model = initial_model(rows, 8, 1, scale=0.1)
    fit = Fit(k, model, rows, "exact", None, SGD(0.2, 0.5, centred=centred), 1000, len(rows), 1)
    seen = [exact_mean(k, model, rows)]
    for _ in range(12):
        fit.advance(40)
        seen.append(exact_mean(k, fit.model, rows))
    assert (np.diff(seen) > 0.0).all()
    assert seen[-1] - seen[0] > 5.0
    assert seen[-1] < -np.log(30.0)


def exact_mean(k, model, rows):
    handle = k.put(model)
    return -k.free_energy(handle, k.put_rows(rows)).mean() - k.log_z(model)


@pytest.mark.parametrize(("estimator", "settings"), [("cd", {"k": 2}), ("sml", {"chains": 7})])
def test_the_seed_decides_the_model(k, estimator, settings):
    def trained(seed):
        fit = Fit(k, MODEL, ROWS, estimator, settings, SGD(0.1), 5, BATCH, seed)
        fit.advance(9)
        return flat(parameters(fit.model))

    assert (trained(1) == trained(1)).all()
    assert (trained(1) != trained(2)).any()


def test_updates_add_up(k):
    whole, parts = (
        Fit(k, MODEL, ROWS, "sml", {"k": 2, "chains": 5}, SGD(0.1, schedule="linear"), 5, BATCH)
        for _ in range(2)
    )
    whole.advance(7)
    parts.advance(3)
    assert np.isfinite(parts.model.W).all()  # a look in between changes nothing
    parts.advance(4)
    assert (flat(parameters(whole.model)) == flat(parameters(parts.model))).all()


@pytest.mark.parametrize("estimator", ["exact", "cd", "sml"])
@pytest.mark.parametrize("centred", [False, True])
def test_backends_train_the_same_model(computed, estimator, centred):
    """The same samples as long as no uniform falls between two probabilities 1e-6 apart."""
    rows = datasets.load("bars_and_stripes").train
    model = initial_model(rows, 7, 1, scale=0.3)
    fits = [
        Fit(k, model, rows, estimator, {}, SGD(0.1, 0.5, 0.001, centred=centred), 5, 12, 3)
        for k in (load("reference"), computed)
    ]
    for fit in fits:
        fit.advance(6)
    found, wanted = (flat(parameters(fit.model)) for fit in reversed(fits))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance(computed))
    assert np.abs(wanted - flat(parameters(model))).max() > 0.1


def test_every_row_is_visited_once_an_epoch(k):
    seen = []

    def take(rows, index, first, count):
        seen.append(list(k.get_rows(index)[first : first + count]))
        return k.device["take"](rows, index, first, count)

    spy = dataclasses.replace(k, device={**k.device, "take": take}, fused={})
    fit = Fit(spy, MODEL, ROWS, "cd", None, None, epochs=2, batch_size=BATCH, seed=1)
    assert (fit.batches, fit.steps) == (3, 6)
    fit.advance(6)
    assert [len(index) for index in seen] == [4, 4, 3] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == list(range(11))
    assert (first != second).any()


@pytest.mark.parametrize("estimator", ["cd", "sml", "exact"])
@pytest.mark.parametrize("rate", [1e30, 1e8])
def test_a_run_that_diverges_says_so(k, estimator, rate):
    fit = Fit(k, MODEL, ROWS, estimator, None, SGD(rate), 100, BATCH, 1)
    with pytest.raises(Diverged, match=r"after \d+ updates"):
        fit.advance(300)
    assert fit.done < 10


def test_a_batch_larger_than_the_data_is_all_of_it(k):
    fit = Fit(k, MODEL, ROWS, "cd", None, None, epochs=3, batch_size=1000)
    assert (fit.batch_size, fit.batches, fit.steps) == (11, 1, 3)


def test_initial_model_starts_at_the_base_rates():
    rows = random_rows(50, 40, seed=6)
    rows[:, 0] = 0
    model = initial_model(rows, 60, 7, scale=0.02)
    np.testing.assert_allclose(expit(model.b), (rows.sum(axis=0) + 5) / 60, rtol=1e-12)
    assert (model.c == 0.0).all()
    # 2,400 normals: the standard deviation has a relative error of 1 / sqrt(4800) = 1.4 %.
    assert model.W.std() == pytest.approx(0.02, rel=0.06)
    assert abs(model.W.mean()) < 4 * 0.02 / np.sqrt(2400)
    assert (initial_model(rows, 60, 7, scale=0.02).W == model.W).all()
    assert (initial_model(rows, 60, 8, scale=0.02).W != model.W).all()


# --- bad input ----------------------------------------------------------------------------------

BAD_FITS = {
    "number of epochs": {"epochs": 0},
    "batch size": {"batch_size": 0},
    "5 visible units": {"rows": random_rows(4, 6)},
    "unknown estimator": {"estimator": "pcd"},
    "the seed": {"seed": -1},
    "no rows": {"rows": np.zeros((0, 5), np.uint8)},
    "not finite": {"rows": np.full((4, 5), np.nan, np.float32)},
}


@pytest.mark.parametrize(("words", "wrong"), BAD_FITS.items(), ids=BAD_FITS)
def test_a_fit_that_cannot_be_is_named(k, words, wrong):
    given = {"model": MODEL, "rows": ROWS, "estimator": "cd"} | wrong
    assert words in complaint(Fit, k, **given)


BAD_SETTINGS = {
    "learning rate": [{"rate": rate} for rate in (0.0, -1.0, float("nan"), float("inf"))],
    "momentum": [{"momentum": momentum} for momentum in (1.0, -0.1, float("nan"))],
    "weight decay": [{"decay": decay} for decay in (-1.0, float("inf"), float("nan"))],
    "schedule": [{"schedule": "cosine"}],
}


@pytest.mark.parametrize(
    ("words", "settings"), [(w, s) for w, all_ in BAD_SETTINGS.items() for s in all_]
)
def test_an_optimiser_that_cannot_be_is_named(words, settings):
    assert words in complaint(SGD, **settings)
