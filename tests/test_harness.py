"""Running cases: statuses, resuming, killed runs, full disks."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import with_job

import ebmbench
from ebmbench.errors import DeviceError, UserError
from ebmbench.harness import judge, machine, table
from ebmbench.harness import run as harness
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import _curve, train
from ebmbench.harness.tasks.train import Case
from ebmbench.kernels import api

CASE = Case(
    dataset="bars_and_stripes_3x3",
    backend="cpu",
    estimator={"name": "cd", "k": 1},
    hidden=4,
    epochs=30,
    batch_size=5,
    evaluate="exact",
    checkpoints=4,
)


def suite(*cases):
    return Suite("tiny", "Tiny", True, cases)


def run_one(folder, **changes):
    (row,) = harness.run(suite(replace(CASE, **changes)), folder)
    return row


def test_a_finished_case_leaves_a_row_a_curve_and_a_model(tmp_path):
    row = run_one(tmp_path)
    assert row["status"] == "done"
    assert row["reason"] is None
    assert row["updates"] == row["updates_done"] == 30 * 3
    assert row["train_s"] > 0
    assert row["update_s_low"] <= row["update_s"] <= row["update_s_high"]
    assert row["log_likelihood"] < row["ceiling"] < 0
    rows, curves, machines = ebmbench.load_table(tmp_path)
    assert list(rows.key) == [row["key"]]
    assert list(curves["update"]) == [0, 1, 4, 20, 90]
    assert curves.seconds.is_monotonic_increasing
    assert curves.log_likelihood.iloc[-1] == row["log_likelihood"]
    assert row["machine"] in machines
    model = table.load_model(tmp_path, row["key"])
    assert model["W"].shape == (9, 4)
    assert set(np.unique(model["samples"])) <= {0, 1}


def test_training_was_judged_by_the_exact_likelihood(tmp_path):
    """The row's figure is that of the model that was saved."""
    from ebmbench.models import enumerate as exact
    from ebmbench.models.rbm import RBM, free_energy

    row = run_one(tmp_path)
    arrays = table.load_model(tmp_path, row["key"])
    model = RBM(arrays["W"], arrays["b"], arrays["c"])
    data = ebmbench.load_dataset(CASE.dataset).test
    assert row["log_likelihood"] == pytest.approx(
        -free_energy(model, data).mean() - exact.log_z(model), abs=1e-5
    )


def test_a_rerun_repeats_nothing_that_is_finished(tmp_path):
    cases = suite(CASE, replace(CASE, seed=1))
    first = harness.run(cases, tmp_path)
    kept = []
    progress = harness.Progress(finished=lambda n, case, row, again: kept.append(again))
    assert harness.run(cases, tmp_path, progress) == first
    assert kept == [True, True]
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2


def test_another_version_of_the_code_runs_again(tmp_path, monkeypatch):
    first = run_one(tmp_path)
    monkeypatch.setattr("ebmbench.harness.machine.code_version", lambda: "another")
    assert run_one(tmp_path)["key"] != first["key"]


def test_diverged(tmp_path):
    row = run_one(tmp_path, rate=1e30)
    assert row["status"] == "diverged"
    assert "updates" in row["reason"]
    assert row["updates_done"] < 90


def test_timeout_keeps_the_curve_so_far_and_is_tried_again(tmp_path):
    row = run_one(tmp_path, timeout_s=1e-9)
    assert row["status"] == "timeout"
    assert 0 < row["updates_done"] < 90
    assert len(ebmbench.load_table(tmp_path).curves) >= 1
    run_one(tmp_path, timeout_s=1e-9)
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2
    assert len(ebmbench.load_table(tmp_path).rows) == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"hidden": 30, "estimator": {"name": "exact"}, "dataset": "digits"}, "enumeration"),
        ({"backend": "cuda"}, "backend cuda"),
    ],
)
def test_unavailable_says_why(tmp_path, monkeypatch, changes, named):
    monkeypatch.setenv("NUMBA_DISABLE_CUDA", "1")  # so that cuda is not there, wherever this runs
    row = run_one(tmp_path, **changes)
    assert row["status"] == "unavailable"
    assert named in row["reason"]


def test_failed_says_what_and_does_not_stop_the_others(tmp_path, monkeypatch):
    original = train.STARTS["binary"]

    def broken(rows, hidden, seed):
        if seed == 0:
            raise RuntimeError("boom")
        return original(rows, hidden, seed)

    monkeypatch.setitem(train.STARTS, "binary", broken)
    rows = harness.run(suite(CASE, replace(CASE, seed=1)), tmp_path)
    assert [row["status"] for row in rows] == ["failed", "done"]
    assert "RuntimeError: boom" in rows[0]["reason"]


