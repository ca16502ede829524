"""Denoising and imputation against the enumerated posterior, and what is said of how well they do."""

import json
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from conftest import BACKENDS, COMPUTED, FAMILY_ALPHA, all_states, backend, complaint, random_rbm
from deep import random_dbm
from general import log_weights, random_general
from scipy import stats
from scipy.special import logit, softmax

from ebmbench.errors import NotFinite
from ebmbench.evaluation import restoration, samples
from ebmbench.evaluation.damage import (
    HALVES,
    Damaged,
    base_left,
    flipped,
    left_over,
    missing,
    noisy,
    without_half,
)
from ebmbench.evaluation.damage import damaged as damaged_by
from ebmbench.evaluation.restoration import Score, restore
from ebmbench.evaluation.samples import PictureShape
from ebmbench.harness import gate
from ebmbench.models import bayes_net, boltzmann, elimination, markov_field
from ebmbench.models import enumerate as enumeration
from ebmbench.models import rbm as models
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.dbm import DBM
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.graph import lattice
from ebmbench.models.markov_field import ising
from ebmbench.models.rbm import free_energy
from ebmbench.models.storage import save_model
from ebmbench.partition import BaseRates, base_rates
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.posterior import posterior_means
from ebmbench.training.initial import initial_network

RBM = random_rbm(5, 4, seed=1, scale=1.2)
_COUPLINGS = np.triu(np.random.default_rng(8).normal(size=(5, 5)), 1)
_BIASES = np.random.default_rng(9).normal(size=5)
MODELS = {
    "rbm": RBM,
    "boltzmann_machine": BoltzmannMachine(1.5 * _COUPLINGS, _BIASES),
    "general_boltzmann_machine": random_general(5, 3, seed=4, scale=1.2),
    "bayes_net": BayesNet(2.0 * _COUPLINGS, _BIASES),
    "markov_field": ising(lattice(1, 5, 2.0), np.linspace(-1.0, 1.0, 7), 0.1),
}
PLAIN = [name for name in MODELS if name != "general_boltzmann_machine"]  # kinds of backends' jobs
ROW = np.array([[1, 0, 1, 1, 0]], np.uint8)
FLAT = BaseRates(np.zeros(5), "none")


def law(model):
    """All states of the visible units and log p of each, up to a constant."""
    if isinstance(model, GeneralBoltzmannMachine):
        return all_states(model.n_visible), log_weights(model)
    if isinstance(model, DBM):
        states, whole = all_states(model.whole.n_visible), model.whole
        alone = all_states(model.n_visible)
        value = -free_energy(whole, states)
        of = (states[:, None, : model.n_visible] == alone[None]).all(axis=2)
        return alone, np.log(np.exp(value) @ of)
    states = all_states(model.n_visible)
    return states, -energy(model)(states)


def energy(model):
    """Its free energy, as a function of states."""
    if model.kind == models.RBM.kind:
        return partial(free_energy, model)
    module = {"boltzmann_machine": boltzmann, "bayes_net": bayes_net, "markov_field": markov_field}
    return partial(module[model.kind].energy, model)


def exact_means(model, evidence):
    """p(v_i = 1 | evidence) of each row by Bayes' rule over all states."""
    states, log_p = law(model)
    on, off = np.minimum(evidence, 0)[:, None], -np.maximum(evidence, 0)[:, None]
    likely = np.where(states[None] == 1, on, off)
    return softmax(log_p + likely.sum(axis=2), axis=1) @ states


def telling(n_visible, n_hidden, scale):
    """A model whose units are on half of the time each, so that only the others tell what one is."""
    W = random_rbm(n_visible, n_hidden, seed=2, scale=scale).W
    return models.RBM(W, -W.sum(axis=1) / 2, -W.sum(axis=0) / 2)


