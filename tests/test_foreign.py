"""Training by other software in a suite, a peer's or the user's own: on our clock, before our judge."""

from contextlib import nullcontext
from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest
from conftest import complaint

import ebmbench
from ebmbench import peers
from ebmbench.harness import run as harness
from ebmbench.harness import table, user_code
from ebmbench.harness.foreign import training as foreign
from ebmbench.harness.gate import Red
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import _curve, train
from ebmbench.peers import Work
from ebmbench.report import page

MINE = """
    import numpy as np

    def probability(x):
        return 1 / (1 + np.exp(-x))

    def train(W, b, c, rows, batch_size, rate, momentum, seed, k=1):
        rng = np.random.default_rng(seed)
        while True:  # CD-k without momentum, in place
            for batch in np.array_split(rng.permutation(rows), -(-len(rows) // batch_size)):
                v = batch
                for _ in range(k):
                    h = rng.random((len(v), len(c))) < probability(v @ W + c)
                    v = 1.0 * (rng.random(v.shape) < probability(h @ W.T + b))
                p, q = probability(batch @ W + c), probability(v @ W + c)
                W += rate * (batch.T @ p - v.T @ q) / len(batch)
                b += rate * (batch - v).mean(0)
                c += rate * (p - q).mean(0)
            yield W, b, c
"""
FIELDS = {
    "dataset": "bars_and_stripes", "backend": "cpu", "hidden": 8, "epochs": 6, "batch_size": 7,
    "rate": 0.1, "momentum": 0.0, "evaluate": "exact", "checkpoints": 6, "spacing": "linear",
}  # fmt: skip
BATCHES = 5  # of 7 in 30 rows
NAMES = ("W", "b", "c")


def written(folder, text=MINE, name="mine.py"):
    path = folder / name
    path.write_text(dedent(text))
    return str(path)


def of(name, settings=None, **fields):
    return train.Case(**FIELDS | fields, estimator={"name": name, **(settings or {})})


def run(folder, case):
    (row,) = harness.run(Suite("tiny", "Tiny", True, (case,)), folder / "out")
    return row


def by_hand(case, epochs):
    """The user's models after each epoch."""
    data = ebmbench.load_dataset(case.dataset)
    made = user_code.load(case.estimator["name"]).train(
        **dict(case.start(data).parameters), rows=data.train.astype(float), batch_size=case.batch_size,
        rate=case.rate, momentum=case.momentum, seed=case.seed, **case.settings,
    )  # fmt: skip
    return [tuple(x.copy() for x in next(made)) for _ in range(epochs)]


def test_the_users_user_code_is_judged_after_each_epoch_that_it_did(tmp_path):
    """It runs an epoch ahead, and in place, yet each look is at the model of its own epoch."""
    case = of(written(tmp_path), {"k": 2})
    row = run(tmp_path, case)
    assert row["status"] == "done", row["reason"]
    assert row["estimator"].startswith("mine.py #")  # a long path
    assert row["estimator"].endswith(", k 2")
    assert row["updates"] == row["updates_done"] == 6 * BATCHES
    wanted = by_hand(case, 6)
    arrays = table.load_model(tmp_path / "out", row["key"])
    for name, x in zip(NAMES, wanted[-1], strict=True):
        np.testing.assert_array_equal(arrays[name], x)
    curve = ebmbench.load_table(tmp_path / "out").curves
    assert list(curves := curve["update"]) == [n * BATCHES for n in range(7)], curves
    data = ebmbench.load_dataset("bars_and_stripes").test
    backend = ebmbench.load_backend("cpu")
    for n, model in enumerate(wanted, 1):
        found = ebmbench.evaluate(backend, ebmbench.RBM(*model), data, "exact")
        assert curve.log_likelihood[n] == pytest.approx(found.mean, abs=1e-9)


