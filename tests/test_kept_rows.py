"""Rows that are there already: what is kept, what is run again, and what is told of them."""

import numpy as np
import pandas as pd
import pytest

import ebmbench as package
from ebmbench.harness import measures, sources, tasks
from ebmbench.harness.comparison import identity
from ebmbench.harness.tasks import deep
from ebmbench.models.rbm import RBM
from ebmbench.models.storage import save_model
from ebmbench.report import tasks as sections
from ebmbench.report.tasks import consistency, speed


def run(ebmbench, folder, suite, name="suite.toml"):
    """Run a suite's text in the results folder `found`; what the console says of its cases."""
    (folder / name).write_text(f'title = "suite"\n{suite}', "utf-8")
    status, out, err = ebmbench("run", name, "--out", "found")
    assert status == 0, (out, err)
    return out + err


FEW_TURNS = """
[[speed]]
backend = "cpu"
job = { estimator = "cd", k = 1 }
n_visible = 20
n_hidden = 10
rows = 100
turns = 2
turn_s = 0.001
"""
STUCK = """
[[sample]]
model = "stuck.npz"
backend = "reference"
sampler = "gibbs"
chains = 4
burn_in = 2
sweeps = 8
"""


@pytest.mark.parametrize("suite", [FEW_TURNS, STUCK], ids=["no interval", "no R-hat"])
def test_a_row_without_a_figure_is_told_of_again(ebmbench, tmp_path, suite):
    """NaN of the first run is null in the table, which is None in the second."""
    save_model(tmp_path / "stuck.npz", RBM(np.zeros((4, 3)), np.full(4, -400.0), np.zeros(3)))
    first = run(ebmbench, tmp_path, suite)
    again = run(ebmbench, tmp_path, suite)
    assert "–" in first
    assert "–" in again
    assert "(kept)" in again


@pytest.mark.parametrize(("value", "told"), [(1.25, "1.2"), (np.nan, "–"), (np.inf, "–"), (None, "–")])
def test_a_figure_that_is_none_is_a_dash(value, told):
    assert measures.figure(value, ".1f") == told


CLASSIFIER = """
[[deep]]
dataset = "labelled.npz"
backend = "reference"
model = "mlp"
hidden = [4]
memory = false
classifier = { epochs = 1, rate = 0.01 }
"""


def test_other_labels_are_other_data(ebmbench, tmp_path):
    rows, labels = np.random.default_rng(0).integers(0, 2, (40, 6)), np.arange(40) % 2
    np.savez(tmp_path / "labelled.npz", x=rows, y=labels)
    run(ebmbench, tmp_path, CLASSIFIER)
    assert "(kept)" in run(ebmbench, tmp_path, CLASSIFIER)
    np.savez(tmp_path / "labelled.npz", x=rows, y=1 - labels)
    for read in (deep._data, sources.load_dataset):  # as in another process
        read.cache_clear()
    assert "(kept)" not in run(ebmbench, tmp_path, CLASSIFIER)


NOISY = """
[[train]]
dataset = "bars_and_stripes_3x3"
backend = "reference"
estimator = { name = "nce", noise = "noise.npz" }
hidden = 4
epochs = 1
evaluate = "exact"
"""


def test_another_file_that_a_setting_names_runs_again(ebmbench, tmp_path):
    rng = np.random.default_rng(1)
    for again in (False, True):
        save_model(tmp_path / "noise.npz", RBM(rng.normal(size=(9, 2)), np.zeros(9), np.zeros(2)))
        assert "(kept)" not in run(ebmbench, tmp_path, NOISY), again
    assert "(kept)" in run(ebmbench, tmp_path, NOISY)


PUBLISHED = """
[[log_z]]
model = "rbm_cd25_500.npz"
backend = "reference"
method = { name = "ais", betas = 3, chains = 2 }
repeats = 1
"""


def test_a_finished_row_is_kept_while_its_input_is_not_there(ebmbench, tmp_path, monkeypatch):
    """Nothing says that it has changed; before, the row that it cannot be read took its place."""
    there = tmp_path / "data"
    there.mkdir()
    model = RBM(np.zeros((784, 500)), np.zeros(784), np.zeros(500))
    save_model(there / "rbm_cd25_500.npz", model)
    monkeypatch.setenv("EBMBENCH_DATA", str(there))
    run(ebmbench, tmp_path, PUBLISHED)
    monkeypatch.delenv("EBMBENCH_DATA")
    assert "(kept)" in run(ebmbench, tmp_path, PUBLISHED)
    assert list(package.load_table(tmp_path / "found").rows["status"]) == ["done"]


# --- cases that a page must tell apart ----------------------------------------------------------