EVIDENCE = {
    "noise": np.array([[1.5, -1.5, 1.5, 1.5, -1.5]]),
    "missing": np.array([[np.inf, -np.inf, 0.0, 0.0, -np.inf]]),
    "nothing": np.zeros((1, 5)),
    "all": np.array([[np.inf, -np.inf, np.inf, 2.0, 0.0]]),
}


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("kind", EVIDENCE)
def test_means_are_those_of_the_posterior(name, family, kind):
    """Two-sided z of 5 means over 2,000 chains of 120 sweeps, whose starts are long forgotten."""
    model, key = MODELS[family], Key(7, Stream.SAMPLES)
    evidence = np.repeat(EVIDENCE[kind], 2000, axis=0)
    found = posterior_means(backend(name), model, evidence, FLAT.bias, 120, key)
    exact = exact_means(model, EVIDENCE[kind])[0]
    known = np.isinf(EVIDENCE[kind][0])
    assert (found[:, known] == (EVIDENCE[kind][0] > 0)[known]).all()
    spread = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    z = (found.mean(axis=0) - exact)[~known] / spread[~known]
    assert np.abs(z).max() < stats.norm.isf(FAMILY_ALPHA / 2 / 5)
    assert spread.max() < 0.01  # else anything would do


@pytest.mark.parametrize("name", BACKENDS)
def test_a_grid_restores_what_elimination_finds(name):
    """2**48 states, of which nobody sums over all; z of 48 means over 600 chains of 200 sweeps."""
    rng, graph = np.random.default_rng(3), lattice(6, 8)
    model = ising(graph, 0.3 * rng.normal(size=len(graph.edges)) + 0.2)
    evidence = rng.choice([0.0, 1.5, -1.5, 60.0, -60.0], 48, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    _, exact = elimination.moments(replace(model, b=model.b + evidence))
    rows, key = np.repeat(evidence[None], 600, axis=0), Key(7, Stream.SAMPLES)
    found = posterior_means(backend(name), model, rows, np.zeros(48), 200, key)
    spread = found.std(axis=0, ddof=1) / np.sqrt(len(found)) + 1e-9
    z = (found.mean(axis=0) - exact.v) / spread
    assert np.abs(z).max() < stats.norm.isf(FAMILY_ALPHA / 2 / 48)
    assert spread.max() < 0.01


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("family", MODELS)
def test_rows_go_their_own_ways(name, family):
    """Each is a chain of its own number, whatever stands beside it."""
    k, model, key = backend(name), MODELS[family], Key(3, Stream.SAMPLES)
    evidence = np.tile(np.concatenate([*EVIDENCE.values()]), (5, 1))  # more than walk side by side
    whole = posterior_means(k, model, evidence, FLAT.bias, 10, key)
    for n, row in enumerate(evidence):
        alone = posterior_means(k, model, row[None], FLAT.bias, 10, key._replace(chain=n))
        np.testing.assert_array_equal(alone[0], whole[n])


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("family", PLAIN)
def test_long_walks_are_those_of_the_reference(name, family):
    """Beyond where sums that follow the units start anew, and where the sweeps that count begin."""
    model, evidence = MODELS[family], np.concatenate([*EVIDENCE.values()])
    key, start = Key(5, Stream.SAMPLES, step=9, chain=2), np.repeat(ROW, len(evidence), axis=0)
    wanted, found = (
        k.get_rows(k.posterior(k.put(model), k.put_rows(start), k.put_evidence(evidence), 150, 70, key))
        for k in (backend("reference"), backend(name))
    )
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("family", PLAIN)
def test_a_walk_of_nobody_and_mistakes(name, family):
    k, key = backend(name), Key(0, 0)
    handle, v = k.put(MODELS[family]), k.put_rows(ROW)
    nobody = k.posterior(handle, k.put_rows(ROW[:0]), k.put_evidence(np.zeros((0, 5))), 2, 1, key)
    assert k.get_rows(nobody).shape == (0, 5)
    flat = k.put_evidence(np.zeros((1, 5)))
    for given, words in (
        ((v, flat, 2, 2), "of 2 sweeps 2 cannot be left out"),
        ((v, flat, 2, -1), "of 2 sweeps -1"),
        ((v, k.put_evidence(np.zeros((2, 5))), 2, 1), "must be [1, 5], one a unit, not [2, 5]"),
        ((k.put_rows(ROW / 2), flat, 2, 1), "0 and 1 only"),
        ((k.put_rows(np.ascontiguousarray(ROW[:, :4])), flat, 2, 1), "[rows, 5]"),
    ):
        assert words in complaint(k.posterior, handle, *given, key)
    assert "numbers [rows, units]" in complaint(k.put_evidence, np.full((1, 5), np.nan))
    assert "numbers [rows, units]" in complaint(k.put_evidence, np.zeros(5))


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize(("bias", "weight"), [(-50.0, 60.0), (50.0, -60.0), (50.0, 60.0)])
def test_a_child_that_is_all_but_sure_tells_of_its_parent(name, bias, weight):
    """Its sigmoid is smaller than any share that a mean tells, and its weight makes it large."""
    W = np.zeros((2, 2))
    W[0, 1] = weight
    model, evidence = BayesNet(W, np.array([5.0, bias])), np.array([[0.0, 0.0], [0.0, np.inf]])
    start, key = np.zeros((2, 2), np.uint8), Key(1, Stream.SAMPLES)
    wanted, found = (
        k.get_rows(k.posterior(k.put(model), k.put_rows(start), k.put_evidence(evidence), 1, 0, key))
        for k in (backend("reference"), backend(name))
    )
    np.testing.assert_allclose(found[:, 0], wanted[:, 0], rtol=1e-4, atol=2**-59)


def test_weights_that_no_flip_can_be_reckoned_with():
    """Of a Bayesian network, whose children's factors would overflow."""
    W = np.zeros((5, 5))
    W[0, 4] = 90.0
    k = backend("cpu")
    with pytest.raises(NotFinite, match="beyond"):
        k.posterior(
            k.put(BayesNet(W, _BIASES)),
            k.put_rows(ROW),
            k.put_evidence(np.zeros((1, 5))),
            2,
            1,
            Key(0, 0),
        )


@pytest.mark.parametrize("name", BACKENDS)
def test_a_dbm_restores_what_its_visible_units_say(name):
    """Its upper layers are summed out."""
    model = random_dbm(5, 3, 2, seed=4, scale=1.5)
    damaged = missing(np.repeat(ROW, 2000, axis=0), 0.6, seed=2)
    found = restore(backend(name), model, damaged, FLAT, sweeps=120)
    exact = exact_means(model, damaged.evidence)
    off = np.where(damaged.counted, found.means - exact, np.nan)
    z = np.nanmean(off, axis=0) / (np.nanstd(off, axis=0) / np.sqrt(damaged.counted.sum(axis=0)))
    assert np.abs(z).max() < stats.norm.isf(FAMILY_ALPHA / 2 / 5)
    assert np.nanstd(off) < 0.2
    key = Key(0, Stream.SAMPLES)
    again = posterior_means(backend(name), model, damaged.evidence[:500], FLAT.bias, 120, key)
    np.testing.assert_array_equal(again, found.means[:500])


def test_the_law_of_the_data_restores_as_well_as_can_be():
    """Of draws of the model itself: its share of wrong bits is the enumerated posterior's, or nearly."""
    model = telling(8, 4, 2.0)
    rows = enumeration.draws(model, 4000, Key(2, Stream.EXACT))
    damaged = flipped(rows, 0.2, seed=5)
    rates = rows.mean(axis=0)
    found = restore(backend("cpu"), model, damaged, BaseRates(logit(rates), "rows"), sweeps=300)
    best = ((exact_means(model, damaged.evidence) > 0.5) != rows).mean()
    assert abs(found.model.wrong - best) < 0.004
    assert found.damaged == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / rows.size))
    assert found.gain
    assert found.model.wrong + 3 * found.model.wrong_std_error < found.base_rates.wrong
    assert found.base_rates.nats < found.model.nats < 0


