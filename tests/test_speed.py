"""Comparisons in turns, and the tasks that measure a device: speed, kernel, ceilings, gate and tests."""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from conftest import complaint
from scipy.stats import binom

from ebmbench import peers
from ebmbench.errors import Unavailable, UserError
from ebmbench.harness import ceilings, gate, interleaved, jobs, made_up, sources, spec
from ebmbench.harness import run as harness
from ebmbench.harness.clock import Timeout
from ebmbench.harness.floors import floor
from ebmbench.harness.interleaved import Limit, System, Turns
from ebmbench.harness.jobs import Cost
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import ceilings as ceilings_task
from ebmbench.harness.tasks import gate as gate_task
from ebmbench.harness.tasks import kernel, speed
from ebmbench.harness.tasks import tests as tests_task
from ebmbench.kernels.api import READY, state

SIZES = {"n_visible": 20, "n_hidden": 12, "turns": 3, "turn_s": 1e-3}
SPEED = speed.Case(backend="cpu", job={"estimator": "cd"}, batch_size=10, rows=100, **SIZES)
AIS = replace(SPEED, job={"method": "ais", "betas": 20, "chains": 30})
KERNEL = kernel.Case(
    backend="cpu", job={"name": "gibbs", "chains": 50, "sweeps": 2}, peer="numpy", **SIZES
)
DEEP = {
    "mlp": {"hidden": [9, 5]},
    "gan": {"generator": [9], "discriminator": [5], "latent": 3},
    "dbn": {"hidden": [9, 5]},
    "dbm": {"hidden": [9, 5], "chains": 10},
}
GATE = gate_task.Case(backend="cpu", job="gibbs")
TESTS = tests_task.Case(backend="cpu", marker="gpu")


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(interleaved, "_REST_S", 0.0)
    monkeypatch.setattr(ceilings, "_COPIED", {"cpu": 2**20, "cuda": 2**31})
    monkeypatch.setattr(ceilings, "_SIZES", {"float32": {"cpu": 64}})


def run_one(folder, case, **changes):
    (row,) = harness.run(Suite("tiny", "Tiny", True, (replace(case, **changes),)), folder)
    return row


# Turns and their statistic


