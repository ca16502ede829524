"""The tasks on a given model: gradients, log Z and samplers against what is known of small models."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import complaint, flat, random_rbm

import ebmbench
from ebmbench.harness import run as harness
from ebmbench.harness import sources, spec, table
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import gradient, log_z, sample
from ebmbench.models import elimination
from ebmbench.models import enumerate as exact
from ebmbench.models.markov_field import dense
from ebmbench.models.rbm import free_energy, hidden_probability
from ebmbench.models.storage import save_model
from ebmbench.training.initial import initial_network

RECIPE = {"random": [5, 4], "scale": 1.0, "seed": 3}
ROWS = 20
GRADIENT = gradient.Case(
    backend="cpu", model=RECIPE, estimator={"name": "cd"}, rows=ROWS, replicates=2000, temperature=0.7
)
LOG_Z = log_z.Case(backend="cpu", model=RECIPE, method={"name": "ais", "betas": 100})
SAMPLE = sample.Case(backend="cpu", model=RECIPE, sampler="gibbs", burn_in=100, sweeps=500, chains=40)


def run_one(folder, case, **changes):
    (row,) = harness.run(Suite("tiny", "Tiny", True, (replace(case, **changes),)), folder)
    return row


# Models


def test_a_model_comes_by_name_file_or_recipe(tmp_path, monkeypatch):
    path = tmp_path / "mine.npz"
    model = random_rbm(3, 2)
    save_model(path, model, {})
    monkeypatch.setenv("EBMBENCH_DATA", str(tmp_path))
    for source in (str(path), "mine.npz"):
        assert (sources.load_model(source).W == model.W).all()
        assert sources.model_name(source) == "mine"
    assert sources.load_model("digits_rbm20").n_hidden == 20
    assert sources.load_model(RECIPE).W.shape == (5, 4)
    assert sources.model_name(RECIPE) == "random 5x4, scale 1, seed 3"


def test_temperature_divides_every_parameter():
    cold, warm = sources.load_model(RECIPE, 0.5), sources.load_model(RECIPE, 2.0)
    for name in ("W", "b", "c"):
        np.testing.assert_allclose(getattr(cold, name), 4 * getattr(warm, name))


def test_a_published_model_that_is_not_there_is_unavailable_and_says_so(tmp_path, monkeypatch):
    """But a misspelt name is a mistake, told before anything runs."""
    monkeypatch.setenv("EBMBENCH_DATA", str(tmp_path))
    (name,) = sources.PUBLISHED
    row = run_one(tmp_path / "out", LOG_Z, model=name)
    assert row["status"] == "unavailable"
    assert name in row["reason"]
    assert "no_such.npz" in complaint(run_one, tmp_path / "none", LOG_Z, model="no_such.npz")
    assert not (tmp_path / "none").exists()


def test_the_models_that_suites_name_are_known():
    cases = [case for suite in spec.known_suites() for case in spec.load(suite).cases]
    models = [str(case.model) for case in cases if hasattr(case, "model")]
    assert {name for name in models if name.endswith(".npz")} == set(sources.PUBLISHED)


def test_a_gaussian_model_is_not_taken_for_a_binary_one(tmp_path):
    path = tmp_path / "gaussian.npz"
    np.savez(path, W=np.ones((3, 2)), b=np.zeros(3), c=np.zeros(2), precision=np.ones(3))
    row = run_one(tmp_path / "out", LOG_Z, model=str(path))
    assert row["status"] == "failed"
    assert "gaussian_rbm" in row["reason"]


def test_a_changed_model_file_runs_again(tmp_path):
    path = tmp_path / "mine.npz"
    save_model(path, random_rbm(3, 2), {})
    first = run_one(tmp_path / "out", LOG_Z, model=str(path))
    assert run_one(tmp_path / "out", LOG_Z, model=str(path)) == first
    save_model(path, random_rbm(3, 2, seed=1), {})
    second = run_one(tmp_path / "out", LOG_Z, model=str(path))
    assert second["key"] == first["key"]
    assert second["truth"] != first["truth"]


# Gradients


def statistics(model, v):
    """-dF/dparameter of rows, one vector a row."""
    h = hidden_probability(model, v)
    trees = [{"W": np.outer(a, b), "b": a, "c": b} for a, b in zip(v, h, strict=True)]
    return np.array([flat(tree) for tree in trees])


@pytest.fixture(scope="module")
def known():
    """The batch of GRADIENT, its exact gradient, and the statistics of every state."""
    truth = gradient._truth(gradient.json.dumps(RECIPE), GRADIENT.temperature, ROWS, 0)
    model = sources.load_model(RECIPE, GRADIENT.temperature)
    phi = statistics(model, exact.states(5))
    expected = statistics(model, truth.batch).mean(axis=0) - exact.distribution(model) @ phi
    np.testing.assert_allclose(truth.gradient, expected, atol=1e-12)
    return truth, model, phi


def moments_of(law, phi):
    """Mean, and trace of the covariance, of the statistics under laws of v, one a row."""
    mean = law @ phi
    return mean, (law @ phi**2 - mean**2).sum(axis=-1)


def test_the_exact_gradient_has_neither_bias_nor_variance(tmp_path):
    row = run_one(tmp_path, GRADIENT, estimator={"name": "exact"}, replicates=3)
    assert row["status"] == "done"
    assert row["bias"] < 1e-6  # float32
    assert row["variance"] == 0.0
    assert row["cosine"] == pytest.approx(1.0, abs=1e-9)
    assert row["gradient_norm"] > 0.1


@pytest.mark.parametrize("k", [1, 3])
def test_the_bias_and_variance_of_cd_are_those_of_its_transition_matrix(tmp_path, known, k):
    truth, model, phi = known
    row = run_one(tmp_path, GRADIENT, estimator={"name": "cd", "k": k})
    law = np.linalg.matrix_power(exact.transition_matrix(model), k)
    numbers = truth.batch.astype(int) @ (1 << np.arange(5))
    mean, spread = moments_of(law[numbers], phi)
    bias = np.linalg.norm(exact.distribution(model) @ phi - mean.mean(axis=0))
    assert abs(row["bias"] - bias) < 4 * row["bias_std_error"]
    assert row["bias_std_error"] < 0.2 * bias
    assert row["variance"] == pytest.approx(spread.mean() / ROWS, rel=0.1)
    assert row["rms_error"] == pytest.approx(np.hypot(row["bias"], row["variance"] ** 0.5))


def test_chains_that_follow_the_model_have_its_variance_and_no_bias(tmp_path, known):
    _, model, phi = known
    chains = 50
    row = run_one(tmp_path, GRADIENT, estimator={"name": "sml", "chains": chains}, thin=20)
    _, spread = moments_of(exact.distribution(model), phi)
    assert row["bias"] < 3 * row["bias_std_error"]
    assert row["bias"] < 0.2 * row["variance"] ** 0.5
    assert row["variance"] == pytest.approx(spread / chains, rel=0.1)
    early = run_one(
        tmp_path, GRADIENT, estimator={"name": "sml", "chains": 5000}, burn_in=0, thin=1, replicates=3
    )
    late = run_one(
        tmp_path, GRADIENT, estimator={"name": "sml", "chains": 5000}, burn_in=200, thin=1, replicates=3
    )
    assert late["rms_error"] < early["rms_error"]


def test_a_state_is_burnt_in_once_and_thinned_between_gradients(tmp_path, monkeypatch):
    from ebmbench.estimators import sml

    steps, original = [], sml.step
    monkeypatch.setattr(sml, "step", lambda *args: (steps.append(args[-1].step), original(*args))[1])
    run_one(tmp_path, GRADIENT, estimator={"name": "sml"}, burn_in=11, thin=7, replicates=3)
    assert steps == [0, 1] + 3 * list(range(11 + 7))  # the warm-up, then a restart a replicate


@pytest.mark.parametrize("length", [0.0, 0.3, 10.0])
def test_bias_and_its_error_are_right_on_average(length):
    """400 experiments of 30 replicates in 8 dimensions.

    The squared bias is unbiased, so its mean lies within 4 of its standard errors; the jackknife may
    overstate its spread where there is no bias, but never halves or triples it.
    """
    rng = np.random.default_rng(1)
    bias = length * np.ones(8) / np.sqrt(8)
    squares, claimed = [], []
    for _ in range(400):
        noise = rng.normal(size=(30, 8))
        found = gradient.fidelity(bias + noise, np.zeros(8), np.arange(30))
        errors = bias + noise
        mean = errors.mean(axis=0)
        squares.append(mean @ mean - errors.var(axis=0, ddof=1).sum() / 30)
        claimed.append((found["bias"] + found["bias_std_error"]) ** 2 - found["bias"] ** 2)
        assert found["bias"] == pytest.approx(np.sqrt(max(0.0, squares[-1])), abs=1e-9)
    spread = np.std(squares)
    assert abs(np.mean(squares) - length**2) < 4 * spread / np.sqrt(400)
    assert 0.8 * spread < np.sqrt(np.mean(np.square(claimed))) < 2.0 * spread


def test_replicates_of_one_run_share_their_noise_and_no_bias_is_made_of_it():
    """5 runs of 10 replicates that differ only from run to run: pairs within a run would show 8."""
    rng = np.random.default_rng(2)
    run_of = np.repeat(np.arange(5), 10)
    squares = []
    for _ in range(400):
        noise = rng.normal(size=(5, 8))[run_of] + 0.1 * rng.normal(size=(50, 8))
        squares.append(gradient.fidelity(noise, np.ones(8) * 0.0, run_of)["bias"] ** 2)
    # Floored at 0: half of a law around 0 with a spread of sqrt(2 * 8 / 20) = 0.9.
    assert np.mean(squares) < 0.6
    alone = gradient.fidelity(noise, np.zeros(8), np.arange(50))
    assert alone["bias"] ** 2 > 0.8


def test_every_estimator_has_a_row(tmp_path):
    from ebmbench import estimators

    for name in estimators.known():
        row = run_one(tmp_path, GRADIENT, estimator={"name": name}, replicates=3, burn_in=5)
        assert row["task"] == "gradient"
        if name == "score_matching":  # is for Gaussian units
            assert row["status"] == "unavailable"
            assert "visible units" in row["reason"]
            continue
        assert row["status"] == "done", row["reason"]
        assert row["step_s_low"] <= row["step_s"] <= row["step_s_high"]


def test_a_model_too_large_to_enumerate_is_unavailable(tmp_path):
    row = run_one(tmp_path, GRADIENT, model={"random": [26, 26]})
    assert row["status"] == "unavailable"
    assert "enumeration" in row["reason"]


# Log Z


def test_the_error_is_measured_from_the_enumerated_truth(tmp_path):
    row = run_one(tmp_path, LOG_Z, temperature=0.5, repeats=3)
    model = sources.load_model(RECIPE, 0.5)
    assert row["truth"] == pytest.approx(exact.log_z_brute_force(model), abs=1e-9)
    assert row["error"] == row["log_z"] - row["truth"]
    assert row["std_error"] > 0
    assert abs(row["error"]) < 5 * row["std_error"]
    assert len(row["samples"][0]["seconds"]) == 3
    assert row["log_z_base"] == "fair coins"
    weights = table.load_model(tmp_path, row["key"])["log_weights"]
    assert weights.shape == (100,)


def test_where_nothing_can_be_enumerated_the_suites_truth_counts(tmp_path):
    large = {"random": [26, 26], "scale": 0.1}
    row = run_one(tmp_path, LOG_Z, model=large, truth=30.0, truth_source="a paper")
    assert (row["truth"], row["truth_source"]) == (30.0, "a paper")
    assert row["error"] == row["log_z"] - 30.0
    assert run_one(tmp_path, LOG_Z, model=large)["error"] is None


def test_every_method_has_a_row(tmp_path):
    from ebmbench import partition

    for name in partition.known():
        row = run_one(tmp_path, LOG_Z, method={"name": name})
        assert row["status"] == "done", row["reason"]
        assert row["method"] == name
        assert abs(row["error"]) < 0.5


def test_base_rates_come_from_the_data_set(tmp_path):
    row = run_one(tmp_path, LOG_Z, model="digits_rbm20", dataset="digits")
    assert row["log_z_base"] == "train split of digits"
    wrong = run_one(tmp_path, LOG_Z, dataset="digits")
    assert wrong["status"] == "failed"
    assert "64 columns" in wrong["reason"]


# Samplers


@pytest.mark.parametrize("sampler", ["gibbs", {"name": "parallel_tempering", "temperatures": 4}])
def test_a_right_sampler_stands_at_the_floor(tmp_path, sampler):
    """Over 32 states the distance spreads by about 14 % of its mean, so half of it is 3.7 deviations."""
    row = run_one(tmp_path, SAMPLE, sampler=sampler)
    assert row["status"] == "done", row["reason"]
    assert 0.5 * row["total_variation_floor"] < row["total_variation"]
    assert row["total_variation"] < 1.5 * row["total_variation_floor_ess"]
    assert row["r_hat"] < 1.02
    assert row["ess_per_s"] == pytest.approx(row["ess"] / row["sample_s"])
    arrays = table.load_model(tmp_path, row["key"])
    assert arrays["free_energy"].shape == (40, 500)
    assert ("swap_rate" in row) == (sampler != "gibbs")


def test_a_wrong_sampler_stands_above_the_floor(tmp_path, monkeypatch):
    """Sweeps of a warmer model."""
    original = sample.gibbs.advance
    monkeypatch.setattr(sample.gibbs, "advance", lambda *args: original(*args, 0.7))
    row = run_one(tmp_path, SAMPLE)
    assert row["total_variation"] > 2 * row["total_variation_floor_ess"]


def test_the_mean_free_energy_is_that_of_the_law(tmp_path):
    row = run_one(tmp_path, SAMPLE)
    model = sources.load_model(RECIPE)
    energies, law = free_energy(model, exact.states(5)), exact.distribution(model)
    mean = law @ energies
    error = np.sqrt((law @ energies**2 - mean**2) / row["ess_free_energy"])
    assert abs(row["mean_free_energy"] - mean) < 4 * error


def test_a_larger_model_has_no_total_variation(tmp_path):
    row = run_one(tmp_path, SAMPLE, model={"random": [17, 3]})
    assert row["status"] == "done", row["reason"]
    assert "total_variation" not in row


def test_a_case_that_takes_too_long_is_a_timeout(tmp_path):
    for case in (GRADIENT, SAMPLE):
        assert run_one(tmp_path, case, timeout_s=1e-9)["status"] == "timeout"


def test_tables_of_several_tasks_lie_in_one_folder(tmp_path):
    cases = (replace(GRADIENT, replicates=3), LOG_Z, replace(SAMPLE, sweeps=5))
    harness.run(Suite("tiny", "Tiny", True, cases), tmp_path)
    rows = ebmbench.load_table(tmp_path).rows
    assert list(rows.task) == ["gradient", "log_z", "sample"]


@pytest.mark.parametrize(
    ("case", "changes", "named"),
    [
        (GRADIENT, {"model": "digit_rbm20"}, "'digit_rbm20'"),
        (GRADIENT, {"model": {"scale": 1.0}}, "random"),
        (GRADIENT, {"model": {"random": [8]}}, "numbers of units"),
        (GRADIENT, {"model": {"random": [8, 0]}}, "numbers of units"),
        (GRADIENT, {"model": {"random": [8, 6], "scale": 0.0}}, "scale"),
        (GRADIENT, {"model": {"random": [8, 6], "seed": -1}}, "seed"),
        (GRADIENT, {"model": {"random": [8, 6], "sead": 1}}, "'sead'"),
        (GRADIENT, {"temperature": 0.0}, "temperature"),
        (GRADIENT, {"temperature": float("inf")}, "temperature"),
        (GRADIENT, {"replicates": 2}, "replicates"),
        (GRADIENT, {"rows": 0}, "rows"),
        (GRADIENT, {"thin": 0}, "thin"),
        (GRADIENT, {"burn_in": -1}, "burn_in"),
        (GRADIENT, {"estimator": {"k": 1}}, "name"),
        (GRADIENT, {"estimator": {"name": "cdd"}}, "'cdd'"),
        (GRADIENT, {"backend": "gpu"}, "'gpu'"),
        (LOG_Z, {"method": {"name": "as"}}, "'as'"),
        (LOG_Z, {"method": {"betas": 3}}, "name"),
        (LOG_Z, {"method": {"name": "ais", "betas": 1}}, "temperatures"),
        (LOG_Z, {"repeats": 0}, "repeats"),
        (LOG_Z, {"dataset": "digit"}, "'digit'"),
        (SAMPLE, {"sampler": "gibs"}, "'gibs'"),
        (SAMPLE, {"sampler": {"temperatures": 3}}, "name"),
        (SAMPLE, {"sampler": {"name": "gibbs", "k": 3}}, "'k'"),
        (SAMPLE, {"sampler": {"name": "parallel_tempering", "temperatures": 1}}, "2 temperatures"),
        (SAMPLE, {"chains": 0}, "chains"),
        (SAMPLE, {"sweeps": 3}, "sweeps"),
        (SAMPLE, {"burn_in": 0}, "burn_in"),
    ],
)
def test_a_bad_option_is_one_sentence_that_names_it(case, changes, named):
    assert named in complaint(replace, case, **changes)


@pytest.mark.parametrize("kind", ["markov_field", "boltzmann_machine"])
def test_files_of_models_without_hidden_units(tmp_path, kind):
    """Log Z and samples of a Markov field or Boltzmann machine from a file, as of a lattice."""
    field = sources.load_model({"lattice": [3, 3], "coupling": 0.3, "field": 0.1})
    save_model(tmp_path / "model.npz", field if kind == "markov_field" else dense(field), {})
    given = {"model": str(tmp_path / "model.npz"), "backend": "cpu"}
    rows = harness.run(
        Suite("tiny", "Tiny", True, (
            log_z.Case(**given, method={"name": "ais", "betas": 200}),
            sample.Case(**given, sampler="gibbs", sweeps=500, burn_in=50),
        )),
        tmp_path / "out",
    )  # fmt: skip
    assert [row["status"] for row in rows] == ["done", "done"], [row["reason"] for row in rows]
    assert rows[0]["truth"] == pytest.approx(elimination.log_z(field))
    assert rows[0]["truth_source"] == ("elimination" if kind == "markov_field" else "enumeration")
    assert abs(rows[0]["error"]) < 5 * rows[0]["std_error"]
    assert rows[1]["total_variation"] < 1.5 * rows[1]["total_variation_floor_ess"]


def test_a_file_of_a_model_that_a_task_does_not_take(tmp_path):
    save_model(tmp_path / "model.npz", initial_network([5, 3, 2], ["relu", "linear"], 0), {})
    case = log_z.Case(model=str(tmp_path / "model.npz"), backend="cpu", method={"name": "exact"})
    (row,) = harness.run(Suite("tiny", "Tiny", True, (case,)), tmp_path / "out")
    assert row["status"] == "failed"
    kinds = "bernoulli_rbm, boltzmann_machine, markov_field"
    assert f"holds a model of the kind mlp, but one of {kinds} is needed" in row["reason"]