def test_scores_are_those_of_the_counted_bits():
    """By hand: rows of one and of three missing bits, of which the base rates get one and two right."""
    rows = np.array([[1, 0, 1, 1, 0], [1, 0, 1, 1, 0]], np.uint8)
    lost = np.array([[1, 0, 0, 0, 0], [0, 0, 1, 1, 1]], bool)
    evidence = np.where(lost, 0.0, np.where(rows == 1, np.inf, -np.inf))
    damaged = Damaged(rows, np.where(lost, np.nan, rows), evidence, lost)
    p = np.array([0.9, 0.9, 0.8, 0.4, 0.1])
    found = restore(backend("reference"), RBM, damaged, BaseRates(logit(p), "given"), sweeps=2)
    assert (found.n_counted, found.damaged) == (4, None)
    assert found.base_rates.wrong == 0.25
    assert found.base_rates.nats == pytest.approx(np.log([0.9, 0.8, 0.4, 0.9]).mean())
    # Of the ratio 1/4: residuals 0 - 1/4 and 1 - 3/4.
    assert found.base_rates.wrong_std_error == pytest.approx(np.sqrt((1 / 16 + 1 / 16) * 2) / 4)


def test_a_gain_is_beyond_three_standard_errors_of_what_each_row_gains():
    """Chains of W = 0 say what the biases say; rows gain 2, 2, 2, 0 and -2 of their 2 bits."""
    b = np.array([4.0, -4.0])
    model = models.RBM(np.zeros((2, 1)), b, np.zeros(1))
    rows = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [0, 1]], np.uint8)
    k, damaged = backend("reference"), missing(rows, 1.0, 0)
    found = restore(k, model, damaged, BaseRates(-b, "turned over"), sweeps=2)
    assert (found.model.wrong, found.base_rates.wrong) == (0.3, 0.7)
    assert found.fewer == pytest.approx(0.4)
    gains = np.array([2, 2, 2, 0, -2]) - 0.4 * 2
    assert found.fewer_std_error == pytest.approx(np.sqrt((gains**2).sum() * 5 / 4) / 10)
    assert not found.gain
    other = BaseRates(-b, "turned over")
    assert restore(k, model, missing(np.repeat(rows, 20, axis=0), 1.0, 0), other, 2).gain
    found = restore(k, model, missing(rows[:1], 1.0, 0), other, 2)
    assert (found.fewer, found.fewer_std_error, found.gain) == (1.0, None, False)
    same = restore(k, model, damaged, BaseRates(b, "its own"), sweeps=2)
    assert (same.fewer, same.fewer_std_error, same.gain) == (0.0, 0.0, False)


