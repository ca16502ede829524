"""Training and judging models of Gaussian visible units, from the estimators up to the command line."""

import json
import sys

import numpy as np
import pytest
from conftest import complaint, needs_two_threads
from gaussian import differences, flat, log_z, mean_log_likelihood, parameters, random_gaussian, real_rows

from ebmbench import cli, datasets, estimators
from ebmbench.errors import Unavailable
from ebmbench.evaluation.likelihood import evaluate
from ebmbench.evaluation.mixture import gaussian_baselines
from ebmbench.evaluation.samples import draw
from ebmbench.kernels.api import load
from ebmbench.models.gaussian_rbm import TREE, GaussianRBM
from ebmbench.models.rbm import RBM
from ebmbench.models.storage import load_binary_model, save_model
from ebmbench.randomness import Key
from ebmbench.training.fit import Fit, initial_gaussian_model
from ebmbench.training.sgd import SGD

pytestmark = pytest.mark.usefixtures("one_thread")

APPLY = ("cd", "exact", "parallel_tempering", "score_matching", "sml")
BINARY = ("nce", "pseudolikelihood", "ratio_matching")
MODEL = random_gaussian(4, 3, seed=4, scale=0.3)
ROWS = real_rows(6, 4, seed=3)
KEY = Key(9, 0)


def mixture(count=600, seed=0):
    """Rows of two clusters in three dimensions, of scales 1, 2 and 10."""
    rng = np.random.default_rng(seed)
    centre = np.array([[-1.5, 2.0, 0.0], [1.5, -2.0, 15.0]])[rng.integers(0, 2, count)]
    return (centre + rng.normal(size=(count, 3)) * [0.5, 1.0, 5.0]).astype(np.float32)


def start_of(name, k, model, settings=None):
    module, config = estimators.find(name, settings or {})
    base = np.stack([model.b, model.precision]) if isinstance(model, GaussianRBM) else model.b
    return module, config, module.init(k, model, config, KEY, base)


def gradient(k, name, rows, model=MODEL, key=KEY, settings=None):
    module, config, state = start_of(name, k, model, settings)
    handle = k.put(model)
    tree, _, info = module.step(k, handle, config, state, k.put_rows(rows), key)
    return flat(k.get_tree(handle, tree)), info


# --- estimators ---------------------------------------------------------------------------------


def test_every_estimator_applies_or_says_why_not():
    assert set(APPLY) | set(BINARY) == set(estimators.known())


@pytest.mark.parametrize("name", BINARY)
def test_what_needs_binary_units_says_so(k, name):
    with pytest.raises(Unavailable, match=f"^{name} needs binary visible units, but"):
        start_of(name, k, MODEL)


def test_score_matching_needs_gaussian_units(k):
    binary = RBM(MODEL.W, MODEL.b, MODEL.c)
    with pytest.raises(Unavailable, match=r"^score_matching needs Gaussian visible units, but"):
        start_of("score_matching", k, binary)


@pytest.mark.parametrize("name", APPLY)
def test_a_step_gives_a_gradient_of_every_parameter(k, name):
    module, config, state = start_of(name, k, MODEL)
    handle, batch = k.put(MODEL), k.put_rows(ROWS)
    for step in range(3):
        tree, state, info = module.step(k, handle, config, state, batch, KEY.advance(step))
        found = k.get_tree(handle, tree)
        assert set(found) == set(TREE)
        for part in TREE:
            assert found[part].shape == getattr(MODEL, part.removeprefix("log_")).shape
            assert np.isfinite(found[part]).all()
        means = k.get_tree(handle, info["means"])
        assert (means["b"].shape, means["c"].shape) == ((4,), (3,))
    assert isinstance(config.label, str)
    np.testing.assert_allclose(k.get_rows(batch), ROWS, rtol=2.0**-24)


@pytest.mark.parametrize("name", ["cd", "exact", "parallel_tempering", "sml"])
def test_the_gradient_points_uphill(k, name):
    """Averaged over 50 keys: a small angle to that of the log-likelihood."""
    found = np.mean([gradient(k, name, ROWS, key=Key(s, 0))[0] for s in range(50)], axis=0)
    truth = flat(differences(lambda p: mean_log_likelihood(p, ROWS), parameters(MODEL)))
    assert found @ truth / np.sqrt((found @ found) * (truth @ truth)) > 0.9