class MadeUpTime:
    """A clock that only work moves on, and what worked."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def system(self, name, seconds, first=0.0, blas=False):
        """Work of so many seconds a piece, and more for the first one."""
        started = []

        def run(pieces):
            self.log.append((name, pieces))
            self.now += seconds * pieces + (0.0 if started else first)
            started.append(True)

        return System(run, blas=blas)


@pytest.fixture
def time(monkeypatch):
    made_up = MadeUpTime()
    monkeypatch.setattr(interleaved, "perf_counter", lambda: made_up.now)
    return made_up


def test_turns_alternate_and_tell_the_seconds_of_a_piece(time):
    ours, theirs = time.system("a", 1e-3, first=2.0), time.system("b", 3e-3)
    found = interleaved.take_turns(ours, theirs, 4, 0.0125, Limit(60.0))
    assert time.log[-8:] == [(name, {"a": 12, "b": 4}[name]) for name in "abbaabba"]
    assert found.seconds == pytest.approx([1e-3] * 4)
    assert found.against_seconds == pytest.approx([3e-3] * 4)
    assert found.compile_s == pytest.approx(2.0)
    assert found.blas_threads == [0, 0]


def test_a_blas_gets_the_number_of_threads_that_is_faster(time, monkeypatch, threads):
    limits = []
    monkeypatch.setattr(interleaved, "threadpool_limits", lambda limits=0, **_: limits_of(limits))

    @contextmanager
    def limits_of(count):
        limits.append(count)
        yield

    def run(pieces):
        time.now += pieces * (1.0 if limits[-1] == 1 else 3.0)

    if interleaved.numba.get_num_threads() == 1:
        pytest.skip("there is one thread")
    found = interleaved.take_turns(time.system("a", 1.0), System(run, blas=True), 2, 0.1, Limit(60.0))
    assert found.blas_threads == [0, 1]
    assert found.against_seconds == [1.0, 1.0]


def test_turns_stop_at_the_limit(time):
    """4 s go by while both warm up."""
    with pytest.raises(Timeout, match="after 10 of 1000 turns"):
        interleaved.take_turns(time.system("a", 1.0), time.system("b", 1.0), 1000, 0.1, Limit(23.5))


def test_the_limit_counts_from_where_a_case_starts(time):
    limit = Limit(30.0)
    time.now += 20.0
    with pytest.raises(Timeout, match="30 s were used up before the first turn"):
        interleaved.take_turns(time.system("a", 1.0, 10.0), time.system("b", 1.0), 4, 0.1, limit)
    assert time.log == [("a", 1)]


def test_the_limit_holds_while_a_kernel_is_checked(tmp_path):
    for peer, when in (("", "ours was checked"), ("numpy", "the peer's settings were tried")):
        row = run_one(tmp_path / peer, KERNEL, peer=peer, timeout_s=1e-9)
        assert row["status"] == "timeout"
        assert row["reason"].endswith(f"while {when}")


def turns_of(ratios):
    return Turns([1.0] * len(ratios), list(ratios), 0.0, [0, 0], 1)


COUNTS = {
    (getattr(case, "processes", 1), case.turns)
    for suite in spec.known_suites()
    for case in spec.load(suite).cases
    if case.task == "speed" or (case.task == "kernel" and case.peer)
}


@pytest.mark.parametrize(("processes", "turns"), sorted(COUNTS))
def test_the_interval_holds_the_ratio_as_often_as_it_says(processes, turns):
    """1000 experiments at the suites' own counts; a right interval fails once in 10**6 on either side."""
    random = np.random.default_rng(processes + 100 * turns)
    held = 0
    for _ in range(1000):
        apart = 0.2 * random.normal(size=(processes, 1)) * (processes > 1)
        ratios = np.exp(np.log(5) + apart + 0.1 * random.normal(size=(processes, turns)))
        found = interleaved.summary([turns_of(r) for r in ratios])
        held += found["ratio_low"] <= 5 <= found["ratio_high"]
    assert binom.ppf(1e-6, 1000, 0.95) <= held <= binom.ppf(1 - 1e-6, 1000, 0.95)


def test_a_process_is_a_sample():
    """Processes that differ widen the interval, however well each knows its own ratio."""
    alone = interleaved.summary([turns_of([2.0, 2.0, 2.0])])
    assert (alone["ratio"], alone["ratio_low"], alone["ratio_high"]) == pytest.approx((2, 2, 2))
    found = interleaved.summary([turns_of([r] * 3) for r in (1.0, 2.0, 4.0)])
    reach = 4.302653 * np.log(2) / np.sqrt(3)  # Student's t of 2 degrees of freedom, from a table
    assert found["ratio"] == pytest.approx(2.0)
    assert found["ratio_low"] == pytest.approx(2 * np.exp(-reach))
    assert found["ratio_high"] == pytest.approx(2 * np.exp(reach))


def test_too_few_samples_have_no_interval():
    for few in ([turns_of([2.0, 2.1])], [turns_of([2.0, 2.1, 2.2])] * 2):
        found = interleaved.summary(few)
        assert np.isnan([found["ratio_low"], found["ratio_high"]]).all()
        assert interleaved.told(found) == "[–]"


# Speed


def test_an_update_on_two_backends(tmp_path):
    row = run_one(tmp_path, SPEED)
    assert row["status"] == "done", row["reason"]
    assert (row["job"], row["against"], row["backend"]) == ("CD-1", "reference", "cpu")
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    (sample,) = row["samples"]
    ratios = np.array(sample["against_seconds"]) / sample["seconds"]
    assert row["ratio"] == pytest.approx(np.exp(np.log(ratios).mean()))
    assert sample["blas_threads"][0] == 0 < sample["blas_threads"][1]
    assert row["compile_s"] > 0
    assert "log_z" not in row


