"""Bounds on the log-likelihood of DBN and DBM against enumeration, and samples against their laws."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from conftest import FAMILY_ALPHA, all_states, complaint, numbers_of, random_rbm, random_rows
from deep import log_weights, random_dbm
from gaussian import random_gaussian, real_rows
from general import random_general
from scipy import stats
from scipy.special import expit, logsumexp, xlogy

from ebmbench.evaluation import bounds
from ebmbench.evaluation.bounds import lower_bound
from ebmbench.evaluation.likelihood import evaluate
from ebmbench.evaluation.samples import draw
from ebmbench.evaluation.sandwich import DEFAULT, Sandwich
from ebmbench.models import dbm
from ebmbench.models.dbn import DBN
from ebmbench.models.enumerate import log_z_brute_force
from ebmbench.models.mlp import MLP
from ebmbench.partition import base_rates
from ebmbench.samplers.meanfield import augmented, silent

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = random_rows(9, 5, seed=1)


def random_dbn(*sizes, gaussian=False, scale=1.5):
    """Layers whose weights are large enough for the bound to be far from tight."""
    layers = [random_rbm(*pair, seed=n, scale=scale) for n, pair in enumerate(pairwise(sizes))]
    if gaussian:
        layers[0] = random_gaussian(*sizes[:2], seed=5)
    return DBN(tuple(layers))


SIZES = [(5, 4, 3), (5, 3, 4), (5, 4, 2, 3), (5, 2, 3, 2, 3)]
DBNS = [random_dbn(*sizes) for sizes in SIZES] + [random_dbn(5, 3, 4, gaussian=True)]
NAMES = [*map(str, SIZES), "Gaussian"]


def rows_of(model):
    return ROWS if model.visible == "binary" else real_rows(9, 5)


# --- the definition -----------------------------------------------------------------------------


def log_conditional(layer, v, h):
    """log p(v|h) of every row of v with every row of h, [len(v), len(h)]."""
    x = layer.b + h @ layer.W.T
    if layer.visible == "binary":
        return v @ np.log(expit(x)).T + (1.0 - v) @ np.log(expit(-x)).T
    spread = 1.0 / np.sqrt(layer.precision)
    return stats.norm.logpdf(v[:, None], x, spread).sum(axis=2)


def log_law(model):
    """log p(h) of the visible units of the top RBM, all states, from its joint law."""
    top = model.layers[-1]
    h, above = all_states(top.n_visible), all_states(top.n_hidden)
    joint = (h @ top.b)[:, None] + above @ top.c + h @ top.W @ above.T
    return logsumexp(joint, axis=1) - logsumexp(joint)


def log_likelihood(model, rows):
    """log p(v) of each row by sums over all states of all layers in between."""
    if len(model.layers) == 1:
        return log_law(model)[numbers_of(rows)]
    found = log_law(model)
    for layer in reversed(model.layers[1:-1]):
        found = logsumexp(log_conditional(layer, all_states(layer.n_visible), all_states(layer.n_hidden))
                          + found, axis=1)  # fmt: skip
    bottom = model.layers[0]
    return logsumexp(log_conditional(bottom, rows, all_states(bottom.n_hidden)) + found, axis=1)


def exact_bound(model, rows):
    """E_q[log p(v, h) - log q(h|v)] of each row by sums over all states, from the top down."""
    value = log_law(model)  # of each state of the layer, all that lies above it averaged under q
    for n in range(len(model.layers) - 2, -1, -1):
        layer = model.layers[n]
        below = rows if n == 0 else all_states(layer.n_visible)
        h = all_states(layer.n_hidden)
        scale = getattr(layer, "precision", 1.0)
        p = expit(layer.c + (below * scale) @ layer.W)
        log_q = np.log(p) @ h.T + np.log1p(-p) @ (1.0 - h).T
        value = (np.exp(log_q) * (log_conditional(layer, below, h) + value - log_q)).sum(axis=1)
    return value


@pytest.mark.parametrize("model", DBNS, ids=NAMES)
def test_the_definition_is_a_law(model):
    """Of v binary: the probabilities of all rows add up to one."""
    if model.visible == "binary":
        assert logsumexp(log_likelihood(model, all_states(5))) == pytest.approx(0.0, abs=1e-10)


# --- DBN ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", DBNS, ids=NAMES)
def test_the_exact_bound_is_below_the_log_likelihood(model):
    """On each row, and by 0.05 nats on average, so that it is no equality."""
    gap = log_likelihood(model, rows_of(model)) - exact_bound(model, rows_of(model))
    assert (gap > 0.0).all()
    assert gap.mean() > 0.05


@pytest.mark.parametrize("model", DBNS, ids=NAMES)
def test_the_bound_is_its_expectation(k, model):
    """40 seeds' squared z-scores against the exact bound sum to a chi-squared variate.

    A wrong value and a wrong standard error show. Rows that occur again, so that errors are independent.
    """
    rows = rows_of(model)
    wanted = exact_bound(model, rows).mean()
    found = [lower_bound(k, model, rows, "exact", samples=100, seed=seed) for seed in range(40)]
    assert {one.log_z.method for one in found} == {"exact"}
    total = sum(((one.mean - wanted) / one.sampling_error) ** 2 for one in found)
    lowest, highest = stats.chi2.ppf([FAMILY_ALPHA / 2, 1.0 - FAMILY_ALPHA / 2], len(found))
    assert lowest < total < highest
    assert all(0.0 < one.std_error == one.sampling_error < 1.0 for one in found)


def test_of_one_layer_the_bound_is_the_log_likelihood(k):
    for model, rows in ((random_rbm(5, 4), ROWS), (random_gaussian(5, 3), real_rows(9, 5))):
        base = base_rates(rows, "rows", model.kind)
        for method, settings in (("exact", {}), ("ais", {"betas": 20, "chains": 10})):
            found = lower_bound(k, DBN((model,)), rows, method, settings, base, seed=3)
            wanted = evaluate(k, model, rows, method, settings, base, 3)
            assert found.mean == pytest.approx(wanted.mean, abs=1e-9)
            assert (found.sampling_error, found.log_z.log_z) == (0.0, wanted.log_z.log_z)


def test_a_draw_of_q_is_of_its_own_row(k):
    """The bound of rows in another order is the same up to its error, and blocks are cut anywhere."""
    model, rows = DBNS[2], random_rows(40, 5, seed=3)
    whole = lower_bound(k, model, rows, "exact", samples=5)
    before = bounds._BLOCK
    try:
        bounds._BLOCK = 7
        cut = lower_bound(k, model, rows, "exact", samples=5)
    finally:
        bounds._BLOCK = before
    assert cut.mean == pytest.approx(whole.mean, abs=1e-5)
    assert cut.sampling_error == pytest.approx(whole.sampling_error, rel=1e-4)


# --- DBM ----------------------------------------------------------------------------------------

DBMS = [
    random_dbm(*sizes, seed=2, scale=1.0) for sizes in [(5, 4), (5, 4, 3), (5, 3, 2, 4), (5, 2, 3, 1, 2)]
]


def exact_dbm(model):
    """log p(v) of all states v by the definition, and log Z."""
    weights = log_weights(model)
    total = logsumexp(weights)
    return weights - total, total


@pytest.mark.parametrize("model", DBMS, ids=lambda model: str(model.sizes))
def test_the_bound_of_a_dbm_never_exceeds_its_log_likelihood(k, model):
    """With the exact log Z, row by row; float32 sums of a dozen terms are good to 1e-5."""
    log_p, log_z = exact_dbm(model)
    assert log_z == pytest.approx(log_z_brute_force(model.whole), abs=1e-9)
    rows = all_states(5)
    gap = log_p - (dbm.variational(model.whole, augmented(k, model, rows).astype(float), 5) - log_z)
    assert gap.min() > -1e-5
    hidden_layers = len(model.weights)
    assert gap.mean() > 0.01 if hidden_layers > 1 else np.abs(gap).max() < 1e-5
    found = lower_bound(k, model, ROWS, "exact")
    wanted = (log_p - gap)[numbers_of(ROWS)].mean()
    assert found.mean == pytest.approx(wanted, abs=1e-5)
    assert (found.sampling_error, found.std_error, found.n_rows) == (0.0, 0.0, 9)


@pytest.mark.parametrize("model", DBMS[1:], ids=lambda model: str(model.sizes))
def test_mean_field_raises_the_bound_layer_by_layer(k, model):
    """From the definition of the bound: after each side's update it is at least what it was before.

    Float32 means are off by 1e-7, and the bound by that times weights: 1e-5.
    """
    bipartite, v = model.whole, random_rows(9, 5, seed=4)
    rng = np.random.default_rng(2)
    handle, others = k.put(bipartite), bipartite.n_visible - 5
    even = rng.uniform(0.02, 0.98, (9, others)).astype(np.float32)
    odd = rng.uniform(0.02, 0.98, (9, bipartite.n_hidden))
    seen = [full_bound(bipartite, v, even, odd)]
    for _ in range(12):
        rows = np.concatenate([v, even], axis=1)
        odd = np.array(k.get_rows(k.hidden_probability(handle, k.put_rows(rows))), float)
        seen.append(full_bound(bipartite, v, even, odd))
        means, done = k.mean_field(handle, k.put_rows(v), k.put_rows(even), 1)
        assert done == 1
        even = np.array(k.get_rows(means))[:, 5:].astype(np.float32)
        seen.append(full_bound(bipartite, v, even, odd))
    rises = np.diff(seen, axis=0)
    assert rises.min() > -1e-5
    assert rises[:2].max() > 0.1
    rows = np.concatenate([v, even], axis=1).astype(float)
    np.testing.assert_allclose(dbm.variational(bipartite, rows, 5), seen[-1], atol=1e-4)


def full_bound(bipartite, v, even, odd):
    """E_q[-E] + H(q) of factorial q over all hidden layers, [B]."""
    rows = np.concatenate([v, even], axis=1).astype(float)
    found = rows @ bipartite.b + odd @ bipartite.c + ((rows @ bipartite.W) * odd).sum(axis=1)
    for means in (even.astype(float), odd):
        found -= (xlogy(means, means) + xlogy(1 - means, 1 - means)).sum(axis=1)
    return found


def test_silent_means_are_a_pass_upwards(k):
    """One update from them is h^1 of v alone, and h^2 of that h^1."""
    model = random_dbm(5, 4, 3, seed=2)
    means, _ = k.mean_field(k.put(model.whole), k.put_rows(ROWS), silent(k, 9, 3), 1)
    first = expit(model.biases[1] + ROWS @ model.weights[0])
    wanted = expit(model.biases[2] + first @ model.weights[1])
    np.testing.assert_allclose(np.array(k.get_rows(means))[:, 5:], wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["ais", "bridge", "reverse_ais"])
@pytest.mark.parametrize("model", DBMS[1:], ids=lambda model: str(model.sizes))
def test_log_z_of_a_dbm_agrees_with_enumeration(k, model, method):
    """Five seeds within four standard errors: chance of a false alarm 3e-4."""
    _, truth = exact_dbm(model)
    settings = {"betas": 300, "chains": 200}
    found = [lower_bound(k, model, ROWS, method, settings, seed=seed) for seed in range(5)]
    assert all(one.log_z.method == method for one in found)
    assert max(one.log_z.std_error for one in found) < 0.1
    assert max(abs(one.log_z.log_z - truth) / one.log_z.std_error for one in found) < 4.0
    exact = lower_bound(k, model, ROWS, "exact")
    for one in found:
        assert one.mean == pytest.approx(exact.mean + truth - one.log_z.log_z, abs=1e-6)
        assert one.std_error == one.log_z.std_error


# --- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [DBNS[0], DBMS[1]], ids=["dbn", "dbm"])
def test_several_methods_share_the_rows_part_and_check_each_other(k, model):
    said = []
    settings = {"betas": 100, "chains": 20, "sweeps": 10}
    methods = [*DEFAULT, "exact"]
    found = list(bounds.bounds(k, model, ROWS, methods, settings, samples=5, seed=1, now=said.append))
    assert [one.log_z.method for one in found] == methods
    assert len({round(one.mean + one.log_z.log_z, 9) for one in found}) == 1
    assert said[0] == "the rows' part of the bound"
    together = Sandwich(found)
    assert together.resolved
    assert together.verdict.startswith("resolved")
    low, high = (one.log_z for one in (found[0], found[2]))
    far = Sandwich([found[0], replace(found[2], log_z=replace(high, log_z=low.log_z + 5.0))])
    assert "so the bound may be up to 5.00 nats too high" in far.verdict


def test_where_annealing_starts_is_said(k):
    wanted = {
        "base rates of the rows": (random_dbm(5, 4), random_dbn(5, 4)),
        "base rates of the rows and the model's biases": (random_dbm(5, 4, 3, 2, 6),),
        "rates of layer 2 given the rows": (DBNS[2],),
    }
    for source, models in wanted.items():
        for model in models:
            base = bounds.base_of(k, model, ROWS, "the rows")
            assert base.source == source
            assert base.bias.shape == (bounds.normalised(model).n_visible,)
    model = random_dbm(5, 4, 3, 2, 6)
    base = bounds.base_of(k, model, ROWS, "the rows")
    wanted = np.concatenate([base_rates(ROWS, "").bias, model.biases[2], model.biases[4]])
    assert (base.bias == wanted).all()
    found = lower_bound(k, model, ROWS, "ais", {"betas": 3, "chains": 2}, base)
    assert found.log_z.base == "base rates of the rows and the model's biases"


BAD = {
    "5 visible units": {"rows": random_rows(4, 6)},
    "grey": {"rows": np.full((4, 5), 0.5)},
    "the seed": {"seed": -1},
    "unknown method": {"method": "guess"},
}


@pytest.mark.parametrize(("words", "wrong"), BAD.items(), ids=BAD)
def test_a_bound_that_cannot_be_is_named(k, words, wrong):
    for model in (DBNS[0], DBMS[1], random_general(5, 3)):
        assert words in complaint(lower_bound, k, model, **{"rows": ROWS} | wrong)
    assert "at least 2 samples" in complaint(lower_bound, k, DBNS[0], ROWS, samples=1)


# --- samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [random_dbn(4, 3, 2, scale=1.0), random_dbn(4, 2, 3, 2, scale=1.0), random_dbm(4, 3, 2, scale=0.7)],
    ids=["dbn-3", "dbn-4", "dbm"],
)
def test_samples_have_the_law_of_the_model(k, model):
    """A G-test of 20,000 chains after 40 sweeps against the enumerated p(v) of 16 states."""
    rows = draw(k, model, 20_000, 40, 3)
    assert (rows.shape, rows.dtype) == ((20_000, 4), np.uint8)
    counts = np.bincount(numbers_of(rows), minlength=16)
    states = all_states(4)
    law = np.exp(log_likelihood(model, states) if model.kind == "dbn" else exact_dbm(model)[0])
    assert stats.power_divergence(counts, law * 20_000, lambda_=0).pvalue > FAMILY_ALPHA
    uniform = stats.power_divergence(counts, np.full(16, 1250.0), lambda_=0).pvalue
    assert uniform < 1e-9  # the test can fail


def test_samples_of_one_layer_are_the_rbms(k):
    for model in (random_rbm(5, 4), random_gaussian(5, 3)):
        assert (draw(k, DBN((model,)), 7, 5, 2) == draw(k, model, 7, 5, 2)).all()
    real = draw(k, random_dbn(5, 3, 4, gaussian=True), 7, 5, 2)
    assert real.dtype == np.float32
    assert len(np.unique(real)) == 35


def test_a_network_has_no_samples(k):
    network = MLP((np.ones((2, 2)),), (np.zeros(2),), ("linear",))
    assert "mlp has no samples" in complaint(draw, k, network, 1, 1, 0)