def test_a_device_that_fails_is_told_in_its_own_words_and_finished_rows_are_kept(tmp_path, monkeypatch):
    said = "the GPU's context was lost (CUDA_ERROR_ILLEGAL_ADDRESS), and this process cannot use it again"
    k, lost = api.load("cpu"), []

    def gibbs(job, model, v, steps, key, beta):
        if lost or key.seed == 1:
            lost.append(key.seed)
            raise DeviceError(said)
        return job(model, v, steps, key, beta)

    fragile = with_job(k, "gibbs", gibbs)
    monkeypatch.setattr(api, "load", lambda name: fragile)
    rows = harness.run(suite(*(replace(CASE, seed=seed) for seed in range(3))), tmp_path)
    assert [row["status"] for row in rows] == ["done", "failed", "unavailable"]
    assert {row["reason"] for row in rows[1:]} == {said}
    assert not any("traceback" in row for row in rows)
    assert list(ebmbench.load_table(tmp_path).rows.status) == ["done", "failed", "unavailable"]
    lost.clear()  # the next process: the same case fails again, but those that it took along come first
    again = harness.run(suite(*(replace(CASE, seed=seed) for seed in range(3))), tmp_path)
    assert [row["status"] for row in again] == ["done", "failed", "done"]
    assert again[0] == rows[0]
    monkeypatch.undo()
    again = harness.run(suite(*(replace(CASE, seed=seed) for seed in range(3))), tmp_path)
    assert [row["status"] for row in again] == ["done"] * 3


def test_rows_of_a_simulator_are_called_so_and_carry_no_times(tmp_path, monkeypatch):
    simulator = replace(api.load("cpu"), name="cuda-simulator")
    load = api.load
    monkeypatch.setattr(api, "load", lambda name: simulator if name == "cuda" else load(name))
    monkeypatch.setattr(harness.gate, "load", api.load)
    monkeypatch.setattr(harness.gate, "check", lambda backend, kinds: None)
    monkeypatch.setattr(harness.gate, "VERDICTS", {})
    cases = suite(replace(CASE, backend="cuda", targets=[-5.0]), CASE)
    simulated, row = harness.run(cases, tmp_path)
    assert (simulated["status"], simulated["backend"]) == ("done", "cuda-simulator")
    times = {
        "compile_s", "put_s", "train_s", "update_s", "update_s_low", "update_s_high", "samples",
        "seconds_to_target",
    }  # fmt: skip
    assert row.keys() - simulated.keys() == times
    assert simulated["log_likelihood"] == row["log_likelihood"]
    assert simulated["timeout_s"] == CASE.timeout_s
    table = ebmbench.load_table(tmp_path)
    points = table.curves[table.curves.key == simulated["key"]]
    assert len(points) == 5
    assert points.seconds.isna().all()
    kept = []
    progress = harness.Progress(finished=lambda n, case, row, again: kept.append(again))
    harness.run(cases, tmp_path, progress)
    assert kept == [True, True]


def test_rows_of_a_simulator_are_not_taken_for_those_of_a_gpu(monkeypatch):
    def version():
        machine.code_version.cache_clear()
        return machine.code_version()

    before = version()
    try:
        monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
        assert version() != before
    finally:
        monkeypatch.undo()
        assert version() == before


def test_a_red_gate_gives_no_timing(tmp_path, monkeypatch):
    monkeypatch.setattr(harness.gate, "VERDICTS", {})
    monkeypatch.setattr(harness.gate, "check", lambda backend, kinds: "gibbs differs")
    row = run_one(tmp_path)
    assert (row["status"], row["reason"]) == ("red", "backend cpu: gibbs differs")
    assert "train_s" not in row


def test_the_gate_looks_at_the_kinds_of_models_that_a_case_computes_with(tmp_path, monkeypatch):
    """Each once a process; what another kind's jobs do is no reason to wait, nor to be red."""
    looked = []

    def check(backend, kinds):
        looked.append((backend.name, *kinds))
        return "differs" if kinds == ["bayes_net"] else None

    monkeypatch.setattr(harness.gate, "VERDICTS", {})
    monkeypatch.setattr(harness.gate, "check", check)
    net = replace(CASE, family="bayes_net", hidden=0, estimator={"name": "exact"}, evaluate="exact")
    rows = harness.run(suite(CASE, net, replace(CASE, seed=1)), tmp_path)
    assert [row["status"] for row in rows] == ["done", "red", "done"]
    assert looked == [("cpu", "bernoulli_rbm"), ("cpu", "bayes_net")]
    with pytest.raises(harness.gate.Red):
        harness.gate.demand("cpu")
    assert sorted(looked) == sorted(("cpu", kind) for kind in harness.gate.KINDS)
    assert set(harness.gate.KINDS) == {kind for _, kind in api.load("cpu").jobs}