def test_an_estimate_on_two_backends_is_the_same_estimate(tmp_path):
    """The same random numbers; what differs is float32."""
    row = run_one(tmp_path, AIS)
    assert row["job"] == "AIS, 20 temperatures, 30 chains"
    assert row["log_z"] == pytest.approx(row["against_log_z"], abs=1e-3)
    assert row["std_error"] > 0


def test_estimates_that_differ_are_red(tmp_path, monkeypatch):
    """By 2 nats, of which five combined standard errors are fewer."""
    from ebmbench.kernels.api import Backend

    original = Backend.anneal

    def off(k, *given):
        found = original(k, *given)
        return found._replace(log_weights=found.log_weights + 2.0 * (k.name == "cpu"))

    monkeypatch.setattr(Backend, "anneal", off)
    monkeypatch.setattr(gate, "demand", lambda *_: 0.0)
    row = run_one(tmp_path, AIS)
    assert row["status"] == "red"
    assert 5 * np.hypot(row["std_error"], row["against_std_error"]) < 2.0
    assert row["reason"].startswith("cpu and reference: log Z are 2 apart")
    job = {"name": "ais", "chains": 30, "betas": 20}
    row = run_one(tmp_path / "kernel", KERNEL, job=job, peer="")
    assert row["status"] == "red"
    assert "AIS of backend cpu" in row["reason"]


def test_a_process_of_its_own_measures_the_same_case(tmp_path):
    row = run_one(tmp_path, AIS, processes=2, turns=2)
    assert row["status"] == "done", row["reason"]
    assert len({sample["process"] for sample in row["samples"]}) == 2
    assert row["log_z"] == run_one(tmp_path / "here", AIS, turns=2)["log_z"]


def test_a_process_that_fails_tells_its_last_line(monkeypatch):
    monkeypatch.setattr(interleaved, "asdict", lambda case: {"backend": "cpu", "job": {"estimator": "x"}})
    with pytest.raises(RuntimeError, match="unknown estimator 'x'"):
        interleaved.in_processes(SPEED, 1)


def test_cuda_is_compared_with_cpu_or_unavailable(tmp_path):
    row = run_one(tmp_path, SPEED, backend="cuda")
    assert row["against"] == "cpu"
    if state("cuda") != READY:
        assert (row["status"], row["reason"]) == ("unavailable", state("cuda"))
        assert row["subject"] == "a made-up 20x12 RBM"


@pytest.mark.parametrize("name", DEEP)
def test_an_update_of_a_deep_model_on_two_backends(tmp_path, monkeypatch, name):
    made, original = {}, jobs.DEEP[name].trainer

    def kept(self, k, subject, seed):
        return made.setdefault(k.name, original(self, k, subject, seed))

    monkeypatch.setattr(jobs.DEEP[name], "trainer", kept)
    row = run_one(tmp_path, SPEED, job={"model": name, **DEEP[name]})
    assert row["status"] == "done", row["reason"]
    assert {k: trainer.done > 3 for k, trainer in made.items()} == {"cpu": True, "reference": True}
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    assert row["job_kind"] == "model"
    assert row["job"].startswith(name.upper())
    assert row["subject"] == replace(SPEED, job=row["job_table"]).where
    assert row["images_per_s"] == pytest.approx(10 * (1 + (name == "dbn")) / row["seconds"])
    assert row["n_hidden"] is None


# Kernels


@pytest.mark.parametrize(
    "job",
    [
        {"name": "gibbs", "chains": 50, "sweeps": 2},
        {"name": "pseudolikelihood", "rows": 5},
        {"name": "ratio_matching", "rows": 5},
        {"name": "sml", "rows": 50, "batch": 10},
        {"name": "cd", "rows": 50, "batch": 10, "k": 3},
        {"name": "ais", "chains": 20, "betas": 10},
        {"name": "mlp", "rows": 50, "batch": 10, "hidden": [9, 5]},
    ],
    ids=lambda job: job["name"],
)
def test_a_kernel_beside_a_peer(tmp_path, job):
    row = run_one(tmp_path, KERNEL, job=job)
    assert row["status"] == "done", row["reason"]
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    assert row["fraction"] == pytest.approx(row["floor_s"] / row["seconds"])
    assert row["bound"] in ("operations", "bytes")
    assert row["put_s"] > 0
    assert row["get_s"] > 0
    assert row["peer_version"].startswith("numpy ")


