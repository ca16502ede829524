"""Denoising and imputation of real rows against the exact posterior, a mixture of normals."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import (
    BACKENDS,
    COMPUTED,
    FAMILY_ALPHA,
    all_states,
    backend,
    complaint,
    random_rbm,
)
from gaussian import random_gaussian
from scipy import stats
from scipy.special import softmax

from ebmbench.evaluation import restoration, samples
from ebmbench.evaluation.damage import (
    Damaged,
    base_left,
    damaged,
    flipped,
    missing,
    noisy,
    without_half,
)
from ebmbench.evaluation.restoration import Distance, restore
from ebmbench.evaluation.samples import PictureShape
from ebmbench.harness import gate
from ebmbench.models import gaussian_enumerate
from ebmbench.models.gaussian_rbm import GaussianRBM, visible_mean
from ebmbench.models.storage import save_model
from ebmbench.partition import BaseRates
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.posterior import independent_means, posterior_means

MODEL = random_gaussian(5, 4, seed=3, scale=0.5)
BASE = BaseRates(np.stack([np.linspace(-1.0, 1.0, 5), np.linspace(0.5, 2.0, 5)]), "none")
SEEN = np.array([0.4, -1.2, 2.0, 0.0, 0.7])
PRECISION = {
    "noise": np.array([1.0, 4.0, 0.3, 2.0, 1.0]),
    "missing": np.array([np.inf, np.inf, 0.0, 0.0, np.inf]),
    "nothing": np.zeros(5),
    "all": np.array([np.inf, 0.0, 2.0, 0.0, np.inf]),
}


def evidence_of(precision):
    """Of one row, [2, 1, 5]."""
    return np.stack([SEEN, precision])[:, None]


def exact_means(model, seen, precision):
    """E[v | evidence] by Bayes' rule: one normal for each state of h, weighted by its evidence."""
    h = all_states(model.n_hidden)
    known = np.isinf(precision)
    tau, beta = np.where(known, 0.0, precision), model.precision
    both = beta + tau
    mean = (beta * visible_mean(model, h) + tau * seen) / both
    # log of the integral over an unknown unit of its factor, less what is the same for all states
    free = 0.5 * both * mean**2
    given = seen * beta * (h @ model.W.T)
    log_weight = np.where(known, given, free).sum(axis=1) + h @ model.c
    return softmax(log_weight) @ np.where(known, seen, mean)


def test_the_exact_means_are_those_of_a_sum_on_a_grid():
    """One unit, whose integrals are sums over 20,001 points."""
    model = GaussianRBM(np.array([[1.5, -2.0]]), np.array([0.3]), np.array([0.2, 0.5]), np.array([2.0]))
    v, tau, seen = np.linspace(-12, 12, 20001), 0.7, 1.1
    h = all_states(2)
    joint = -((v[:, None] - 0.3) ** 2) + 2.0 * v[:, None] * (h @ model.W.T)[:, 0] + h @ model.c
    density = np.exp(joint - 0.5 * tau * (v[:, None] - seen) ** 2).sum(axis=1)
    wanted = (v * density).sum() / density.sum()
    assert exact_means(model, np.array([seen]), np.array([tau]))[0] == pytest.approx(wanted, abs=1e-6)


def check_means(k, kind):
    """Two-sided z of 5 means over 2,000 chains of 120 sweeps, whose starts are long forgotten."""
    evidence = np.repeat(evidence_of(PRECISION[kind]), 2000, axis=1)
    found = posterior_means(k, MODEL, evidence, BASE.bias, 120, Key(7, Stream.SAMPLES))
    exact, known = exact_means(MODEL, SEEN, PRECISION[kind]), np.isinf(PRECISION[kind])
    assert (found[:, known] == SEEN[known]).all()
    spread = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    z = (found.mean(axis=0) - exact)[~known] / spread[~known]
    assert np.abs(z).max() < stats.norm.isf(FAMILY_ALPHA / 2 / 5)
    assert spread.max() < 0.02  # else anything would do


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("kind", PRECISION)
def test_means_are_those_of_the_posterior(name, kind):
    check_means(backend(name), kind)


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("model", [MODEL, random_gaussian(33, 9, seed=1)], ids=["5x4", "33x9"])
def test_rows_go_their_own_ways(name, model):
    """Each is a chain of its own number, whatever stands beside it."""
    k, key = backend(name), Key(3, Stream.SAMPLES)
    precision = np.tile(np.concatenate([*PRECISION.values()]).reshape(4, 5), (20, 7))[
        :, : model.n_visible
    ]
    seen = np.random.default_rng(1).normal(size=precision.shape)
    evidence, bias = (
        np.stack([seen, precision]),
        np.stack([np.zeros(33), np.ones(33)])[:, : model.n_visible],
    )
    whole = posterior_means(k, model, evidence, bias, 6, key)
    for n in range(0, len(seen), 7):
        alone = posterior_means(k, model, evidence[:, n : n + 1], bias, 6, key._replace(chain=n))
        np.testing.assert_array_equal(alone[0], whole[n])


