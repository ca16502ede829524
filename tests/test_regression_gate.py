"""The gate of benchmarks/gate: its rules, what it measures, and that it sees planted faults."""

import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is not part of the package

from benchmarks.gate.__main__ import _progress as tell
from benchmarks.gate.__main__ import main
from benchmarks.gate.calibrate import PLANTS, planted
from benchmarks.gate.measure import QUALITY, SEEDS, SPEED
from benchmarks.gate.run import gate
from benchmarks.gate.verdict import Change, Verdict, decide, loss, slowdown, worst
from benchmarks.gate.versions import Version, export, working_tree

RNG = np.random.default_rng(0)


def samples(factor=1.0, pairs=10, noise=0.03):
    """Seconds of base and new, log-normal, each process by itself."""
    base, new = np.exp(RNG.normal(0, noise, (2, pairs)))
    return base, factor * new


def test_progress_is_a_line_each_where_nobody_looks_at_a_terminal(capsys):
    for text in ("compiling both versions", "speed, pair 1 of 5", ""):
        tell(text)
    assert capsys.readouterr().err == "compiling both versions\nspeed, pair 1 of 5\n"


def test_a_slowdown_of_a_third_is_flagged_and_noise_is_not():
    """Of 200 each. By the bound alone 1 in 100 of equal ones may be; the estimate must also pass 5 %."""
    found = [slowdown(*samples(1.3)).flagged for _ in range(200)]
    assert np.mean(found) > 0.99
    false = [slowdown(*samples(1.0)).flagged for _ in range(200)]
    assert np.mean(false) <= 0.02


def test_processes_of_two_kinds_raise_no_alarm():
    """A kernel that takes 1 or 1.3 in a process by chance, the same in both versions."""
    alarms = 0
    for _ in range(200):
        base, new = RNG.choice([1.0, 1.3], (2, 10)) * np.exp(RNG.normal(0, 0.01, (2, 10)))
        alarms += slowdown(base, new).flagged
    assert alarms <= 10  # and a flagged case is measured again, which squares the rate


def test_the_bound_lies_below_the_estimate_and_is_the_ratio_where_all_agree():
    change = slowdown([1.0] * 6, [1.2] * 6)
    assert change.estimate == change.low == pytest.approx(np.log(1.2))
    assert change.step == pytest.approx(np.log(1.05))
    noisy = slowdown(*samples(1.2))
    assert noisy.low < noisy.estimate


def test_quality_that_did_not_change_passes_and_a_loss_is_flagged():
    same = RNG.normal(1.0, 0.2, SEEDS)
    assert not loss(same, same).suspect
    assert loss(same, same + 0.5).flagged
    assert not loss(same, same - 0.5).suspect  # better is no alarm
    assert not loss(same, same + RNG.permutation([-1, 1, -1, 1, -1, 1]) * 0.02).flagged


UP, DOWN, UNSURE = Change(0.3, 0.2, 0.05), Change(0.0, -0.1, 0.05), Change(0.3, -0.1, 0.05)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ((None,), Verdict.NOT_MEASURED),
        ((DOWN,), Verdict.PASS),
        ((UP, UP), Verdict.REGRESSED),
        ((UP, DOWN), Verdict.AMBIGUOUS),
        ((UP, UNSURE), Verdict.AMBIGUOUS),
        ((UNSURE, UP), Verdict.AMBIGUOUS),
        ((UP,), Verdict.AMBIGUOUS),
    ],
)
def test_a_regression_must_be_seen_twice(changes, verdict):
    assert decide(*changes) is verdict


def test_the_worst_verdict_decides_and_each_has_a_status_of_its_own():
    assert worst([Verdict.PASS, Verdict.AMBIGUOUS, Verdict.REGRESSED]) is Verdict.REGRESSED
    assert worst([Verdict.PASS, Verdict.NOT_MEASURED]) is Verdict.NOT_MEASURED
    assert worst([]) is Verdict.NOT_MEASURED
    assert len({verdict.value for verdict in Verdict} | {2}) == len(Verdict) + 1  # 2: a user's mistake