@pytest.mark.parametrize("job", DEEP)
def test_a_deep_models_updates_beside_torch(tmp_path, job):
    pytest.importorskip("torch")
    table = {"name": job, "rows": 55, "batch": 10, **DEEP[job]}
    row = run_one(tmp_path, KERNEL, job=table, peer="torch_eager")
    assert row["status"] == "done", row["reason"]
    case = replace(KERNEL, job=table)
    config = case.config
    assert case.facts()["n_hidden"] is None  # also of a row that was not to be had
    layers = 2 if job == "dbn" else 1
    assert row["images_per_s"] == pytest.approx(layers * 50 / row["seconds"])
    assert (row["n_visible"], row["n_hidden"]) == (20, None)
    assert (row["job"], row["model"]) == (config.label, config.called("", 20, 12))
    assert row["operations"] == config.cost(config.load("", "", 20, 12)).operations
    assert row["put_s"] > 0
    assert row["get_s"] > 0
    data = run_one(tmp_path / "digits", KERNEL, job=table, dataset="digits", n_visible=64, peer="")
    assert data["status"] == "done", data["reason"]
    assert data["n_visible"] == 64


def test_operations_of_deep_models_are_those_of_their_products():
    """Counted by hand for one update of 10 rows, 2 operations a product of two numbers."""

    def operations(job):
        config = jobs.JOBS[job](rows=10, batch=10, **DEEP[job])
        return config.cost(config.load("", "", 20, 1)).operations

    def products(*sizes):
        return sum(a * b for a, b in sizes)

    all_, first = products((20, 9), (9, 5), (5, 10)), 20 * 9
    assert operations("mlp") == 2 * 10 * (all_ + all_ + all_ - first)
    G, D = ((3, 9), (9, 20)), ((20, 5), (5, 1))
    of_D = products(*G) + 2 * (3 * products(*D) - 20 * 5)  # G forward; D both ways for twice the rows
    of_G = 3 * products(*G) - 3 * 9 + 2 * products(*D)  # G both ways; D forward and back to its rows
    assert operations("gan") == 2 * 10 * (of_D + of_G)
    W = (20, 9), (9, 5)
    # A layer: two of data, two of the chain's half-sweeps, two of its end; and the draw upwards.
    assert operations("dbn") == 2 * 10 * (6 * products(*W) + 20 * 9)
    given = 20 * 9 + 10 * 2 * 9 * 5 + products(*W)
    made = 5 * 2 * products(*W) + 2 * products(*W)
    assert operations("dbm") == 2 * 10 * (given + made)


def test_our_own_network_that_is_wrong_is_red(tmp_path, monkeypatch):
    from ebmbench.kernels.api import Backend

    original = Backend.backward

    def off(k, model, *given):
        tree = original(k, model, *given)
        return {name: x for name, x in tree.items() if k.name != "cpu" or name != "c1"}

    monkeypatch.setattr(Backend, "backward", off)
    monkeypatch.setattr(gate, "demand", lambda *_: 0.0)
    for job in ("mlp", "gan"):
        table = {"name": job, "rows": 50, "batch": 10, **DEEP[job]}
        row = run_one(tmp_path / job, KERNEL, job=table, peer="")
        assert row["status"] == "red"
        assert row["reason"].startswith("backend cpu: ")
        assert "is off by" in row["reason"]


def test_a_kernel_of_a_given_model_starts_from_the_rows_of_its_data(tmp_path):
    """A recipe of 64 visible units, as digits have columns; and the shipped model that learned them."""
    for model, name in (({"random": [64, 5]}, "random 64x5, scale 1, seed 1"), ("digits_rbm20",) * 2):
        case = replace(KERNEL, model=model, dataset="digits")
        given = case.load()
        train = sources.load_dataset("digits").train
        rows = {row.tobytes() for row in given.rows(50)}
        assert rows <= {row.tobytes() for row in train}
        assert len(rows) > 40
        assert len(given.rows(2 * len(train))) == 2 * len(train)
        row = run_one(tmp_path / name, case)
        assert row["status"] == "done", row["reason"]
        assert (row["model"], row["n_visible"]) == (name, 64)
        assert row["operations"] == 2 * 50 * 2 * 2 * given.model.W.size
        assert f"of {name}," in case.heading
        assert row["dataset_digest"] == sources.load_dataset("digits").digest


