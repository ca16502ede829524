"""How much of the processors other programs took while a case ran, and who is told."""

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import synthetic
from test_report_tasks import page_of

from ebmbench.cli import suites
from ebmbench.harness import neighbours, run, spec

BUSY = [sys.executable, "-c", "while True: pass"]
SUITE = """
[[train]]
dataset = "bars_and_stripes_3x3"
backend = "reference"
estimator = "cd"
hidden = 4
epochs = 2000
batch_size = 10
evaluate = "exact"
"""


def test_what_others_take_counts_and_ones_own_does_not(monkeypatch):
    moments = iter([(10.0, 100.0, 3.0), (12.0, 104.0, 6.0), (14.0, 106.0, 6.0)])
    monkeypatch.setattr(neighbours, "_taken", lambda: neighbours._Taken(*next(moments)))
    watch = neighbours.Watch()
    assert watch.cores() == 0.5  # four seconds of two cores were taken, three of them one's own
    assert watch.cores() == 0.75


def test_a_moment_is_too_short_to_tell():
    assert neighbours.Watch().cores() is None


def test_a_busy_program_is_seen_and_children_are_ones_own():
    """Who else is at work beside the tests may be seen, too."""
    with subprocess.Popen(BUSY, start_new_session=True) as child:
        try:
            before = neighbours._taken()
            time.sleep(0.6)
            after = neighbours._taken()
        finally:
            child.kill()
    assert after.own - before.own > 0.1
    assert after.all - before.all > 0.1


def test_rows_tell_it(tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE)
    (row,) = run.run(spec.load(str(tmp_path / "mine.toml")), tmp_path / "out")
    assert row["status"] == "done", row["reason"]
    assert row["others_cores"] >= 0.0


@pytest.mark.parametrize(("others", "said"), [(0.9, "; other programs kept 0.9 cores busy"), (None, "")])
def test_the_line_of_a_case_tells_it(others, said):
    case = SimpleNamespace(summary=lambda row: "1 s", backend="cpu")
    row = {"status": "done", "backend": "cpu", "others_cores": others}
    assert suites._came_to(case, row) == f"1 s{said}"


def test_the_page_warns(tmp_path):
    rows = synthetic.trained()
    assert "other work" not in page_of(tmp_path / "old", rows)
    for number, row in enumerate(rows):
        row["others_cores"] = 0.9 if number == 1 else 0.1
    said = f"during 1 of {len(rows)} cases other programs kept up to 0.9 cores busy"
    assert said in page_of(tmp_path / "new", rows)