def test_half_a_line_of_a_killed_run_is_passed_over(tmp_path):
    first = run_one(tmp_path)
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"key": "half')
    assert len(ebmbench.load_table(tmp_path).rows) == 1
    run_one(tmp_path, seed=1)
    rows = ebmbench.load_table(tmp_path).rows
    assert len(rows) == 2
    assert first["key"] in set(rows.key)


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    run_one(tmp_path)
    before = (tmp_path / "rows.jsonl").read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left") as error:
        run_one(tmp_path, seed=1)
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert (tmp_path / "rows.jsonl").read_bytes().startswith(before)
    assert len(ebmbench.load_table(tmp_path).rows) == 1


@pytest.mark.parametrize("name", ["file", "rows"])
def test_a_folder_that_cannot_be_written(tmp_path, name):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(UserError, match="cannot write"):
        harness.run(suite(CASE), path if name == "file" else path / "rows")


@pytest.mark.parametrize(
    "content", [None, "", '{"key": "half', json.dumps({"key": "a", "schema_version": 99, "attempt": "x"})]
)
def test_a_folder_without_a_table(tmp_path, content):
    if content is not None:
        (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(UserError) as error:
        ebmbench.load_table(tmp_path)
    assert "\n" not in str(error.value)


def test_a_run_that_is_killed_goes_on_where_it_stopped(tmp_path):
    """SIGKILL in the middle; the next run repeats only what was not finished."""
    script = tmp_path / "suite.toml"
    script.write_text(
        'seeds = 40\n[[train]]\ndataset = "bars_and_stripes_3x3"\nbackend = "cpu"\nhidden = 4\n'
        'epochs = 60\nevaluate = "exact"\nestimator = { name = "cd" }\n'
    )
    out = tmp_path / "out"
    command = [sys.executable, "-m", "ebmbench", "run", str(script), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = out / "rows.jsonl"
    deadline = time.monotonic() + 300  # the first case may have to compile
    try:
        while not (rows.exists() and rows.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = rows.read_text().count("\n")
    assert 1 <= before < 40
    assert table.gaps(out).without_row == 40 - before
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr.count("(kept)") == before
    assert len(ebmbench.load_table(out).rows) == 40
    assert table.gaps(out).without_row == 0


def test_one_checkpoint_is_the_last(tmp_path):
    row = run_one(tmp_path, checkpoints=1)
    assert row["updates_done"] == row["updates"] == 90


def test_an_exact_gradient_that_diverges_is_diverged(tmp_path):
    row = run_one(tmp_path, estimator={"name": "exact"}, decay=1e7)
    assert row["status"] == "diverged"


def test_two_runs_do_not_share_a_folder(tmp_path):
    """They would time each other; a folder is free again when its run has ended, however it did."""
    inner = []

    def finished(number, case, row, again):
        with pytest.raises(UserError) as refused:
            run_one(tmp_path, seed=7)
        inner.append(str(refused.value))

    harness.run(suite(CASE), tmp_path, harness.Progress(finished=finished))
    assert "another run writes to" in inner[0]
    assert run_one(tmp_path, seed=7)["status"] == "done"

    def broken(number, case):
        raise KeyboardInterrupt

    (tmp_path / "machine.json").rename(tmp_path / "kept.json")
    (tmp_path / "machine.json").write_text("{")
    with pytest.raises(UserError, match="is damaged") as damaged:
        run_one(tmp_path, seed=8)
    (tmp_path / "kept.json").replace(tmp_path / "machine.json")
    assert damaged  # still there, and with it all that it holds
    with pytest.raises(KeyboardInterrupt):
        harness.run(suite(replace(CASE, seed=8)), tmp_path, harness.Progress(started=broken))
    assert run_one(tmp_path, seed=8)["status"] == "done"


def test_grey_data_have_no_likelihood_and_say_so(tmp_path):
    np.save(tmp_path / "grey.npy", np.random.default_rng(0).random((40, 9)))
    row = run_one(tmp_path / "out", dataset=str(tmp_path / "grey.npy"))
    assert row["status"] == "failed"
    assert "grey" in row["reason"]


def test_a_row_says_how_log_z_was_estimated_and_keeps_the_weights(tmp_path):
    row = run_one(tmp_path, evaluate="ais", betas=50, chains=20)
    assert row["log_z_schedule"] == "linear (50 on [0, 1])"
    assert row["log_z_base"] == "train split of bars_and_stripes_3x3"
    assert 1 <= row["ess"] <= 20
    assert table.load_model(tmp_path, row["key"])["log_weights"].shape == (20,)


def test_changed_data_run_again(tmp_path):
    path = tmp_path / "mine.npy"
    for seed in (0, 1):
        np.save(path, np.random.default_rng(seed).integers(0, 2, (40, 9)))
        train.load_dataset.cache_clear()
        judge.baselines_of.cache_clear()
        run_one(tmp_path / "out", dataset=str(path))
    rows = ebmbench.load_table(tmp_path / "out").rows
    assert len(rows) == 1
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("content", ["[1]", "{", "null"])
def test_a_damaged_machine_file_is_not_overwritten(tmp_path, content):
    (tmp_path / "machine.json").write_text(content)
    with pytest.raises(UserError, match="damaged"):
        run_one(tmp_path)
    assert (tmp_path / "machine.json").read_text() == content


def test_rows_of_another_schema_are_refused_before_any_work(tmp_path):
    line = json.dumps({"key": "a", "schema_version": 99, "status": "done", "attempt": "x"})
    (tmp_path / "rows.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match="schema"):
        run_one(tmp_path)


def test_every_update_counts_alike_in_the_quartiles():
    slices = {"process": 1, "update_s": [9.0, 1.0, 2.0], "updates": [1, 60, 39]}
    assert table.update_quartiles([slices]) == (1.0, 1.0, 2.0)
    assert np.isnan(table.update_quartiles([])).all()


def test_targets_that_are_reached_and_targets_that_are_not(tmp_path):
    row = run_one(tmp_path, targets=[-100.0, -3.0, 0.0])
    curve = ebmbench.load_table(tmp_path).curves
    first, second, third = row["seconds_to_target"]
    assert first == {"target": -100.0, "reached": True, "seconds": 0.0, "after": 0.0, "censored_at": None}
    reached = curve[curve.log_likelihood >= -3.0]
    if second["reached"]:
        assert second["seconds"] == reached.seconds.min()
    else:
        assert reached.empty
    missed = {"target": 0.0, "reached": False, "seconds": None, "censored_at": row["train_s"]}
    assert third == missed | {"after": curve.seconds.max()}


def test_a_target_between_two_checkpoints_counts_at_the_later_one():
    curve = [{"log_likelihood": value, "seconds": n} for n, value in enumerate([-9.0, -5.0, -6.0, -4.0])]
    assert _curve.first_at(-5.5, curve, 3.0, "log_likelihood")["seconds"] == 1
    assert _curve.first_at(-4.5, curve, 3.0, "log_likelihood")["seconds"] == 3
    assert _curve.first_at(-4.5, curve, 3.0, "log_likelihood")["after"] == 2
    assert _curve.first_at(-1.0, curve, 3.0, "log_likelihood")["censored_at"] == 3.0


def test_a_gain_is_told_from_none(tmp_path):
    row = run_one(tmp_path, epochs=1, rate=1e-6)
    assert row["gain"] == pytest.approx(row["log_likelihood"] - row["baseline_independent"])
    assert abs(row["gain"]) < 0.1
    assert row["verdict"] == "no gain"
    trained = run_one(tmp_path, estimator={"name": "exact"}, epochs=300, rate=0.3, hidden=8)
    assert trained["gain"] > 1
    assert trained["verdict"] == "gain"


def test_estimators_tell_what_they_learned(tmp_path):
    tempered = run_one(tmp_path, estimator={"name": "parallel_tempering", "temperatures": 3})
    assert 0 < tempered["swap_rate_min"] <= tempered["swap_rate"] <= 1
    normalised = run_one(tmp_path, estimator={"name": "nce"})
    assert np.isfinite(normalised["learned_log_z"])
    assert "learned_log_z" not in run_one(tmp_path, estimator={"name": "exact"})


def test_a_model_that_is_resolved_says_so(tmp_path):
    row = run_one(tmp_path, evaluate="ais", betas=300, resolve=True)
    assert row["gap"] == pytest.approx(row["log_likelihood"] - row["log_likelihood_reverse"], abs=1e-6)
    assert 0 < row["gap_error"] < 1 - abs(row["gap"])
    assert row["resolved"] is True
    assert row["reverse_start"] == "exact draws"
    with pytest.raises(UserError, match="resolve"):
        replace(CASE, resolve=True)


def test_a_log_likelihood_that_cannot_be_is_not_resolved_even_where_nobody_looks_both_ways(tmp_path):
    trained = {"dataset": "digits", "hidden": 32, "batch_size": 20, "rate": 0.1, "momentum": 0.9}
    trained |= {"evaluate": "ais", "chains": 5, "checkpoints": 1}
    flattered = run_one(tmp_path, betas=2, **trained)  # one step from base rates to the model
    assert flattered["resolved"] is False
    assert CASE.summary(flattered).endswith("not resolved")
    assert "resolved" not in run_one(tmp_path, betas=1000, **trained)


def test_quick_holds_what_it_promises():
    from ebmbench.harness import spec

    found = {(case.dataset, case.label, case.backend) for case in spec.load("quick").cases}
    assert found == {
        (dataset, label, backend)
        for dataset in ("bars_and_stripes", "digits")
        for label in ("CD-1", "CD-10", "SML-1", "exact")
        for backend in ("reference", "cpu")
    }