def test_what_a_given_model_is_checked_against_is_that_model(tmp_path, monkeypatch):
    """A peer that samples the made-up model of the same size is red."""
    original = peers.known()["numpy"].JOBS["gibbs"]
    monkeypatch.setitem(
        peers.known()["numpy"].JOBS,
        "gibbs",
        lambda place, model, *rest: original(place, made_up.model(64, 20), *rest),
    )
    row = run_one(tmp_path, KERNEL, model="digits_rbm20", dataset="digits")
    assert row["status"] == "red"
    assert "peer numpy" in row["reason"]


def test_a_kernel_of_a_published_model_that_is_not_there_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setenv("EBMBENCH_DATA", str(tmp_path))
    row = run_one(tmp_path, KERNEL, model="rbm_cd25_500.npz")
    assert row["status"] == "unavailable"
    assert row["reason"].startswith("there is no model file rbm_cd25_500.npz")
    assert (row["model"], row["n_visible"]) == ("rbm_cd25_500", None)


def test_data_that_do_not_fit_the_model_are_one_sentence():
    with pytest.raises(UserError, match="data set digits has 64 columns, but the model has 20"):
        replace(KERNEL, dataset="digits").load()


def test_a_kernel_without_a_peer_has_no_ratio(tmp_path):
    row = run_one(tmp_path, KERNEL, job={"name": "ais", "chains": 20, "betas": 10}, peer="")
    assert row["status"] == "done", row["reason"]
    assert "ratio" not in row
    assert np.isfinite(row["log_z"])
    assert row["seconds"] > 0


def test_the_floor_is_the_larger_of_two(monkeypatch):
    tops = {
        1: ceilings.Ceilings(copy=1e9, float32=1e9, bfloat16=None, by="me"),
        2: ceilings.Ceilings(copy=1e9, float32=1e9, bfloat16=1e9, by="me"),
    }
    monkeypatch.setattr(ceilings, "measure", lambda backend, threads: tops[threads])
    found = floor("cpu", Cost(2e9, 1e6, 5e8), "float", 1)
    assert (found["floor_s"], found["bound"]) == (2.0, "operations")
    assert (found["operations_per_s"], found["copy_per_s"]) == (1e9, 1e9)
    found = floor("cpu", Cost(1e6, 1e9, 1e9), "bfloat16x2", 2)
    assert (found["floor_s"], found["bound"], found["operations"]) == (5.0, "bytes", 2e6)
    assert floor("cpu", Cost(1.0, 1.0, 1.0), "bfloat16", 1)["floor_s"] is None


def test_operations_are_those_of_the_products(tmp_path):
    row = run_one(tmp_path, KERNEL)
    assert row["operations"] == 2 * 50 * 2 * 2 * 20 * 12  # sweeps, chains, products, flops of one


def test_our_own_kernel_that_is_wrong_is_red(tmp_path, monkeypatch):
    from ebmbench.kernels.api import Backend

    original = Backend.gibbs
    monkeypatch.setattr(Backend, "gibbs", lambda k, model, v, *rest: (v, original(k, model, v, *rest)[1]))
    monkeypatch.setattr(gate, "demand", lambda *_: 0.0)
    row = run_one(tmp_path, KERNEL, job={"name": "gibbs", "chains": 500, "sweeps": 1})
    assert row["status"] == "red"
    assert "backend cpu" in row["reason"]