def test_what_the_first_epoch_compiles_is_not_clocked(tmp_path):
    slow = """
        from time import sleep

        def train(W, b, c, rows, **settings):
            sleep(0.8)
            while True:
                yield W, b, c
                sleep(0.02)
    """
    row = run(tmp_path, of(written(tmp_path, slow), epochs=3, checkpoints=3))
    assert row["status"] == "done", row["reason"]
    assert 0.06 <= row["train_s"] < 0.5
    assert row["compile_s"] >= 0.7
    assert row["update_s"] >= 0.02 / BATCHES


def test_rows_are_float64_whatever_the_data_set_holds(tmp_path):
    """Bytes would wrap around where a drawn pixel is taken off."""
    text = """
        def train(W, b, c, rows, **settings):
            while True:
                yield W, b + (rows.dtype.str == "<f8") * 0.5, c + (rows - (rows < 2)).min()
    """
    row = run(tmp_path, of(written(tmp_path, text), epochs=1, checkpoints=1))
    arrays = table.load_model(tmp_path / "out", row["key"])
    start = of("numpy").start(ebmbench.load_dataset("bars_and_stripes"))
    np.testing.assert_allclose(arrays["b"], start.b + 0.5)
    np.testing.assert_allclose(arrays["c"], start.c - 1.0)


def test_a_changed_file_runs_again(tmp_path):
    case = of(written(tmp_path))
    first = run(tmp_path, case)
    assert run(tmp_path, case) == first
    written(tmp_path, MINE.replace("yield W", "yield 0 * W"))
    second = run(tmp_path, case)
    assert second["software"] != first["software"]
    assert second["log_likelihood"] != first["log_likelihood"]


@pytest.mark.parametrize("settings", [{}, {"job": "cd"}, {"job": "cd", "k": 3}])
def test_a_peer_learns(tmp_path, settings):
    """And as much as our own estimator of this name does, within what seeds differ by."""
    row = run(tmp_path, of("numpy", settings, epochs=400, checkpoints=2))
    assert row["status"] == "done", row["reason"]
    job = settings.get("job", "sml")
    own = {"chains": 7} if job == "sml" else {"k": settings.get("k", 1)}
    ours = run(tmp_path, of(job, own, epochs=400, checkpoints=2))
    assert ours["log_likelihood"] > ours["baseline_independent"] + 2
    assert row["log_likelihood"] == pytest.approx(ours["log_likelihood"], abs=1.0)
    assert row["estimator"] == f"{ours['estimator']} by numpy"
    assert row["software"] == peers.version_of("numpy")
    page.write_page(tmp_path / "out")
    told = f"Other software, by its version or the digest of its file: {row['software']}."
    assert told in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["scikit_learn", "torch_eager", "jax", "rbms", "learnergy"])
def test_every_peer_that_trains(tmp_path, name):
    job = {"job": "cd"} if name == "learnergy" else {}
    row = run(tmp_path, of(name, job, epochs=60, checkpoints=1))
    if row["status"] == "unavailable":
        pytest.skip(row["reason"])
    assert row["status"] == "done", row["reason"]
    assert row["log_likelihood"] > row["baseline_independent"]