def test_chains_start_from_base_rates():
    """From there alone: evidence that knows nothing, and weights that let no chain leave a mode."""
    W = np.full((4, 1), 40.0)
    model, k = models.RBM(W, np.full(4, -20.0), np.full(1, -80.0)), backend("reference")
    for bias in (-5.0, 5.0):
        found = posterior_means(k, model, np.zeros((50, 4)), np.full(4, bias), 10, Key(1, Stream.SAMPLES))
        assert (found.mean(axis=1) > 0.5).mean() == (bias > 0)


def test_blocks_of_rows_change_nothing(monkeypatch):
    rows = np.repeat(ROW, 7, axis=0)
    damaged, k = missing(rows, 0.5, 1), backend("cpu")
    whole = restore(k, RBM, damaged, FLAT, sweeps=5)
    told = []
    monkeypatch.setattr(restoration, "_BLOCK", 3)
    split = restore(k, RBM, damaged, FLAT, sweeps=5, finished=told.append)
    np.testing.assert_array_equal(split.means, whole.means)
    assert told == [3, 3, 1]


def test_flipped_bits():
    rows = np.tile(ROW, (4000, 1))
    _, seen, evidence, counted = flipped(rows, 0.1, seed=3)
    assert counted.all()
    assert (seen != rows).mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / rows.size))
    np.testing.assert_allclose(evidence, np.where(seen == 1, 1, -1) * np.log(9.0))
    np.testing.assert_array_equal(flipped(rows, 0.1, seed=3).seen, seen)
    assert (flipped(rows, 0.1, seed=4).seen != seen).any()
    np.testing.assert_array_equal(flipped(rows, 0.5, seed=3).evidence, 0.0)


