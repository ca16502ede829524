"""The task and the suite `gibbs`: made-up models with stated rates, what is clocked, and memory."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numba
import numpy as np
import pytest
from conftest import complaint, joint_law, needs_two_threads, random_rbm

from ebmbench.compile import PACKAGE
from ebmbench.errors import Unavailable
from ebmbench.harness import ceilings, gate, made_up, spec
from ebmbench.harness import run as harness
from ebmbench.harness.made_up import Recipe, made
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import _followed, gibbs
from ebmbench.kernels.api import Backend, load
from ebmbench.models import enumerate as exact
from ebmbench.models.storage import save_model

CASE = gibbs.Case(
    backend="cpu", size=[20, 20], persistence=0.5, chains=30, turns=3, turn_s=1e-3, recorded=400
)


@pytest.fixture(autouse=True)
def _small_ceilings(monkeypatch):
    monkeypatch.setattr(ceilings, "_COPIED", {"cpu": 2**20})
    monkeypatch.setattr(ceilings, "_SIZES", {"float32": {"cpu": 64}})


def run_one(folder, case, **changes):
    (row,) = harness.run(Suite("tiny", "Tiny", True, (replace(case, **changes),)), folder)
    return row


# The recipe


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(4, 4), (5, 3), (3, 5), (7, 1)])
@pytest.mark.parametrize(("on_rate", "persistence"), [(0.02, 0.9), (0.13, 0.8), (0.5, 0.0), (0.8, 0.3)])
def test_a_recipe_has_the_rates_that_it_states(monkeypatch, n_visible, n_hidden, on_rate, persistence):
    """By enumeration, without the small weights: exact but for rounding."""
    monkeypatch.setattr(made_up, "_REST", 0.0)
    made.cache_clear()
    recipe = Recipe(n_visible, n_hidden, on_rate, persistence)
    model = made(recipe)
    made.cache_clear()
    law = joint_law(model)
    v, h = exact.states(n_visible), exact.states(n_hidden)
    np.testing.assert_allclose(law.sum(axis=1) @ v, on_rate, rtol=1e-9)
    np.testing.assert_allclose(law.sum(axis=0) @ h, on_rate, rtol=1e-9)
    after = exact.transition_matrix(model) @ v  # the mean of v a sweep later
    flips = (law.sum(axis=1)[:, None] * (v * (1 - after) + (1 - v) * after)).sum(axis=0)
    np.testing.assert_allclose(flips, recipe.flip_rate, rtol=1e-9)


def test_the_small_weights_are_small_and_leave_no_zero():
    recipe = Recipe(200, 150, 0.13, 0.8)
    model = made(recipe)
    assert (model.W != 0).all()
    centre = np.arange(200) % 150
    rest = model.W.copy()
    rest[np.arange(200), centre] = 0.0
    moved = np.sqrt((rest**2).sum(axis=0) * 0.13 * 0.87)  # the deviation of a sum over units of rate 0.13
    assert 0.07 < np.median(moved) < 0.13
    draws = recipe.draws(2000, seed=1)
    assert draws.dtype == np.uint8
    # 400,000 units in 300,000 stars: a deviation of at most sqrt(2 * 0.13 * 0.87 / 4e5) = 7.5e-4.
    assert draws.mean() == pytest.approx(0.13, abs=0.004)


# A row


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ceilings, "_COPIED", {"cpu": 2**20})
        patch.setattr(ceilings, "_SIZES", {"float32": {"cpu": 64}})
        return run_one(tmp_path_factory.mktemp("row"), CASE)


def test_the_metrics_are_what_they_are_defined_as(row):
    assert row["status"] == "done", row["reason"]
    assert row["sweep_s_low"] <= row["sweep_s"] <= row["sweep_s_high"]
    assert len(row["samples"][0]["sweep_s"]) == CASE.turns
    assert row["unit_updates_per_s"] == pytest.approx(30 * 40 / row["sweep_s"])
    assert row["attempted_flips_per_ns"] == pytest.approx(1e-9 * row["unit_updates_per_s"])
    changed = 20 * (row["visible_flip_rate"] + row["hidden_flip_rate"]) / 40
    assert row["changed_units_per_ns"] == pytest.approx(changed * row["attempted_flips_per_ns"])
    assert row["ess_per_s"] == pytest.approx(row["ess_per_draw"] * 30 / row["sweep_s"])
    assert row["fraction"] == pytest.approx(row["floor_s"] / row["sweep_s"])
    assert row["threads"] == numba.get_num_threads()


def test_rates_and_effective_samples_are_those_of_the_recipe(row):
    """64,000 correlated looks at a layer's 20 units of 8 chains.

    A unit's time is (1 + 0.5) / (1 - 0.5) = 3 sweeps, so a layer's mean has a deviation of
    sqrt(0.113 * 3 / 64,000) = 0.0023 beside the 1 % of the small weights, and the share of flips one of
    about the same. ESS is of the slower statistic: a third, and its estimate varies by some 10 %.
    """
    for name, wanted in (("on", 0.13), ("flip", CASE.recipe.flip_rate)):
        for layer in ("visible", "hidden"):
            assert row[f"{layer}_{name}_rate"] == pytest.approx(wanted, abs=0.012)
    assert row["ess_per_draw"] == pytest.approx(1 / 3, rel=0.3)


def test_too_few_sweeps_give_no_effective_samples_but_a_reason(tmp_path):
    row = run_one(tmp_path, CASE, persistence=0.9, recorded=100)
    assert (row["status"], row["ess_per_draw"], row["ess_per_s"]) == ("done", None, None)
    assert row["ess_reason"].startswith("100 recorded sweeps are fewer than 50 autocorrelation times")


def test_statistics_that_say_nothing_have_no_effective_sample_size():
    found = _followed.effective(np.full((2, 8, 100), np.nan))
    assert found == {
        "ess_per_draw": None, "ess_reason": "100 recorded sweeps give no autocorrelation time",
    }  # fmt: skip


def test_without_the_package_of_diagnostics_there_are_rates_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz_stats.base", None)
    row = run_one(tmp_path, CASE)
    assert (row["status"], row["ess_per_s"]) == ("done", None)
    assert row["visible_flip_rate"] > 0
    assert "arviz_stats" in row["ess_reason"]


def test_the_sweeps_of_a_turn_may_be_given(tmp_path):
    row = run_one(tmp_path, CASE, sweeps=7)
    assert row["sweeps_a_turn"] == 7


def test_a_model_comes_from_a_file_as_well(tmp_path):
    path = tmp_path / "mine.npz"
    save_model(path, random_rbm(6, 5), {})
    row = run_one(tmp_path / "out", CASE, model=str(path))
    assert row["status"] == "done", row["reason"]
    assert (row["n_visible"], row["n_hidden"], row["on_rate"]) == (6, 5, None)
    assert row["subject"] == "mine"
    assert row["model_digest"]
    with_rows = run_one(tmp_path / "out", CASE, model="digits_rbm20", dataset="digits", turns=1)
    assert with_rows["status"] == "done", with_rows["reason"]
    assert with_rows["dataset_digest"]


def test_the_reference_is_measured_like_any_other(tmp_path):
    row = run_one(tmp_path, CASE, backend="reference", arithmetic="grid", recorded=100)
    assert row["status"] == "done", row["reason"]
    assert row["sweep_s"] > 0


def test_a_case_that_takes_too_long_is_a_timeout(tmp_path):
    assert run_one(tmp_path, CASE, timeout_s=1e-9)["status"] == "timeout"


def test_what_a_clock_had_a_part_in_is_taken_from_a_simulators_row(row):
    kept = harness._without_times(row)
    assert row.keys() - kept.keys() == {
        "compile_s", "sweep_s", "sweep_s_low", "sweep_s_high", "samples", "sweeps_a_turn", "floor_s",
        "fraction", "unit_updates_per_s", "attempted_flips_per_ns", "changed_units_per_ns", "ess_per_s",
        "turn_s",
    }  # fmt: skip


# Wrong samplers


def wrong(tmp_path, monkeypatch, sweep):
    """The row of a backend whose `gibbs` is `sweep(original, k, model, v, steps, key)`."""
    original = Backend.gibbs
    monkeypatch.setattr(Backend, "gibbs", lambda *given: sweep(original, *given))
    monkeypatch.setattr(gate, "demand", lambda *_: 0.0)
    return run_one(tmp_path, CASE, chains=300)


def test_a_sampler_that_does_nothing_is_red(tmp_path, monkeypatch):
    def same(original, k, model, v, *rest):
        return v, original(k, model, v, *rest)[1]

    row = wrong(tmp_path, monkeypatch, same)
    assert row["status"] == "red"
    assert "conditional law" in row["reason"]


def test_a_sampler_that_is_wrong_after_many_sweeps_only_is_red_before_the_clock(tmp_path, monkeypatch):
    calls = []

    def drifted(original, k, model, v, steps, key):
        calls.append(steps)
        v, h = original(k, model, v, steps, key)
        return (1 - v if steps > 1 else v), h

    row = wrong(tmp_path, monkeypatch, drifted)
    assert row["status"] == "red"
    assert "v given h" in row["reason"]
    assert len(calls) == 6  # two first sweeps, the burn-in and warming up


def test_a_sampler_that_goes_wrong_while_it_is_clocked_is_red(tmp_path, monkeypatch):
    calls = []

    def late(original, k, model, v, steps, key):
        calls.append(steps)
        v, h = original(k, model, v, steps, key)
        return (1 - v if len(calls) > 6 else v), h

    row = wrong(tmp_path, monkeypatch, late)
    assert row["status"] == "red"
    assert "v given h" in row["reason"]
    assert len(calls) == 6 + CASE.turns


# Threads


@needs_two_threads
def test_threads_are_set_for_a_case_and_put_back(tmp_path, monkeypatch):
    seen, original = [], Backend.gibbs
    before = numba.get_num_threads()

    def spy(*given):
        seen.append(numba.get_num_threads())
        return original(*given)

    monkeypatch.setattr(Backend, "gibbs", spy)
    row = run_one(tmp_path, CASE, threads=1)
    assert (row["status"], row["threads"], set(seen)) == ("done", 1, {1})
    monkeypatch.setattr(Backend, "gibbs", lambda *given: 1 / 0)
    assert run_one(tmp_path / "again", CASE, threads=1)["status"] == "failed"
    assert numba.get_num_threads() == before


def test_more_threads_than_there_are_is_unavailable(tmp_path):
    there = numba.get_num_threads()
    row = run_one(tmp_path, CASE, threads=there + 1)
    assert row["status"] == "unavailable"
    assert row["reason"] == f"{there + 1} threads are more than the {there} that Numba may use here"


def test_a_gpu_has_no_threads_to_choose():
    with (
        pytest.raises(Unavailable, match="backend cuda has none"),
        gibbs._threads(replace(CASE, backend="cuda", threads=1)),
    ):
        pass


# The suite


def test_the_suite_is_a_star_about_one_case():
    """Every case of the made-up models differs from the centre in one dial, threads and backend aside."""
    cases = [case for case in spec.load("gibbs").cases if case.task == "gibbs" and not case.model]
    dials = ("size", "chains", "on_rate", "persistence", "arithmetic")
    centre = {name: getattr(gibbs.Case(backend="cpu"), name) for name in dials}
    for case in cases:
        apart = [name for name in dials if getattr(case, name) != centre[name]]
        assert len(apart) <= 1, case
    assert {case.chains for case in cases} >= {1, 10, 100, 1000, 16384}
    assert {tuple(case.size) for case in cases} >= {(n, n) for n in (64, 256, 1024, 4096)}
    assert {case.threads for case in cases} == {0, 1}
    assert {case.backend for case in cases} == {"cpu", "reference"}


def test_the_suite_runs_on_another_backend():
    cases = spec.load("gibbs", backends=["cuda"]).cases
    assert {case.backend for case in cases} == {"cuda"}
    assert sum(case.task == "gibbs" and not case.threads for case in cases) > 15


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"chains": 0}, "chains"),
        ({"on_rate": 0.0}, "on_rate"),
        ({"on_rate": 1.5}, "on_rate"),
        ({"on_rate": float("nan")}, "on_rate"),
        ({"persistence": 1.0}, "persistence"),
        ({"persistence": -0.1}, "persistence"),
        ({"size": [784]}, "size"),
        ({"size": [0, 5]}, "numbers of units"),
        ({"size": ["a", 5]}, "numbers of units"),
        ({"sweeps": -1}, "sweeps"),
        ({"threads": -1}, "threads"),
        ({"turns": 0}, "turns"),
        ({"turn_s": 0.0}, "turn_s"),
        ({"burn_in": 0}, "burn_in"),
        ({"recorded": 3}, "recorded"),
        ({"arithmetic": "flot"}, "'flot'"),
        ({"backend": "cpuu"}, "'cpuu'"),
        ({"model": "digit_rbm20"}, "'digit_rbm20'"),
        ({"model": "no_such.npz"}, "no_such.npz"),
        ({"model": "digits_rbm20", "dataset": "digit"}, "'digit'"),
        ({"dataset": "digits"}, "dataset"),
    ],
)
def test_a_bad_option_is_one_sentence_that_names_it(changes, named):
    assert named in complaint(replace, CASE, **changes)


def test_an_unknown_field_is_one_sentence_that_names_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[[gibbs]]\nbackend = "cpu"\nchain = 3\n')
    assert "'chain'" in complaint(spec.load, str(path))


# Memory

PEAK = """
import json, resource, sys
import numpy as np
from ebmbench.harness.made_up import Recipe, made
from ebmbench.kernels import api
from ebmbench.randomness import Key, Stream