def test_bfloat16_of_ours_has_no_slack_but_its_weights(tmp_path, monkeypatch):
    """A bias off by 0.1 moves a probability of an eighth by 0.01, less than what a peer may round."""
    from ebmbench.kernels.api import Backend

    monkeypatch.setattr(gate, "demand", lambda *_: 0.0)
    changes = {"job": {"name": "gibbs", "chains": 1000, "sweeps": 1}, "n_visible": 200, "peer": ""}
    row = run_one(tmp_path, KERNEL, arithmetic="bfloat16", **changes)
    assert row["status"] == "done", row["reason"]
    original = Backend.put
    shifted = lambda k, model, *given: original(k, replace(model, b=model.b + 0.1), *given)  # noqa: E731
    monkeypatch.setattr(Backend, "put", shifted)
    row = run_one(tmp_path / "again", KERNEL, arithmetic="bfloat16", **changes)
    assert row["status"] == "red"


def test_a_floor_in_bfloat16_is_of_tensor_cores_only():
    def job(**changes):
        return replace(KERNEL, **changes).config.on_tensor_cores

    assert not job()  # 50 chains
    assert job(job={"name": "gibbs", "chains": 128})
    assert not job(job={"name": "ais", "chains": 500}, peer="")


# Ceilings, gate and tests


def test_ceilings_of_the_processor(tmp_path):
    row = run_one(tmp_path, ceilings_task.Case(backend="cpu"))
    assert row["status"] == "done", row["reason"]
    assert row["copy_per_s"] > 1e8
    assert row["float32_per_s"] > 1e7
    alone = ceilings.measure("cpu", 1)
    assert alone.by.endswith("1 thread")
    assert alone is ceilings.measure("cpu", 1)
    assert row["bfloat16_per_s"] is None


def test_a_row_of_the_gate_has_the_worst_error(tmp_path):
    row = run_one(tmp_path, GATE, job="moments")
    findings = list(gate.findings(harness.api.load("cpu"), only={"moments (float)"}))
    assert row["error"] == max(one.error for one in findings)
    assert row["sizes"] == len(findings) > 1


def test_the_gates_labels_are_those_of_its_findings():
    sizes = [(3, 2, 2), *gate._ARITHMETICS]
    found = {one.job for one in gate.findings(harness.api.load("reference"), sizes)}
    assert found == set(gate.labels())


def test_a_red_job_is_a_row_with_its_error(tmp_path, monkeypatch):
    monkeypatch.setitem(gate.BinaryJobs.tolerances, "moments", 1e-30)
    row = run_one(tmp_path, GATE, job="moments")
    assert row["status"] == "red"
    assert row["error"] > row["tolerance"]
    assert run_one(tmp_path, GATE)["status"] == "done"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """write(text): a checkout whose tests are this text, with the options that this package's has."""
    folder = tmp_path / "checkout" / "tests"
    folder.mkdir(parents=True)
    (folder / "conftest.py").touch()
    options = '[tool.pytest.ini_options]\naddopts = "-q"\nmarkers = ["gpu"]\n'
    (folder.parent / "pyproject.toml").write_text(options)
    monkeypatch.setattr(tests_task, "FOLDER", folder)
    marked = "import pytest, time\npytestmark = pytest.mark.gpu\n"
    return lambda text: (folder / "test_it.py").write_text(marked + text)


def counted(row):
    return [row[name] for name in ("passed", "failed", "skipped", "errors")]


def test_tests_are_counted(tmp_path, checkout):
    checkout("def test_a(): pass\ndef test_b(): pytest.skip('no')\n")
    row = run_one(tmp_path / "out", TESTS)
    assert (row["status"], counted(row), row["tail"]) == ("done", [1, 0, 1, 0], "")
    checkout("def test_a(): pass\ndef test_b(): raise ValueError('boom')\ndef test_c(missing): pass\n")
    row = run_one(tmp_path / "again", TESTS)
    assert (row["status"], counted(row)) == ("red", [1, 1, 0, 1])
    assert row["reason"].startswith("2 of the tests marked gpu")
    assert "boom" in row["tail"]