def test_base_rates_of_rows_given_know_nothing_of_what_is_lost(ebmbench, files):
    """Of a single row all of which is missing nothing is left: its bits would have told all."""
    np.save(files / "one.npy", np.load(files / "rows.npy")[:1])
    _, out, _ = ebmbench(
        *["restore", "model.npz", "--data", "one.npy", "--missing", "1", "--sweeps", "4", "--json"]
    )
    assert json.loads(out)["base_rates_nats"] == pytest.approx(np.log(0.5))
    seen = np.array([[1, 0, np.nan], [np.nan, 0, np.nan], [0, 1, np.nan]])
    left = left_over(Damaged(np.zeros((3, 3)), seen, np.zeros((3, 3)), np.isnan(seen)))
    np.testing.assert_allclose(left, [[1, 0, 0.5], [0.5, 0, 0.5], [0, 1, 0.5]])


def test_what_is_left_of_bits_knows_the_damage():
    """Base rates of flipped rows are those of the rows, as far as the flips can be told from them."""
    rows = (np.random.default_rng(0).random((20_000, 6)) < np.linspace(0.0, 0.9, 6)).astype(np.uint8)
    wanted = base_rates(rows, "x").bias
    for given, off in ((flipped(rows, 0.3, 1), 0.15), (missing(rows, 0.4, 1), 0.1)):
        found = base_left(given, "x").bias
        assert np.abs(found - wanted)[1:].max() < off
        assert found[0] < -4.0  # never on
    given = missing(rows, 0.4, 1)
    np.testing.assert_allclose(base_left(given, "x").bias, base_rates(left_over(given), "x").bias)
    assert np.isfinite(base_left(flipped(rows, 0.5, 1), "x").bias).all()


def test_a_model_without_weights_gains_nothing_beside_what_is_left_of_flipped_rows():
    model = models.RBM(np.zeros((6, 2)), np.linspace(-2.0, 2.0, 6), np.zeros(2))
    rows = enumeration.draws(model, 3000, Key(1, Stream.EXACT)).astype(np.uint8)
    given = flipped(rows, 0.4, 2)
    assert not restore(backend("cpu"), model, given, base_left(given, "what is left"), 20).gain


def test_missing_units():
    rows = np.tile(ROW, (4000, 1))
    _, seen, evidence, counted = missing(rows, 0.3, seed=3)
    assert counted.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / rows.size))
    np.testing.assert_array_equal(np.isnan(seen), counted)
    np.testing.assert_array_equal(seen[~counted], rows[~counted])
    assert (evidence[counted] == 0).all()
    np.testing.assert_array_equal(evidence[~counted], np.where(rows == 1, np.inf, -np.inf)[~counted])
    assert missing(rows, 1.0, seed=3).counted.all()


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_halves(half, order):
    """Of 3 x 5 pictures, whose middle row or column stays."""
    rows = np.zeros((2, 15), np.uint8)
    seen = without_half(rows, half, PictureShape(3, 5, order)).seen
    lost = np.isnan(seen[0]).reshape(3, 5, order=order)
    expected = np.zeros((3, 5), bool)
    where = {"upper": np.s_[:1], "lower": np.s_[2:], "left": np.s_[:, :2], "right": np.s_[:, 3:]}
    expected[where[half]] = True
    np.testing.assert_array_equal(lost, expected)