@pytest.mark.parametrize("name", COMPUTED)
def test_walks_are_those_of_the_reference(name):
    precision = np.stack([*PRECISION.values()])
    key = Key(5, Stream.SAMPLES, step=9, chain=2)
    start = np.random.default_rng(2).normal(size=(4, 5))
    evidence = np.hstack([np.tile(SEEN, (4, 1)), precision])
    wanted, found = (
        k.get_rows(k.posterior(k.put(MODEL), k.put_rows(start), k.put_evidence(evidence), 40, 20, key))
        for k in (backend("reference"), backend(name))
    )
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_walk_of_nobody_and_mistakes(name):
    k = backend(name)
    model, rows = k.put(MODEL), k.put_rows(np.ones((2, 5)) / 3)
    good = k.put_evidence(np.ones((2, 10)))
    key = Key(0, Stream.SAMPLES)
    before = k.get_rows(rows)
    assert k.get_rows(k.posterior(model, rows, good, 2, 1, key)).shape == (2, 5)
    np.testing.assert_array_equal(k.get_rows(rows), before)
    for shape in ((2, 5), (1, 10), (2, 11)):
        told = complaint(k.posterior, model, rows, k.put_evidence(np.ones(shape)), 2, 1, key)
        assert "[2, 10], two a unit" in told
    assert "some must count" in complaint(k.posterior, model, rows, good, 2, 2, key)
    none = posterior_means(k, MODEL, np.empty((2, 0, 5)), BASE.bias)
    assert none.shape == (0, 5)


def test_noise():
    rows = np.random.default_rng(0).normal(size=(2000, 5))
    found = noisy(rows, 0.25, 3)
    added = found.seen - rows
    assert stats.kstest(added.ravel() / 0.25, "norm").pvalue > FAMILY_ALPHA
    np.testing.assert_array_equal(found.evidence[0], found.seen)
    assert (found.evidence[1] == 16.0).all()
    assert found.counted.all()
    assert found.real
    np.testing.assert_array_equal(noisy(rows, 0.25, 3).seen, found.seen)
    assert (noisy(rows, 0.25, 4).seen != found.seen).any()


def test_what_is_missing_says_nothing_and_the_rest_is_known():
    rows = np.random.default_rng(0).normal(size=(50, 4))
    for found in (missing(rows, 0.4, 1, real=True), without_half(rows, "left", (2, 2), real=True)):
        lost = found.counted
        assert 0 < lost.mean() < 1
        assert np.isnan(found.seen[lost]).all()
        np.testing.assert_array_equal(found.seen[~lost], rows[~lost])
        np.testing.assert_array_equal(found.evidence[0], np.where(lost, 0.0, rows))
        np.testing.assert_array_equal(found.evidence[1], np.where(lost, 0.0, np.inf))


def test_independent_units_are_means_weighted_by_precisions():
    evidence = np.stack([np.tile(SEEN, (2, 1)), np.stack([PRECISION["noise"], PRECISION["missing"]])])
    found = independent_means(BASE.bias, evidence)
    mean, precision = BASE.bias
    tau = PRECISION["noise"]
    np.testing.assert_allclose(found[0], (precision * mean + tau * SEEN) / (precision + tau))
    np.testing.assert_array_equal(found[1], np.where(np.isinf(PRECISION["missing"]), SEEN, mean))


def telling(n_visible, n_hidden, seed):
    """A mixture whose parts are far apart and about as likely, so that units tell of each other."""
    model = random_gaussian(n_visible, n_hidden, seed)
    W, BW = model.W, model.precision[:, None] * model.W
    return replace(model, c=-model.b @ BW - W.sum(axis=1) @ BW / 2)