class Pretended:
    """A version whose measurements are given; `calls` counts its processes."""

    def __init__(self, factor=1.0, nats=0.0, broken=""):
        self.name, self.factor, self.nats, self.broken, self.calls = "pretended", factor, nats, broken, []

    def measure(self, what, names):
        self.calls.append((what, tuple(names)))
        if self.broken:
            return self.broken
        if what == "quality":
            return {name: [1.0 + self.nats] * SEEDS for name in names}
        slow = {SPEED[0]: self.factor}
        return {name: slow.get(name, 1.0) * float(np.exp(RNG.normal(0, 0.01))) for name in names}


def test_what_is_slower_is_measured_again_and_alone():
    new = Pretended(1.3)
    findings = gate(Pretended(), new, pairs=5)
    verdicts = {one.name: one.verdict for one in findings}
    assert verdicts.pop(SPEED[0]) is Verdict.REGRESSED
    assert set(verdicts.values()) == {Verdict.PASS}
    assert new.calls[-1][0] == "quality"
    assert ("speed", SPEED) in new.calls
    assert ("speed", (SPEED[0],)) in new.calls


def test_what_is_wronger_at_the_same_speed_is_a_regression():
    findings = gate(Pretended(), Pretended(nats=0.4), pairs=5)
    assert {one.kind: one.verdict for one in findings} == {
        "speed": Verdict.PASS,
        "quality": Verdict.REGRESSED,
    }


def test_a_version_that_cannot_be_measured_is_named():
    findings = gate(Pretended(), Pretended(broken="new failed: ImportError"), pairs=5)
    assert {one.verdict for one in findings} == {Verdict.NOT_MEASURED}
    assert all("ImportError" in str(one) for one in findings)


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="at least 5 pairs"):
        gate(Pretended(), Pretended(), pairs=4)


def test_an_unknown_commit_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="git has no commit nonsense"):
        export("nonsense", tmp_path / "x")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--json", "no/such/folder/gate.json"], "--json"),
        (["--quality-decides", "--only", "gibbs_50_sweeps"], "no figure of quality is chosen"),
        (["--threshold", "5"], "--threshold"),
        (["--only", "nothing"], "nothing is none of"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_measured(monkeypatch, arguments, sentence):
    monkeypatch.setattr("benchmarks.gate.__main__.gate", None)
    application = typer.Typer()
    application.command()(main)
    wide = {"COLUMNS": "300", "NO_COLOR": "1", "FORCE_COLOR": None}
    done = CliRunner().invoke(application, ["HEAD", *arguments], env=wide)
    assert done.exit_code == 2
    assert sentence in done.output


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_faults_fit_the_code_as_it_stands(plant, tmp_path):
    version = working_tree(tmp_path)
    before = (tmp_path / "ebmbench" / PLANTS[plant].file).read_text()
    planted(version, PLANTS[plant])
    assert (tmp_path / "ebmbench" / PLANTS[plant].file).read_text() != before


def test_a_wrong_sign_shows_in_quality(tmp_path):
    """Real versions in processes of their own."""
    good, bad = working_tree(tmp_path / "a"), planted(working_tree(tmp_path / "b"), PLANTS["wrong-sign"])
    name = next(iter(QUALITY))
    figures = [version.measure("quality", [name])[name] for version in (good, bad)]
    assert loss(*figures).flagged
    assert not loss(figures[0], figures[0]).suspect


def test_a_version_that_fails_says_why(tmp_path):
    (tmp_path / "ebmbench").mkdir()
    (tmp_path / "ebmbench" / "__init__.py").write_text("raise RuntimeError('broken on purpose')\n")
    assert "broken on purpose" in Version("it", tmp_path).measure("quality", ["sml"])