def test_mistakes():
    grey, k = np.full((2, 5), 0.5), backend("reference")
    assert "binarise" in complaint(flipped, grey, 0.1, 0)
    for rate in (0.0, -0.1, 0.6, np.nan):
        assert "turned over" in complaint(flipped, ROW, rate, 0)
    for share in (0.0, 1.5, np.nan):
        assert "missing share" in complaint(missing, ROW, share, 0)
    assert "no unit" in complaint(missing, ROW, 1e-6, 0)
    assert "upper, lower, left, right" in complaint(without_half, ROW, "top", PictureShape(1, 5))
    assert "no upper half" in complaint(without_half, ROW, "upper", PictureShape(1, 5))
    assert "no pictures of 2x2" in complaint(without_half, ROW, "upper", PictureShape(2, 2))
    for shape in (None, "28x28", (28,), (0, 5), (1.0, 5.0), (1, 5, "x")):
        assert "height and width" in complaint(without_half, ROW, "left", shape)
    by_array = without_half(ROW, "left", np.array([1, 5]))
    np.testing.assert_array_equal(by_array.counted, without_half(ROW, "left", (1, 5)).counted)
    for amount in ("0.1", None, True, 10**400):
        for damage in (flipped, missing, noisy):
            assert f"must be a number, not {amount!r}" in complaint(damage, ROW, amount, 0)
        assert "must be a number" in complaint(damaged_by, ROW, "flip", amount, PictureShape(1, 5), 0)
    damaged = missing(ROW, 1.0, 0)
    assert "sweeps" in complaint(restore, k, RBM, damaged, FLAT, 1)
    assert "columns" in complaint(restore, k, random_rbm(4, 2), damaged, FLAT)
    assert "must be [5], but are [4]" in complaint(
        restore, k, RBM, damaged, BaseRates(np.zeros(4), "none")
    )
    assert "seed" in complaint(restore, k, RBM, damaged, FLAT, 10, -1)
    flat = np.zeros((1, 5))
    assert "sweeps" in complaint(posterior_means, k, RBM, flat, FLAT.bias, 1, Key(0, 0))
    assert "whole one" in complaint(posterior_means, k, RBM, flat, FLAT.bias, 2.5)
    for evidence in (flat[:, :4], flat[0], np.full((1, 5), np.nan)):
        assert "numbers [rows, 5]" in complaint(posterior_means, k, RBM, evidence, FLAT.bias)
    for bias in (np.zeros(4), np.full(5, np.nan)):
        assert "5 finite numbers" in complaint(posterior_means, k, RBM, flat, bias)
    assert posterior_means(k, RBM, flat[:0], FLAT.bias).shape == (0, 5)
    network = initial_network([5, 3, 2], ["relu", "linear"], 0)
    assert "not by mlp" in complaint(posterior_means, k, network, flat, FLAT.bias)