@pytest.mark.parametrize("name", ["numpy", "mine.py"])
def test_a_batch_that_is_larger_than_the_data(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    row = run(tmp_path, of(name, batch_size=100, epochs=3, checkpoints=1))
    assert row["status"] == "done", row["reason"]
    assert row["updates_done"] == 3


def test_a_peer_whose_updates_are_wrong_is_red(tmp_path, monkeypatch):
    right = peers.known()["numpy"].JOBS["sml"]

    def wrong(place, model, rows, chains, batch, updates, rate, momentum):
        return right(place, model, rows, chains, batch, updates, 2 * rate, momentum)

    monkeypatch.setitem(peers.known()["numpy"].JOBS, "sml", wrong)
    row = run(tmp_path, of("numpy"))
    assert row["status"] == "red"
    assert "an update of SML is off" in row["reason"]
    assert "train_s" not in row


def test_the_threads_of_a_blas_are_those_that_are_faster(monkeypatch):
    monkeypatch.setattr(foreign.numba, "get_num_threads", lambda: 2)
    now, held = [0.0], []
    monkeypatch.setattr(foreign, "perf_counter", lambda: now[0])

    class Every:
        def limit(self, limits, user_api):
            assert user_api == "blas"
            held.append(limits)
            return nullcontext()

    def work(seconds):
        def ran():
            now[0] += seconds[held[-1]]

        return Work(ran, lambda: None, dict)

    assert foreign._fastest_blas(Every(), work({1: 1.0, 2: 2.0})) == 1
    assert foreign._fastest_blas(Every(), work({1: 2.0, 2: 1.0})) == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("for _ in range(2): yield W, b, c", "ended after 2 yields; it must go on without end"),
        ("yield W, b", "must yield W, b and c, arrays of numbers"),
        ("yield 'W', b, c", "must yield W, b and c, arrays of numbers"),
        ("yield W.T, b, c", "must have the shape (16, 8), but is given (8, 16)"),
        ("raise ValueError('no such rate'); yield", "ValueError: no such rate"),
        ("raise SystemExit(3); yield", "the program was ended with status 3"),
        ("return W, b, c", "must be a generator: it has no yield"),
    ],
)
def test_what_the_users_code_may_do_wrong(tmp_path, body, words):
    text = f"def train(W, b, c, rows, **settings):\n    {body}\n"
    row = run(tmp_path, of(written(tmp_path, text)))
    assert row["status"] == "failed"
    assert words in row["reason"]


def test_what_comes_of_the_epoch_after_the_last_does_not_matter(tmp_path):
    """It is run for its time alone."""
    text = """
        def train(W, b, c, rows, **settings):
            for _ in range(3):
                yield W, b, c
            yield float("nan") * W, b, c
    """
    row = run(tmp_path, of(written(tmp_path, text), epochs=3, checkpoints=1))
    assert row["status"] == "done", row["reason"]
    row = run(tmp_path, of(written(tmp_path, text), epochs=4, checkpoints=1))
    assert row["status"] in ("diverged", "failed")


def test_a_users_code_that_diverges(tmp_path):
    text = "def train(W, b, c, **_):\n    yield W, b, c\n    yield W * float('nan'), b, c\n"
    row = run(tmp_path, of(written(tmp_path, text)))
    assert row["status"] == "diverged"
    assert "after 2 epochs" in row["reason"]


@pytest.mark.parametrize(
    ("name", "settings", "fields", "words"),
    [
        ("nobody", {}, {}, "unknown estimator 'nobody'"),
        ("skikit_learn", {}, {}, "did you mean 'scikit_learn'?"),
        ("thrml", {}, {}, "unknown estimator 'thrml'"),
        ("nowhere.py", {}, {}, "there is no file nowhere.py"),
        ("os:path", {}, {}, "os:path has no function train(W, b, c, rows"),
        ("numpy", {"job": "nce"}, {}, "unknown job of estimator numpy 'nce'"),
        ("numpy", {"k": 2}, {}, "k is of job cd, not of sml"),
        ("numpy", {"job": "cd", "k": 0}, {}, "k of estimator numpy must be at least 1, but is 0"),
        ("numpy", {"chains": 10}, {}, "unknown option of estimator numpy 'chains'"),
        ("learnergy", {}, {}, "peer learnergy does not train by sml"),
        ("scikit_learn", {}, {"momentum": 0.5}, "trains without momentum, so write momentum = 0"),
        ("numpy", {}, {"centred": True}, "centred is not for other software, and numpy is such"),
        ("numpy", {}, {"decay": 0.1}, "decay is not for other software"),
        ("numpy", {}, {"schedule": "linear"}, "schedule is not for other software"),
        ("numpy", {}, {"visible": "gaussian"}, "trains RBMs of binary units"),
        ("numpy", {}, {"family": "boltzmann_machine", "hidden": None}, "trains RBMs of binary units"),
    ],
)
def test_mistakes_before_anything_runs(name, settings, fields, words):
    assert words in complaint(of, name, settings, **fields)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rate": 0.3}, "rate of {} is given to it already, so no setting can name it"),
        ({"rows": 3}, "rows of {} is given to it already"),
        (
            {"q": 3},
            "train of {} does not take train(W, b, c, rows, batch_size, rate, momentum, seed), q: got",
        ),
    ],
)
def test_settings_that_the_code_does_not_take(tmp_path, settings, words):
    name = written(tmp_path)
    assert words.format(name) in complaint(of, name, settings)