TELLING = telling(5, 2, seed=3)


def draws(n):
    return gaussian_enumerate.draws(TELLING, n, Key(1, Stream.EXACT))


def test_the_law_of_the_data_restores_as_well_as_can_be():
    """Draws of the model: its squared distance is that of the exact means, and below anybody else's."""
    given = noisy(draws(400), 0.8, 2)
    base = BaseRates(np.stack([draws(4000).mean(axis=0), 1 / draws(4000).var(axis=0)]), "draws")
    found = restore(backend("cpu"), TELLING, given, base, 300)
    exact = np.array([exact_means(TELLING, row, np.full(5, 0.8**-2.0)) for row in given.seen])
    best = float(((exact - given.rows) ** 2).mean())
    assert found.model.square == pytest.approx(best, rel=0.02)
    assert found.gain
    assert found.damaged == pytest.approx(((given.seen - given.rows) ** 2).mean())
    assert found.damaged > found.base_rates.square > found.model.square
    assert found.n_counted == 2000


@pytest.mark.parametrize("mean", [0.0, 10.0])
@pytest.mark.parametrize(
    "given",
    [
        lambda rows: noisy(rows, 1.0, 2),
        lambda rows: missing(rows, 0.3, 2, real=True),
        lambda rows: without_half(rows, "lower", (4, 4), real=True),
    ],
    ids=["noise", "missing", "half"],
)
def test_a_model_without_weights_gains_nothing_beside_what_is_left(mean, given):
    """Even one that has the law of independent data, where all columns are alike."""
    model = GaussianRBM(np.zeros((16, 2)), np.full(16, mean), np.zeros(2), np.full(16, 0.5))
    found = given(gaussian_enumerate.draws(model, 2000, Key(1, Stream.EXACT)))
    restored = restore(backend("cpu"), model, found, base_left(found, "what is left"), 20)
    assert not restored.gain
    assert restored.base_rates.square == pytest.approx(restored.model.square, rel=0.01)


def test_scores_are_those_of_the_counted_units():
    rows = np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 1.0]])
    counted = np.array([[True, False], [True, True], [False, True]])
    given = Damaged(rows, np.where(counted, np.nan, rows), np.zeros((2, 3, 2)), counted)
    means = np.array([[0.5, 9.0], [2.0, 5.0], [9.0, 0.0]])
    found = restoration.score(means, given)
    assert found.square == pytest.approx((0.25 + 0.0 + 4.0 + 1.0) / 4)
    losses, counts = np.array([0.25, 4.0, 1.0]), np.array([1, 2, 1])
    spread = np.sqrt(((losses - found.square * counts) ** 2).sum() * 3 / 2) / 4
    assert found.square_std_error == pytest.approx(spread)
    less, _ = restoration.fewer(means, means + counted, given)
    wanted = np.where(counted, (means + counted - rows) ** 2 - (means - rows) ** 2, 0.0).sum() / 4
    assert less == pytest.approx(wanted)


def test_mistakes():
    k, rows = backend("reference"), draws(3)
    for deviation in (0.0, -1.0, 1e-9, np.inf, np.nan):
        assert "standard deviation" in complaint(noisy, rows, deviation, 0)
    assert "not finite" in complaint(noisy, np.full((1, 5), np.nan), 0.1, 0)
    binary = np.ones((3, 5), np.uint8)
    told = complaint(restore, k, MODEL, flipped(binary, 0.1, 0), BASE)
    assert "damaged as bits, but the model's visible units are real" in told
    told = complaint(restore, k, random_rbm(5, 2), noisy(rows, 0.1, 0), BASE)
    assert "damaged as real units, but the model's visible units are bits" in told
    told = complaint(restore, k, MODEL, noisy(rows, 0.1, 0), BaseRates(np.zeros(5), "none"))
    assert "must be [2, 5], but are [5]; see base_rates(rows, source, 'gaussian_rbm')" in told
    shape = PictureShape(1, 5)
    assert "by noise, missing, half, not by flip" in complaint(damaged, rows, "flip", 0.1, shape, 0, True)
    assert "by flip, missing, half, not by noise" in complaint(damaged, binary, "noise", 0.1, shape, 0)
    good = evidence_of(PRECISION["noise"])
    bad = [good[0], good[:, :, :4], np.full_like(good, np.nan), -good]
    bad.append(np.stack([np.full((1, 5), np.inf), good[1]]))
    for evidence in bad:
        assert "[2, rows, 5]" in complaint(posterior_means, k, MODEL, evidence, BASE.bias)
    for bias in (BASE.bias[0], -BASE.bias, np.full((2, 5), np.nan)):
        assert "5 finite means" in complaint(posterior_means, k, MODEL, good, bias)