@pytest.fixture
def files(tmp_path):
    """A model of 16 visible units, and draws of it."""
    model = telling(16, 4, 4.0)
    save_model(tmp_path / "model.npz", model, {})
    np.save(tmp_path / "rows.npy", enumeration.draws(model, 200, Key(1, Stream.EXACT)).astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize("family", [family for family in MODELS if family != "rbm"])
def test_models_without_hidden_units_on_the_command_line(ebmbench, tmp_path, family):
    """Of draws of the model itself, which it knows more of than base rates do."""
    model = MODELS[family]
    states, log_p = law(model)
    chosen = np.random.default_rng(1).choice(len(states), 3000, p=softmax(log_p))
    np.save(tmp_path / "rows.npy", states[chosen].astype(np.uint8))
    save_model(tmp_path / "model.npz", model, {})
    line = "restore model.npz --data rows.npy --missing 0.3 --sweeps 60 --json"
    status, out, err = ebmbench(*line.split())
    assert status == 0, err
    assert json.loads(out)["gain"]


@pytest.mark.parametrize("way", ["--flip 0.2", "--missing 0.5", "--half lower"])
def test_on_the_command_line(ebmbench, files, way):
    line = f"restore model.npz --data rows.npy {way} --sweeps 40"
    status, out, err = ebmbench(*line.split(), "--out", "a.png", "--count", 5)
    assert status == 0, err
    assert re.search(r"\n model +\d", out)
    assert ("as damaged" in out) == ("flip" in way)
    assert (files / "a.png").read_bytes()[:4] == b"\x89PNG"
    status, out, _ = ebmbench(*line.split(), "--out", "a.npy", "--json")
    found = json.loads(out)
    assert status == 0
    assert set(found) == {
        *(f"{who}_{what}" for who in ("model", "base_rates") for what in Score._fields),
        "fewer", "fewer_std_error", "gain", "damaged_wrong", "counted", "base", "sweeps", "backend",
        "seed",
    }  # fmt: skip
    assert found["gain"]
    assert found["model_wrong"] == pytest.approx(found["base_rates_wrong"] - found["fewer"])
    probability = np.load(files / "a.npy")
    assert probability.shape == (200, 16)
    rows = np.load(files / "rows.npy")
    lower = np.arange(16) >= 8
    counted = {"--half lower": np.tile(lower, (200, 1)), "--flip 0.2": np.ones((200, 16), bool)}.get(way)
    if counted is not None:
        assert ((probability > 0.5) != rows)[counted].mean() == pytest.approx(found["model_wrong"])


def test_the_picture(tmp_path, monkeypatch):
    """Three pictures side by side, columns first, with gaps; black is 0 and white 1, whatever occurs."""
    drawn = []
    monkeypatch.setattr(samples, "_render", lambda file, sheet, *how: drawn.append((sheet, how)))
    rows, restored = np.array([[0, 1, 0, 0]], np.uint8), np.array([[0.1, 0.9, 0.2, 0.3]])
    samples.save_triples(
        tmp_path / "a.png", rows, np.array([[0, 1, np.nan, 0]]), restored, PictureShape(2, 2, "F")
    )
    sheet, how = drawn[0]
    nan = np.nan
    expected = [[0, 0, nan, 0, 0.5, nan, 0.1, 0.2], [1, 0, nan, 1, 0, nan, 0.9, 0.3]]
    np.testing.assert_array_equal(sheet, expected)
    assert how == ("png", 0.0, 1.0)


def test_one_row_and_no_gain_on_the_command_line(ebmbench, files):
    np.save(files / "one.npy", np.load(files / "rows.npy")[:1])
    line = "restore model.npz --data one.npy --flip 0.2 --sweeps 4"
    status, out, _ = ebmbench(*line.split())
    assert status == 0
    assert "inf" not in out
    assert out.endswith(
        "those of what is left of the rows given\nof one row there is no standard error\n"
    )
    assert "bits in one row;" in out
    _, out, _ = ebmbench(*line.split(), "--json")
    assert json.loads(out)["fewer_std_error"] is None


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "one of --flip 0.1, --noise 0.3, --missing 0.5 and --half lower"),
        ("--flip 0.1 --half lower", "one of"),
        ("--flip 0.7", "0.7"),
        ("--missing 2", "2"),
        ("--half top", "upper, lower, left, right"),
        ("--flip 0.1 --count 3", "--count"),
        ("--flip 0.1 --out a.png --count 0", "at least 1"),
        ("--flip 0.1 --out a.jpeg", "a.jpeg"),
        ("--flip 0.1 --out model.npz", "model.npz"),
        ("--flip 0.1 --out rows.npy", "rows.npy"),
        ("--half lower --seed -1", "seed"),
        ("--flip 0.1 --sweeps 1", "sweeps"),
        ("--flip 0.1 --data bars_and_stripes_3x3", "16 visible units"),
    ],
)
def test_a_mistake_is_one_sentence_and_loses_nothing(ebmbench, files, monkeypatch, line, named):
    before = {path: path.read_bytes() for path in files.iterdir()}
    monkeypatch.setattr(gate, "demand", lambda *_: pytest.fail("kernels first"))
    data = "" if "--data" in line else "--data rows.npy"
    status, out, err = ebmbench("restore", "model.npz", *data.split(), *line.split())
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
    assert {path: path.read_bytes() for path in files.iterdir()} == before


def test_other_models_say_that_they_do_not(ebmbench, files):
    save_model(files / "mlp.npz", initial_network([64, 3, 10], ["relu", "linear"], 0), {})
    status, _, err = ebmbench("restore", "mlp.npz", "--data", "digits", "--flip", "0.1")
    assert status == 2
    assert "boltzmann_machine, general_boltzmann_machine, markov_field, bayes_net, not by mlp" in err