def test_tests_that_do_not_end_are_counted_as_far_as_they_came(tmp_path, checkout):
    checkout("def test_a(): pass\ndef test_b(): time.sleep(60)\n")
    row = run_one(tmp_path / "out", TESTS, timeout_s=12.0)  # pytest itself takes some to start
    assert row["status"] == "timeout"
    assert row["passed"] == 1
    assert "1 passed" in row["reason"]
    assert "KeyboardInterrupt" in row["tail"]


def test_tests_of_which_none_is_run_are_red(tmp_path, checkout):
    checkout("def test_a(): pytest.skip('no')\n")
    row = run_one(tmp_path / "out", TESTS)
    assert (row["status"], counted(row)) == ("red", [0, 0, 1, 0])
    assert row["reason"].startswith("none of the tests marked gpu was run: 0 passed")


def test_no_tests_are_unavailable(tmp_path, checkout, monkeypatch):
    checkout("")
    assert run_one(tmp_path / "out", TESTS)["reason"] == "no test is marked gpu"
    monkeypatch.setattr(tests_task, "FOLDER", tmp_path / "nowhere")
    row = run_one(tmp_path / "again", TESTS)
    assert row["status"] == "unavailable"
    assert "checkout" in row["reason"]


# Suites


def test_the_headline_has_every_job_on_both_backends():
    cases = spec.load("headline").cases
    for backend, other in speed.AGAINST.items():
        own = [case for case in cases if case.backend == backend]
        labels = {case.label.split(",")[0] for case in own}
        deep = {"DBN 500-500", "DBM 500-1000", "GAN", "MLP 512-512-10"}
        assert labels == {"CD-1", "SML-1", "RM", "NCE-10", "AIS"} | deep
        assert {case.other for case in own} == {other}
        assert {(case.n_visible, case.batch_size) for case in own} == {(784, 100)}
        assert {case.n_hidden for case in own if case.kind != "model"} == {500}


def test_the_suite_of_peers_has_every_peer_of_the_processor_and_every_job():
    cases = [case for case in spec.load("peers").cases if case.task == "kernel"]
    assert {case.peer_place[0] for case in cases if case.peer} == {
        name for name, module in peers.known().items() if "cpu" in module.DEVICES
    }
    for case in cases:  # and none is asked for what it has not
        if case.peer:
            assert case.config.name in peers.known()[case.peer_place[0]].JOBS
    assert {case.config.name for case in cases} == set(kernel.JOBS) - set(jobs.DEEP)
    (paper,) = {case.label for case in cases if not case.peer}
    assert paper == "AIS, 100 chains, 14,500 temperatures of the paper"
    golden = {case.against for case in cases if case.model and case.config.name == "gibbs"}
    assert {"torch eager, bfloat16", "jax, bfloat16", "numpy, float32", "jax, float32"} < golden


def test_the_suite_gpu_has_every_job_of_the_gate_and_every_part():
    suite = spec.load("gpu")
    assert suite.needs == "cuda"
    assert {case.label for case in suite.cases if case.task == "gate"} == set(gate.labels())
    assert {case.task for case in suite.cases} == {
        "ceilings", "gate", "speed", "kernel", "log_z", "train", "tests"
    }  # fmt: skip
    (paper,) = [case for case in suite.cases if case.task == "log_z"]
    assert (paper.truth, paper.settings["betas"]) == (451.23, "paper")


def test_a_suite_that_needs_a_backend_says_so_before_it_does_anything(tmp_path):
    if state("cuda") == READY:
        pytest.skip("there is a GPU")
    with pytest.raises(Unavailable) as caught:
        harness.run(spec.load("gpu"), tmp_path / "out")
    assert str(caught.value) == state("cuda")
    assert not (tmp_path / "out").exists()