def test_rows_that_no_peer_takes(tmp_path):
    path, rows = tmp_path / "grey.npz", np.random.default_rng(0).random((40, 5))
    np.savez(path, x_train=rows, x_test=rows < 0.5)
    row = run(tmp_path, of("numpy", dataset=str(path), hidden=3))
    assert row["status"] == "unavailable"
    assert "binary" in row["reason"]


def test_checkpoints_of_whole_epochs():
    assert _curve.checkpoints(30, 6, "linear", 5) == [5, 10, 15, 20, 25, 30]
    assert _curve.checkpoints(30, 4, "log", 5) == [5, 10, 30]
    assert _curve.checkpoints(30, 4, "linear", 10) == [10, 20, 30]


def test_a_file_is_run_once_and_has_what_python_files_have(tmp_path, monkeypatch):
    """Its folder to import from, and a module that dataclasses and pickles can look up."""
    (tmp_path / "beside.py").write_text("FACTOR = 2.0\n")
    text = """
        from __future__ import annotations

        import pickle
        from dataclasses import dataclass
        from pathlib import Path

        from beside import FACTOR

        with (Path(__file__).parent / "runs.txt").open("a") as file:
            file.write("x")

        @dataclass
        class Rule:
            factor: float

        def train(W, b, c, rows, **settings):
            rule = pickle.loads(pickle.dumps(Rule(FACTOR)))
            while True:
                yield rule.factor * W, b, c
    """
    case = of(written(tmp_path, text), epochs=1, checkpoints=1)
    row = run(tmp_path, case)
    assert row["status"] == "done", row["reason"]
    assert (tmp_path / "runs.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mine.py", True), ("a folder/mine.py", True), ("mine.py:it", True), ("C:\\a\\mine.py", True),
        ("a.b:it", True), ("cd", False), ("scikit_learn", False), ("mine.py:", False),
    ],
)  # fmt: skip
def test_which_names_are_of_the_users_code(name, found):
    assert user_code.is_users(name) == found


def test_long_names_are_told_apart():
    names = [f"/home/somebody/{v}/a_long_name_of_an_idea.py" for v in ("v1", "v2")]
    one, other = map(user_code.called, names)
    assert one != other
    assert one.startswith("a_long_name_of_an_idea.py #")
    assert user_code.called("mine.py") == "mine.py"


def test_a_run_out_of_time_keeps_what_it_had(tmp_path):
    slow = """
        from time import sleep

        def train(W, b, c, rows, **settings):
            while True:
                sleep(0.2)
                yield W, b, c
    """
    case = replace(of(written(tmp_path, slow), epochs=50, checkpoints=50), timeout_s=0.5)
    row = run(tmp_path, case)
    assert row["status"] == "timeout"
    assert 0 < row["updates_done"] <= 10 * BATCHES  # of 0.2 s each, and the limit is looked at each 0.5 s
    assert len(ebmbench.load_table(tmp_path / "out").curves) >= 2


def test_a_peer_is_checked_before_it_trains():
    """The check sees an update that is not a contrast."""
    order = foreign.Order(
        of("numpy").start(ebmbench.load_dataset("bars_and_stripes")),
        ebmbench.load_dataset("bars_and_stripes").train, 7, of("numpy").optimiser, 0, "cpu",
    )  # fmt: skip
    by = foreign.find({"name": "numpy"})
    peer = peers.load("numpy", peers.Place("cpu", "float32"))
    by._check(peer, order)

    def still(place, model, *rest):
        work = peers.known()["numpy"].JOBS["sml"](place, model, *rest)
        return work._replace(result=lambda: {**work.result(), "W": model.W, "b": model.b, "c": model.c})

    with pytest.raises(Red):
        by._check(replace(peer, jobs={"sml": still}), order)