def test_base_rates_beside_a_model_have_each_column_s_own_variance(ebmbench, tmp_path):
    """With the floor of a tenth that annealing needs, a narrow column would be restored badly by them."""
    scale = np.array([0.01, 1.0, 10.0])
    model = GaussianRBM(np.zeros((3, 2)), np.zeros(3), np.zeros(2), scale**-2.0)
    rows = gaussian_enumerate.draws(model, 3000, Key(1, Stream.EXACT))
    np.savez(tmp_path / "data.npz", x_train=rows[:2000], x_test=rows[2000:])
    save_model(tmp_path / "model.npz", model, {})
    for data in ("data.npz:test", "data.npz"):
        line = ("restore", "model.npz", "--data", data, "--noise", 0.3, "--sweeps", 4, "--json")
        found = json.loads(ebmbench(*line)[1])
        assert not found["gain"]
        assert found["base_rates_square"] == pytest.approx(found["model_square"], rel=0.02)


def test_the_picture_has_the_range_of_rows_that_leave_0_and_1(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(samples, "_render", lambda file, sheet, *how: drawn.append(how))
    for low, high, ends in ((0.2, 0.7, (0.0, 1.0)), (3.0, 5.0, (3.0, 5.0)), (-0.5, 0.5, (-0.5, 0.5))):
        rows = np.linspace(low, high, 4)[None]
        samples.save_triples(tmp_path / "a.png", rows, rows, rows, PictureShape(2, 2))
        assert drawn.pop() == ("png", *ends)


@pytest.fixture
def files(tmp_path):
    """A model of 16 visible units, and draws of it."""
    model = telling(16, 2, seed=5)
    save_model(tmp_path / "model.npz", model, {})
    np.save(tmp_path / "rows.npy", gaussian_enumerate.draws(model, 200, Key(1, Stream.EXACT)))
    return tmp_path


@pytest.mark.parametrize("way", ["--noise 0.5", "--missing 0.5", "--half lower"])
def test_on_the_command_line(ebmbench, files, way):
    line = f"restore model.npz --data rows.npy {way} --sweeps 60"
    status, out, err = ebmbench(*line.split(), "--out", "a.png", "--count", 5)
    assert status == 0, err
    assert re.search(r"\n model +\d", out)
    assert "mean squared error" in out
    assert ("as damaged" in out) == ("noise" in way)
    assert (files / "a.png").read_bytes()[:4] == b"\x89PNG"
    status, out, _ = ebmbench(*line.split(), "--out", "a.npy", "--json")
    found = json.loads(out)
    assert status == 0
    assert set(found) == {
        *(f"{who}_{what}" for who in ("model", "base_rates") for what in Distance._fields),
        "fewer", "fewer_std_error", "gain", "damaged_square", "counted", "base", "sweeps", "backend",
        "seed",
    }  # fmt: skip
    assert found["gain"]
    assert found["model_square"] == pytest.approx(found["base_rates_square"] - found["fewer"])
    means, rows = np.load(files / "a.npy"), np.load(files / "rows.npy")
    if "noise" in way:
        assert ((means - rows) ** 2).mean() == pytest.approx(found["model_square"])
    else:
        assert (means == rows.astype(np.float32)).mean() == pytest.approx(
            1.0 - found["counted"] / rows.size
        )


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("--flip 0.1", "not by flip"),
        ("--noise 0", "standard deviation"),
        ("--noise 0.1 --half lower", "one of"),
        ("--noise 0.1 --count 3", "--count"),
        ("--noise 0.1 --data digits", "16 visible units"),
    ],
)
def test_a_mistake_is_one_sentence(ebmbench, files, monkeypatch, line, named):
    monkeypatch.setattr(gate, "demand", lambda *_: pytest.fail("kernels first"))
    data = "" if "--data" in line else "--data rows.npy"
    status, out, err = ebmbench("restore", "model.npz", *data.split(), *line.split())
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
