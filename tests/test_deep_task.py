"""The task deep: rows, curves and arrays of models that are trained end to end, on tiny data."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from time import sleep

import numpy as np
import pytest
from conftest import complaint

import ebmbench
from ebmbench.evaluation.bounds import lower_bound
from ebmbench.evaluation.classification import classify
from ebmbench.evaluation.damage import flipped
from ebmbench.evaluation.restoration import restore
from ebmbench.harness import memory, quality, recipes, sources, spec, table
from ebmbench.harness import run as harness
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import deep, train
from ebmbench.kernels import api
from ebmbench.models.kinds import from_arrays
from ebmbench.partition import base_rates
from ebmbench.report import write
from ebmbench.training.adversarial import Adversarial

TOY = {"dataset": "bars_and_stripes_3x3", "backend": "cpu", "batch_size": 5, "checkpoints": 3}
TOY |= {"evaluate": "exact", "memory": False}
DBN = deep.Case(model="dbn", hidden=[6, 4], layers={"epochs": [4, 2], "rate": 0.1}, **TOY)
DBM = deep.Case(model="dbm", hidden=[5, 3], layers={"epochs": 2}, joint={"epochs": 3, "chains": 7}, **TOY)
GENERAL = deep.Case(
    model="general_boltzmann_machine",
    hidden=[4],
    joint={"epochs": 3, "chains": 7, "centred": True},
    **TOY,
)
DIGITS = TOY | {"dataset": "digits", "batch_size": 200}
MLP = deep.Case(model="mlp", hidden=[20], classifier={"epochs": 12, "rate": 0.01}, **DIGITS)
TUNED = deep.Case(
    model="dbn", hidden=[6, 5], layers={"epochs": 1}, classifier={"epochs": 4, "rate": 0.01}, **DIGITS
)
GAN = deep.Case(
    model="gan", samples=50, **TOY,
    players={"generator": [8], "discriminator": [8], "latent": 3, "epochs": 40, "rate": 0.01},
)  # fmt: skip


def run_one(folder, case, **changes):
    (row,) = harness.run(Suite("tiny", "Tiny", True, (replace(case, **changes),)), folder)
    return row


def done(folder, case, **changes):
    row = run_one(folder, case, **changes)
    assert row["status"] == "done", row["reason"]
    return row, ebmbench.load_table(folder).curves, table.load_model(folder, row["key"])


def test_a_dbn_leaves_a_row_a_curve_and_a_model(tmp_path):
    row, curve, arrays = done(tmp_path, DBN)
    assert (row["recipe"], row["model"], row["measure"]) == ("DBN 6-4, CD-1", "dbn", "bound")
    assert row["updates_done"] == 3 * (4 + 2)  # of 14 rows in batches of 5
    assert [(s["stage"], s["epochs"], s["images"]) for s in row["stages"]] == [
        ("layer 1 of 2", 4, 56), ("layer 2 of 2", 2, 28)
    ]  # fmt: skip
    assert row["images_per_s"] == pytest.approx(84 / row["train_s"])
    assert sum(stage["seconds"] for stage in row["stages"]) == pytest.approx(row["train_s"])
    assert list(curve["update"]) == [0, 1, 4, 12, 18]  # the end of a stage is always among them
    assert list(curve["stage"]) == ["layer 1 of 2"] * 4 + ["layer 2 of 2"]
    assert curve["seconds"].is_monotonic_increasing
    assert curve["bound"].iloc[-1] == row["bound"] < -np.log(14)
    assert row["settings"]["layers.epochs"] == [4, 2]
    assert from_arrays(arrays).sizes == (9, 6, 4)
    assert arrays["samples"].shape == (1, deep.SAMPLES, 9)
    assert set(np.unique(arrays["samples"])) <= {0, 255}
    assert list(arrays["samples_update"]) == [18]


def test_the_bound_is_that_of_the_model_that_was_kept(tmp_path):
    row, curve, arrays = done(tmp_path, DBM)
    assert row["recipe"] == "DBM 5-3, pre-trained"
    assert list(dict.fromkeys(curve["stage"])) == ["layer 1 of 2", "layer 2 of 2", "joint training"]
    model, rows = from_arrays(arrays), sources.load_dataset(DBM.dataset).test
    wanted = lower_bound(api.load("cpu"), model, rows, "exact")
    assert row["bound"] == pytest.approx(wanted.mean, abs=1e-5)
    assert row["bound_std_error"] == row["std_error"] == 0.0


def test_a_general_machine_is_trained_judged_and_restores(tmp_path):
    wanted = [{"flip": 0.1, "sweeps": 20}]
    row, curve, arrays = done(tmp_path, GENERAL, restore=wanted)
    assert (row["recipe"], row["measure"]) == ("General Boltzmann machine 4", "bound")
    assert list(curve["stage"].unique()) == ["joint training"]
    model, rows = from_arrays(arrays), sources.load_dataset(GENERAL.dataset).test
    assert row["bound"] == pytest.approx(
        lower_bound(api.load("cpu"), model, rows, "exact").mean, abs=1e-5
    )
    assert arrays["samples"].shape == (1, deep.SAMPLES, 9)
    (entry,) = row["restored"]
    damaged = flipped(rows, 0.1, seed=0)
    base = base_rates(sources.load_dataset(GENERAL.dataset).train, "train")
    found = restore(api.load("cpu"), model, damaged, base, 20, 0)
    assert (entry["rows"], entry["model_wrong"]) == (len(rows), found.model.wrong)


def test_a_bound_above_all_log_likelihoods_stands_in_the_answer(tmp_path):
    """On the page of a suite that trains models of both kinds; where it is below nothing is said."""
    common = {"dataset": TOY["dataset"], "backend": "cpu", "evaluate": "exact", "batch_size": 14}
    poor = train.Case(estimator={"name": "cd"}, hidden=2, epochs=1, rate=1e-6, **common)
    how = {"epochs": 400, "rate": 0.1, "centred": True}
    for folder, joint, above in (
        ("well", how, True),
        ("badly", how | {"epochs": 1, "rate": 1e-6}, False),
    ):
        cases = poor, replace(GENERAL, joint=joint)
        harness.run(Suite("both", "Both", True, cases), tmp_path / folder)
        page = write(tmp_path / folder).read_text()
        assert ("a bound stands above it: General Boltzmann machine 4" in page) == above


@pytest.mark.parametrize("method", ["ais", "bridge", "reverse_ais"])
def test_every_method_that_anneals_takes_its_settings(method):
    case = replace(GENERAL, evaluate=method, betas=50, chains=20)
    assert case.evaluation == {"betas": 50, "chains": 20}
    assert "those of evaluate = 'ais'" in complaint(replace, case, evaluate="exact")


def test_annealing_both_ways_says_whether_a_bound_is_resolved(tmp_path):
    row, _, _ = done(tmp_path, DBM, evaluate="ais", betas=100, resolve=True)
    assert row["resolved"]
    assert row["gap"] == pytest.approx(row["bound"] - row["bound_reverse"], abs=1e-6)
    assert row["reverse_start"]
    assert row["std_error"] > 0


def test_a_bound_that_is_no_better_than_base_rates_gains_nothing(tmp_path):
    row, _, _ = done(tmp_path, DBN, layers={"epochs": 1, "rate": 1e-6})
    assert row["verdict"] == deep.NO_GAIN
    assert "no gain" in DBN.summary(row)
    assert row["bound"] == pytest.approx(row["baseline_independent"], abs=0.2)


def test_a_classifier_is_judged_by_the_test_rows_that_it_tells_wrong(tmp_path):
    row, curve, arrays = done(tmp_path, MLP, targets=[0.5, 1e-9])
    data = sources.load_dataset("digits")
    found = classify(api.load("cpu"), from_arrays(arrays), data.test, data.labels_test)
    assert (row["error"], row["wrong"]) == (found.error, found.wrong)
    assert row["std_error"] == found.std_error
    assert row["error_of_one_class"] == pytest.approx(0.9, abs=0.01)
    assert (row["verdict"], row["error"] < 0.5) == ("gain", True)
    first, never = row["seconds_to_target"]
    assert first["reached"]
    assert first["seconds"] == curve["seconds"][curve["error"] <= 0.5].min()
    assert (never["reached"], never["censored_at"]) == (False, row["train_s"])
    assert "samples" not in arrays


def test_fine_tuning_goes_on_where_the_layers_ended_on_one_clock(tmp_path):
    row, curve, arrays = done(tmp_path, TUNED, evaluate="ais", betas=20)
    assert (row["measure"], row["recipe"]) == ("error", "DBN 6-5, CD-1, fine-tuned")
    assert [stage["stage"] for stage in row["stages"]] == ["layer 1 of 2", "layer 2 of 2", "fine-tuning"]
    tuning = curve[curve["stage"] == "fine-tuning"]
    before = curve[curve["stage"] != "fine-tuning"]
    assert tuning["seconds"].min() >= before["seconds"].max() > 0
    assert tuning["update"].min() == before["update"].max() == 2 * 8
    assert tuning["error"].notna().all()
    assert before["bound"].notna().all()
    assert row["bound"] == before["bound"].iloc[-1]
    assert row["train_s"] == curve["seconds"].max()
    assert from_arrays(arrays).sizes == (64, 6, 5, 10)
    assert arrays["samples"].shape == (1, deep.SAMPLES, 64)


def test_what_a_model_makes_of_the_data_for_the_next_phase_is_on_the_clock(tmp_path, monkeypatch):
    """Of the rows to train on; for those to test on it is not."""
    original = recipes.inputs_of

    def slow(k, model, rows):
        sleep(0.2 * (len(rows) == 1437))
        return original(k, model, rows)

    monkeypatch.setattr(recipes, "inputs_of", slow)
    _, curve, _ = done(tmp_path, TUNED, evaluate="none")
    tuning = curve["stage"] == "fine-tuning"
    assert curve["seconds"][tuning].min() >= curve["seconds"][~tuning].max() + 0.2


def test_without_a_method_a_bound_is_not_looked_at(tmp_path):
    row, curve, _ = done(tmp_path, TUNED, evaluate="none")
    assert "bound" not in row
    assert curve["error"].notna().sum() == (curve["stage"] == "fine-tuning").sum()
    assert "evaluate is none" in complaint(replace, DBN, evaluate="none")


def test_a_gan_keeps_what_it_said_and_what_it_made(tmp_path):
    row, curve, arrays = done(tmp_path, GAN)
    assert row["measure"] == "parzen"
    assert row["parzen"] == curve["parzen"].iloc[-1]
    assert {"mmd_squared", "parzen_train", "parzen_centres", "caveat"} <= row.keys()
    updates = 3 * 40
    assert arrays["said_update"][-1] == updates
    assert len(arrays["said_update"]) == updates
    np.testing.assert_allclose(arrays["said_payoff"], -arrays["said_discriminator_loss"])
    assert np.isfinite(arrays["said_generator_loss"]).all()
    assert list(arrays["samples_update"]) == list(curve["update"])
    assert arrays["samples"].shape == (len(curve), deep.SAMPLES, 9)
    assert not np.array_equal(arrays["samples"][0], arrays["samples"][-1])
    assert from_arrays(arrays).n_latent == 3
    assert row["verdict"] is None


def test_a_gan_that_diverges_is_a_row_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("ebmbench.training.adversarial.LOOK", 1)
    original = Adversarial.info
    broken = lambda self: original.fget(self) | ({"payoff": np.nan} if self.done == 7 else {})  # noqa: E731
    monkeypatch.setattr(Adversarial, "info", property(broken))
    row = run_one(tmp_path, GAN)
    assert (row["status"], row["updates_done"]) == ("diverged", 7)
    assert "loss" in row["reason"]


@pytest.mark.parametrize("case", [DBN, MLP], ids=["dbn", "mlp"])
def test_a_rate_that_is_far_too_high_diverges(tmp_path, case):
    part = {"dbn": "layers", "mlp": "classifier"}[case.model]
    settings = (
        getattr(case, part) | {"rate": 1e29} | ({"optimiser": "sgd"} if part == "classifier" else {})
    )
    row = run_one(tmp_path, case, **{part: settings})
    assert row["status"] == "diverged", row["reason"]
    assert "updates" in row["reason"]


def test_the_limit_keeps_the_curve_so_far(tmp_path):
    row = run_one(tmp_path, DBN, timeout_s=1e-9)
    assert row["status"] == "timeout"
    assert 0 < row["updates_done"] < 18
    assert len(ebmbench.load_table(tmp_path).curves) >= 1
    assert row["bound"] < 0


def test_the_same_seed_gives_the_same_bits_however_often_it_is_looked_at(tmp_path):
    _, _, often = done(tmp_path / "often", TUNED, evaluate="none", checkpoints=7)
    _, _, once = done(tmp_path / "once", TUNED, evaluate="none", checkpoints=1)
    for name in ("W1", "c3"):
        np.testing.assert_array_equal(often[name], once[name])
    _, _, other = done(tmp_path / "other", TUNED, evaluate="none", seed=1)
    assert not np.array_equal(often["W1"], other["W1"])


def test_evaluation_is_off_the_clock(tmp_path, monkeypatch):
    original = quality.BoundJudge.__call__

    def slow(self, model):
        sleep(0.3)
        return original(self, model)

    monkeypatch.setattr(quality.BoundJudge, "__call__", slow)
    row, curve, _ = done(tmp_path, DBN)
    assert len(curve) == 5
    assert row["train_s"] < 0.3


def test_grey_rows_have_no_bound_and_say_so(tmp_path):
    path = tmp_path / "grey.npy"
    np.save(path, np.random.default_rng(0).random((20, 4)).astype(np.float32))
    row = run_one(tmp_path / "out", DBN, dataset=str(path))
    assert row["status"] == "failed"
    assert "grey" in row["reason"]


def test_rows_without_labels_are_told(tmp_path):
    row = run_one(tmp_path, MLP, dataset=TOY["dataset"])
    assert row["status"] == "unavailable"
    assert row["reason"].startswith("data set bars_and_stripes_3x3 has no labels")
    assert "(in " not in row["reason"]  # a person's mistake has no line of the code


@pytest.mark.parametrize(
    ("case", "changes", "named"),
    [
        (DBN, {"model": "dbnn"}, "did you mean 'dbn'"),
        (DBN, {"layers": {}}, "needs a table layers"),
        (DBN, {"dataset": "digitz"}, "digits"),
        (DBN, {"evaluate": "exat"}, "'exat'"),
        (DBN, {"spacing": "even"}, "spacing"),
        (DBN, {"targets": ["a"]}, "targets"),
        (DBN, {"checkpoints": 0}, "checkpoints"),
        (DBN, {"resolve": True}, "resolve"),
        (MLP, {"targets": [-20, -18]}, "shares of rows told wrong"),
        (TUNED, {"targets": [0.5, 5.0]}, "shares of rows told wrong"),
        (MLP, {"resolve": True, "evaluate": "ais"}, "judged otherwise"),
        (GAN, {"samples": 0}, "samples"),
        (GAN, {"sampled": True}, "sampled"),
    ],
)
def test_a_bad_option_is_one_sentence_that_names_it(case, changes, named):
    assert named in complaint(replace, case, **changes)


def test_a_suite_may_name_all_parts(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[deep]]\ndataset = "digits"\nbackend = ["reference", "cpu"]\nmodel = "dbn"\nhidden = [5, 4]\n'
        "layers = { epochs = [1, 2] }\n"
    )
    cases = spec.load(str(path)).cases
    assert [case.backend for case in cases] == ["reference", "cpu"]
    assert all(case.hidden == [5, 4] for case in cases)


def test_the_suite_deep_has_every_model_and_each_on_both_devices():
    cases = spec.load("deep").cases
    trained = [case for case in cases if case.task == "deep"]
    for dataset in ("digits", "mnist"):
        kinds = {case.model for case in trained if case.dataset.endswith(dataset)}
        assert kinds == {"dbn", "dbm", "mlp", "gan"}
    assert {case.backend for case in trained} == {"cpu", "cuda"}
    beside = {(case.backend, case.config.name) for case in cases if case.task == "kernel"}
    assert beside == {(b, job) for b in ("cpu", "cuda") for job in ("mlp", "gan", "dbn", "dbm", "cd")}
    digits = spec.load("deep", dataset="digits").cases
    assert {case.task for case in digits} == {"deep"}


# Memory

GROWS = """
import json, sys
import numpy as np
from ebmbench.harness import memory
before = memory.peak()
held = np.ones(25_000_000)  # 200 MB
now = memory.peak()
del held
print(json.dumps([before, now, memory.peak()]))
"""


def test_the_peak_of_a_process_grows_and_stays():
    done = subprocess.run(
        [sys.executable, "-c", GROWS], capture_output=True, text=True, check=True, env=os.environ
    )
    before, now, after = json.loads(done.stdout)
    if before is None:
        pytest.skip("the peak of a process is not to be had here")
    assert 200e6 <= now - before < 220e6
    assert abs(after - now) < 1e6  # Linux counts pages of each thread now and then


def test_memory_is_measured_in_a_process_of_its_own(tmp_path):
    """Activations of a batch alone are 200 x 20,000 float32, 16 MB; W and Adam's moments 5 MB each."""
    if memory.peak() is None:
        pytest.skip("the peak of a process is not to be had here")
    row, _, _ = done(tmp_path, MLP, hidden=[20_000], classifier={"epochs": 1}, memory=True, checkpoints=1)
    assert row["memory_before"] > 50e6
    assert row["memory_peak"] - row["memory_before"] > 20e6
    assert row["device_memory"] is None
    assert "MiB at most" in MLP.summary(row)


def test_memory_that_takes_too_long_is_not_told(tmp_path, monkeypatch):
    def slow(case, count):
        raise deep.Timeout("1 s were used up in a process of its own")

    monkeypatch.setattr(deep.interleaved, "in_processes", slow)
    row, _, _ = done(tmp_path, DBN, memory=True)
    assert row["memory_peak"] is None
    assert "used up" in row["memory_reason"]