def peak():  # KiB on Linux, bytes on a Mac
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

units, chains, *sweeps = json.loads(sys.argv[1])
seen = [peak()]
k = api.load("cpu")
model = k.put(made(Recipe(units, units)))
made.cache_clear()
v = k.put_rows((np.random.default_rng(0).random((chains, units), np.float32) < 0.13).astype(np.uint8))
for steps in sweeps:
    v, h = k.gibbs(model, v, steps, Key(0, Stream.CHAINS))
    seen.append(peak())
print(json.dumps(seen))
"""


def peaks(units, chains, *sweeps):
    """MiB at most that a process held: after its imports, and after each number of sweeps."""
    if sys.platform == "win32":
        pytest.skip("the peak of a process is not to be had here")
    # A process that is started begins with the peak of what started it, so a small shell stands between.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", PEAK]
    done = subprocess.run(
        [*command, json.dumps([units, chains, *sweeps])], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_memory_does_not_grow_with_sweeps():
    """A state kept of every sweep would take 1000 * 100 * 200 bytes, 19 MiB."""
    load("cpu")
    _, few, many = peaks(200, 100, 10, 1000)
    assert many - few < 2.0


def test_a_large_model_of_many_chains_stays_within_400_mib():
    """The float64 model takes 128 MiB, as float32 in both directions as much again, as integers 96."""
    bare, after = peaks(4096, 1000, 2)
    assert after - bare < 400.0