def test_needs_must_name_a_backend(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('needs = "cudda"\n[[ceilings]]\nbackend = "cpu"\n')
    assert "did you mean 'cuda'" in complaint(spec.load, str(path))


BLOCKED = """
import sys
blocked = {"pooch", "asv", "dask", "arviz", "arviz_stats", "torch", "cupy", "sklearn"}
class Blocker:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocker)
from ebmbench import cli, datasets, estimators, partition, peers, report
from ebmbench.harness import run, spec, tasks, worker
from ebmbench.report import page
for found in (datasets.names, estimators.known, partition.known, peers.known, tasks.known):
    found()
suite = spec.load("gpu")
print(len(suite.cases))
"""


def test_what_the_gpu_suite_imports_needs_none_of_the_large_packages():
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(spec.load("gpu").cases)


@pytest.mark.parametrize(
    ("case", "changes", "named"),
    [
        (SPEED, {"job": {"k": 1}}, "job"),
        (SPEED, {"job": {"estimator": "cdd"}}, "'cdd'"),
        (SPEED, {"job": {"estimator": "cd", "kk": 1}}, "'kk'"),
        (SPEED, {"job": {"method": "ais", "betas": 1}}, "temperatures"),
        (SPEED, {"job": {"method": "ais", "estimator": "cd"}}, "job"),
        (SPEED, {"job": {"method": "ais", "betas": "adaptive"}}, "given betas"),
        (SPEED, {"job": {"method": "reverse_ais"}}, "reverse_ais"),
        (SPEED, {"job": {"model": "dbnn"}}, "did you mean 'dbn'"),
        (SPEED, {"job": {"model": "dbn", "hiden": [3]}}, "did you mean 'hidden'"),
        (SPEED, {"job": {"model": "dbm", "hidden": [0]}}, "hidden"),
        (SPEED, {"job": {"model": "mlp"}, "rows": 5}, "batch"),
        (SPEED, {"backend": "reference"}, "no slower one"),
        (SPEED, {"against": "cpu"}, "itself"),
        (SPEED, {"against": "cpuu"}, "'cpuu'"),
        (SPEED, {"turns": 0}, "turns"),
        (SPEED, {"processes": 0}, "processes"),
        (KERNEL, {"job": {"name": "gibs"}}, "'gibs'"),
        (KERNEL, {"job": {"chains": 3}}, "name"),
        (KERNEL, {"job": {"name": "gibbs", "chains": 0}}, "chains"),
        (KERNEL, {"job": {"name": "sml", "rows": 5, "batch": 6}}, "batch"),
        (KERNEL, {"job": {"name": "ais", "betas": 1}, "peer": ""}, "temperatures"),
        (KERNEL, {"job": {"name": "ais", "betas": "adaptive"}, "peer": ""}, "betas"),
        (KERNEL, {"job": {"name": "cd", "k": 0}}, "k of job cd"),
        (KERNEL, {"job": {"name": "mlp", "optimiser": "adm"}}, "'adm'"),
        (KERNEL, {"job": {"name": "mlp", "activation": "rely"}}, "'rely'"),
        (KERNEL, {"job": {"name": "gan", "form": "max"}}, "'max'"),
        (KERNEL, {"job": {"name": "dbn", "estimator": "nce"}}, "'nce'"),
        (KERNEL, {"job": {"name": "dbm", "sweeps": 0}}, "sweeps"),
        (KERNEL, {"job": {"name": "dbn"}, "model": "digits_rbm20"}, "makes its own model"),
        (KERNEL, {"model": "digits_rbm"}, "digits_rbm20"),
        (KERNEL, {"dataset": "digitz"}, "digits"),
        (KERNEL, {"peer": "nump"}, "'nump'"),
        (KERNEL, {"peer": {"name": "numpy", "precision": "float16"}}, "'float16'"),
        (KERNEL, {"peer": {"name": "numpy", "prec": 1}}, "prec"),
        (KERNEL, {"arithmetic": "flot"}, "'flot'"),
        (KERNEL, {"turn_s": 0.0}, "turn_s"),
        (GATE, {"job": "gibs"}, "'gibs'; did you mean 'gibbs'"),
        (GATE, {"arithmetic": "gird"}, "did you mean 'grid'? known are float, grid, bfloat16"),
    ],
)
def test_a_bad_option_is_one_sentence_that_names_it(case, changes, named):
    assert named in complaint(replace, case, **changes)


def test_every_row_is_json(tmp_path):
    run_one(tmp_path, KERNEL)
    assert json.loads((tmp_path / "rows.jsonl").read_text())["task"] == "kernel"