RANDOM = {"random": [5, 4]}
GAN = {"dataset": "digits", "model": "gan", "players": {"epochs": 1}}
DBN = {"dataset": "digits", "model": "dbn", "hidden": [5], "layers": {"epochs": 1}}
SML = {"estimator": "sml", "chains": 3}
APART = {
    "speed": [
        {"job": SML}, {"job": SML | {"chains": 4}}, {"job": SML, "rows": 50},
        {"job": SML, "batch_size": 7},
        {"job": {"estimator": "parallel_tempering", "temperatures": 4}},
        {"job": {"estimator": "parallel_tempering", "temperatures": 5}},
        {"job": {"method": "ais", "betas": 10}}, {"job": {"method": "ais", "betas": 20}},
    ],
    "deep": [DBN, DBN | {"chains": 7}, DBN | {"betas": 50}, GAN, GAN | {"samples": 50}],
    "gibbs": [
        {}, {"chains": 3}, {"size": [5, 4]}, {"on_rate": 0.2}, {"threads": 1}, {"arithmetic": "grid"},
        {"model": "digits_rbm20"},
    ],
    "sample": [
        {"model": RANDOM, "sampler": {"name": "parallel_tempering", "temperatures": n}} for n in (5, 6)
    ],
    "log_z": [{"model": RANDOM, "method": {"name": "ais", "betas": n}} for n in (10, 20)],
    "gradient": [{"model": RANDOM, "estimator": {"name": "sml", "chains": n}} for n in (5, 6)],
    "consistency": [
        {"family": "rbm", "n": 20, "estimator": {"name": "nce", "ratio": ratio}} for ratio in (3, 4)
    ],
}  # fmt: skip


def as_rows(task, settings):
    """Rows of finished cases, one after the other, as far as the cases themselves fill them in."""
    cases = [tasks.known()[task].Case(backend="cpu", **one) for one in settings]
    common = {"status": "done", "task": task, "machine": "m", "code_version": "c", "reason": None}
    return pd.DataFrame(
        [
            common | {"key": str(n), "attempt": f"2026-01-01T00:00:{n:02d}"} | case.facts()
            for n, case in enumerate(cases)
        ]
    )


@pytest.mark.parametrize("task", APART)
def test_a_page_tells_cases_apart_and_calls_none_run_again(task):
    rows = as_rows(task, APART[task])
    tidy = sections._TASKS[task].KIND.tidy(rows)
    assert sorted(tidy["key"], key=int) == list(rows["key"])
    assert not tidy[["where", "case", "backend"]].duplicated().any()


GIBBS = """
[[gibbs]]
backend = ["reference", "cuda"]
size = [12, 8]
chains = 5
turns = 3
turn_s = 0.001
recorded = 20
"""


def test_the_table_of_speeds_has_a_row_for_each_job():
    """Not one for several, with the median of what differs in the job's settings or its rows."""
    rows = as_rows("speed", APART["speed"]).assign(seconds=1.0, against_seconds=2.0, ratio=2.0)
    (sheet,) = speed.section(speed.KIND.tidy(rows), None).sheets
    jobs = [row[0].text for row in sheet.rows]
    assert len(jobs) == len(set(jobs)) == len(APART["speed"])
    assert "SML-1, batch 100, rows 10000, chains 4" in jobs


def test_compare_reads_rows_without_a_device(ebmbench, tmp_path):
    run(ebmbench, tmp_path, GIBBS)
    status, _, err = ebmbench("compare", "found", "found")
    assert (status, err) == (0, "")


def test_all_threads_are_not_the_number_that_there_happen_to_be():
    """A suite that asks for 1 and for all, run with one thread: two cases, whatever they ran with."""
    rows = as_rows("gibbs", [{"threads": 1}, {"threads": 0}, {"threads": 2}])
    rows = rows.assign(threads=[1, 1, 2], device=[{"threads": 1}] * 2 + [{"threads": 2}], seed=0)
    told = [identity.fields(row)["threads"] for row in rows.to_dict("records")]
    assert told == [1.0, "all", 2.0]
    before = rows.drop(columns="threads_asked").to_dict("records")
    assert [identity.fields(row)["threads"] for row in before] == ["all", "all", "all"]


# --- what a headline says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slopes", "told"),
    [
        ([], "The normaliser that NCE learns"),
        ([(np.nan, np.nan, np.nan, 0)], "One size of data tells nothing of how errors fall"),
        ([(-1.0, np.nan, np.nan, 1)], "Slopes are fitted to one seed"),
        ([(0.2, -4.0, 4.4, 2)], "Too few seeds to say that errors fall: 1 of the intervals of 1 slope"),
        (
            [(-1.0, -1.1, -0.9, 5), (np.nan, np.nan, np.nan, 0)],
            "Errors fall as theory says: every interval of 1 slope holds",
        ),
    ],
)
def test_the_headline_of_consistency_says_no_more_than_the_slopes(slopes, told):
    fits = [consistency.Slope(*one) for one in slopes]
    assert consistency._headline([], [], fits).startswith(told)