def test_score_matching_noise_is_its_own(k):
    same = [gradient(k, "score_matching", ROWS, settings={"denoising": 0.3})[0] for _ in range(2)]
    other = gradient(k, "score_matching", ROWS, key=Key(10, 0), settings={"denoising": 0.3})[0]
    assert (same[0] == same[1]).all()
    assert (same[0] != other).any()
    closed = [gradient(k, "score_matching", ROWS, key=Key(s, 0))[0] for s in range(2)]
    assert (closed[0] == closed[1]).all()


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_wrong_noise_is_named(value):
    words = "denoising of estimator score_matching must be at least 0"
    assert words in complaint(estimators.find, "score_matching", {"denoising": value})


# --- training -----------------------------------------------------------------------------------


def test_the_initial_model_is_the_columns_own(k):
    rows = mixture()
    model = initial_gaussian_model(rows, 5, 1)
    np.testing.assert_allclose(model.b, rows.mean(axis=0, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(1.0 / model.precision[1:], rows.var(axis=0, dtype=float)[1:], rtol=1e-6)
    inputs = k.hidden_input(k.put(model), k.put_rows(rows))
    assert np.abs(inputs.mean(axis=0)).max() < 1e-5
    scaled = initial_gaussian_model(1000.0 * rows + 7.0, 5, 1)
    np.testing.assert_allclose(scaled.W, 1000.0 * model.W, rtol=1e-4)


def trained(k, estimator, settings=None, updates=300, fixed=(), rate=0.02, rows=None):
    rows = mixture() if rows is None else rows
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    model = initial_gaussian_model(rows, 3, 2, scale=0.1)
    fit = Fit(k, model, rows, estimator, settings, SGD(rate, 0.5), 1000, 200, 1, fixed)
    fit.advance(updates)
    before, after = (mean_log_likelihood(parameters(m), rows) for m in (model, fit.model))
    return model, fit.model, before, after


@pytest.mark.parametrize("fixed", [(), ("log_precision",)], ids=["learned", "fixed"])
@pytest.mark.parametrize("estimator", ["exact", "sml", "cd", "score_matching"])
def test_training_gains_over_independent_normals(k, estimator, fixed):
    """Two clusters: a model of one hidden unit gains log 2 at most times what their overlap leaves."""
    settings = {"denoising": 0.2} if estimator == "score_matching" else {}
    start, model, before, after = trained(k, estimator, settings, fixed=fixed)
    assert after > before + 0.2
    same = np.allclose(model.precision, start.precision, rtol=1e-6)
    assert same == bool(fixed)


def test_exact_training_climbs_at_every_look(k):
    seen = [trained(k, "exact", updates=n, rate=0.05)[3] for n in (1, 20, 60, 150)]
    assert (np.diff(seen) > 0.0).all()


@pytest.mark.parametrize("estimator", APPLY)
def test_backends_train_the_same_model(computed, estimator):
    """Float32 beside float64 over eight updates; no uniform falls between two probabilities."""
    found, wanted = (
        flat(parameters(trained(k, estimator, updates=8)[1])) for k in (computed, load("reference"))
    )
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-5)


def test_updates_by_hand(k):
    """log_precision moves with its momentum, precision and what v is multiplied by follow."""
    model = GaussianRBM([[2.0]], [1.0], [-1.0], [4.0])
    handle = k.put(model)
    velocity = k.zeros(handle)
    gradient = k.zeros(handle)
    gradient["log_precision"][:1] = 2.0
    for rate in (0.5, 0.25):
        assert k.update(handle, velocity, gradient, rate, 0.5, 0.0)
    after = k.get(handle)
    assert after.precision[0] == pytest.approx(4.0 * np.exp(1.0 + 0.5 + 0.5), rel=1e-6)
    x = k.hidden_input(handle, k.put_rows(np.array([[0.5]])))
    assert x[0, 0] == pytest.approx(-1.0 + 0.5 * after.precision[0] * 2.0, rel=1e-6)
    gradient["log_precision"][:1] = 1e3
    assert not k.update(handle, velocity, gradient, 1.0, 0.5, 0.0)


def test_w_and_b_take_steps_in_units_of_standard_deviations(k):
    model = GaussianRBM([[2.0], [1.0]], [1.0, 3.0], [-1.0], [4.0, 0.5])
    handle = k.put(model)
    velocity, gradient = k.zeros(handle), k.zeros(handle)
    gradient["W"][:2, :1], gradient["b"][:2], gradient["c"][:1] = 1.0, 2.0, 3.0
    assert k.update(handle, velocity, gradient, 0.5, 0.0, 0.25)
    after = k.get(handle)
    # 2 + (1 / 4 - 2 / 4) / 2, 1 + (1 / 0.5 - 1 / 4) / 2; the biases do not decay
    np.testing.assert_allclose(after.W, [[1.875], [1.875]], rtol=1e-6)
    np.testing.assert_allclose(after.b, [1.25, 5.0], rtol=1e-6)
    np.testing.assert_allclose(after.c, [0.5], rtol=1e-6)
    np.testing.assert_allclose(k.get_tree(handle, gradient)["b"], 2.0)


@pytest.mark.parametrize("estimator", ["exact", "sml", "score_matching"])
def test_the_units_of_the_data_play_no_part_in_training(estimator):
    """Fixed precision: of rows 64 times as large W and b come out 64 times as large.

    The loss of score matching falls with the square of the rows' size, so the rate must make up for it.
    """
    k, rows = load("reference"), mixture()
    rows = rows / rows.std(axis=0)
    found = []
    for size in (1.0, 64.0):
        model = initial_gaussian_model(size * rows, 3, 2, scale=0.1)
        rate = SGD(0.02 * (size**2 if estimator == "score_matching" else 1.0))
        fit = Fit(k, model, size * rows, estimator, None, rate, 10, 100, 1, ("log_precision",))
        fit.advance(20)
        found.append(fit.model)
    np.testing.assert_allclose(found[1].W, 64.0 * found[0].W, rtol=1e-6)
    np.testing.assert_allclose(found[1].b, 64.0 * found[0].b, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[1].c, found[0].c, rtol=1e-6)


def test_a_fit_that_cannot_be_is_named(k):
    assert "log_precision, not 'precision'" in complaint(Fit, k, MODEL, ROWS, "cd", fixed=("precision",))
    wrong = ROWS.copy()
    wrong[1, 2] = np.nan
    assert "not finite" in complaint(Fit, k, MODEL, wrong, "cd")
    assert "float32 cannot" in complaint(Fit, k, MODEL, np.full((2, 4), 1e300), "cd")
    binary = RBM(MODEL.W, MODEL.b, MODEL.c)
    assert "outside [0, 1]" in complaint(Fit, k, binary, ROWS, "cd")
    assert "needs binary visible units" in complaint(Fit, k, MODEL, ROWS, "pseudolikelihood")
    told = complaint(Fit, k, MODEL, ROWS, "cd", None, SGD(0.1, centred=True))
    assert told == "the centred gradient is for binary visible units, not for Gaussian ones"


# --- evaluation and samples ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exact", "ais", "bridge", "reverse_ais"])
def test_the_mean_log_density(k, method):
    settings = {} if method == "exact" else {"betas": 300, "chains": 200}
    found = evaluate(k, MODEL, ROWS, method, settings, seed=1)
    wanted = mean_log_likelihood(parameters(MODEL), ROWS)
    assert abs(found.mean - wanted) < 4.0 * found.log_z.std_error + 1e-5
    assert found.log_z.log_z == pytest.approx(log_z(parameters(MODEL)), abs=0.1)


def test_a_density_needs_finite_rows_and_a_probability_binary_ones(k):
    wrong = ROWS.copy()
    wrong[0, 0] = np.inf
    assert "not finite" in complaint(evaluate, k, MODEL, wrong, "exact")
    binary = RBM(MODEL.W, MODEL.b, MODEL.c)
    assert "outside [0, 1]" in complaint(evaluate, k, binary, ROWS, "exact")


def test_samples_are_real(k):
    rows = draw(k, MODEL, 50, 3, 1)
    assert (rows.shape, rows.dtype) == ((50, 4), np.float32)
    assert len(np.unique(rows)) == 200


# --- files and the command line -----------------------------------------------------------------


@pytest.fixture
def ebmbench(capsys, monkeypatch, tmp_path):
    """Run a command line; gives status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ebmbench.harness.gate.demand", lambda *_: 0.0)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ebmbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


def test_real_files_are_read_where_the_model_is_gaussian(tmp_path):
    file = tmp_path / "x.npy"
    np.save(file, mixture())
    assert datasets.load(file, real=True).train.dtype == np.float32
    assert len(datasets.read_rows(f"{file}:test", real=True)[0]) == 120
    assert "outside [0, 1]" in complaint(datasets.load, file)
    np.save(file, np.array([[0.0, np.nan], [1.0, 2.0]]))
    assert "not a finite number" in complaint(datasets.load, file, real=True)


def test_train_evaluate_and_sample(ebmbench, tmp_path):
    rows = mixture()
    np.save(tmp_path / "x.npy", rows / rows.std(axis=0))
    common = (
        "--dataset",
        "x.npy",
        "--visible",
        "gaussian",
        "--hidden",
        4,
        "--epochs",
        20,
        "--rate",
        0.02,
    )
    for estimator, more in (
        ("cd", ("--precision", "fixed", "--out", "fixed.npz")),
        ("score_matching", ("--denoising", 0.1, "--out", "m.npz")),
    ):
        code, _, err = ebmbench("train", "--estimator", estimator, *common, *more)
        assert code == 0, err
    with np.load(tmp_path / "fixed.npz") as content:
        train = datasets.load("x.npy", real=True).train
        np.testing.assert_allclose(1.0 / content["precision"], train.var(axis=0), rtol=1e-4)
    code, out, err = ebmbench("evaluate", "m.npz", "--data", "x.npy:test", "--betas", 50, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [one["method"] for one in found["estimates"]] == ["ais", "bridge", "reverse_ais", "exact"]
    assert found["resolved"]
    for name in ("s.npy", "s.png"):
        code, _, err = ebmbench("sample", "m.npz", "--out", name, "--count", 5, "--sweeps", 10)
        assert code == 0, err
    assert np.load(tmp_path / "s.npy").dtype == np.float32


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --visible real", "visible must be one of binary, gaussian"),
        ("train --visible gaussian --precision free", "precision must be one of learned, fixed"),
        ("train --precision fixed", "binary units have no precision"),
        ("train --visible gaussian --centred", "centred gradient is for binary visible units"),
        ("train --visible gaussian --estimator nce", "nce needs binary visible units"),
        ("train --estimator score_matching", "score_matching needs Gaussian visible units"),
        ("train --dataset x.npy", "outside [0, 1]"),
        ("evaluate b.npz --data x.npy", "outside [0, 1]"),
    ],
)
def test_a_mistake_is_one_sentence(ebmbench, tmp_path, line, words):
    np.save(tmp_path / "x.npy", mixture())
    save_model(tmp_path / "b.npz", RBM(np.ones((3, 2)), np.ones(3), np.ones(2)), {})
    code, _, err = ebmbench(*line.split())
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_a_gaussian_model_is_no_noise_for_nce(tmp_path):
    save_model(tmp_path / "g.npz", MODEL, {})
    assert "Gaussian visible units" in complaint(load_binary_model, tmp_path / "g.npz")


@needs_two_threads
def test_threads_do_not_change_what_is_trained(computed, threads, monkeypatch):
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)
    found = []
    for count in (1, 2):
        threads(count)
        found.append(flat(parameters(trained(computed, "sml", updates=10)[1])))
    assert (found[0] == found[1]).all()


# --- suites -------------------------------------------------------------------------------------

SUITE = """
[[train]]
dataset = "clusters.npy"
visible = "gaussian"
precision = ["learned", "fixed"]
backend = "cpu"
estimator = [{ name = "sml", chains = 20 }, { name = "pseudolikelihood" }]
hidden = 3
epochs = 200
rate = 0.05
evaluate = "exact"
checkpoints = 2
"""


def test_a_suite_of_gaussian_units(ebmbench, tmp_path):
    """Two cases train, and beat independent normals; two say why their principle does not apply."""
    rows = mixture()
    np.save(tmp_path / "clusters.npy", rows / rows.std(axis=0))
    (tmp_path / "s.toml").write_text(SUITE, encoding="utf-8")
    code, _, err = ebmbench("run", "s.toml")
    assert code == 0, err
    lines = (tmp_path / "results" / "s" / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert sorted(row["status"] for row in found) == ["done", "done", "unavailable", "unavailable"]
    for row in found:
        if row["status"] == "done":
            assert row["log_likelihood"] > row["baseline_independent"] + 0.2
            assert row["baseline_mixture"] > row["baseline_independent"]
        else:
            assert row["reason"].startswith("pseudolikelihood needs binary visible units")
    assert {row["precision"] for row in found} == {"learned", "fixed"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [np.ones((1, 3)), np.ones((20, 3)), np.repeat(np.eye(3), 9, axis=0)])
def test_the_mixture_of_few_different_rows(rows):
    """No more components than rows that differ, and nothing that scikit-learn would warn of."""
    found = gaussian_baselines(rows.astype(np.float32), rows.astype(np.float32))
    assert found["baseline_mixture"] >= found["baseline_independent"] - 1e-6
