"""Reports of small results folders that are written by hand."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import complaint
from matplotlib.text import Text

from ebmbench.errors import UserError
from ebmbench.harness.table import load_table
from ebmbench.report import style, text, write
from ebmbench.report.cases import display_names, tidy
from ebmbench.report.training import curves, figures, summary, times, traces
from ebmbench.report.training.pictures import Model, draw_samples, mosaic, read
from ebmbench.report.training.results import collect

MACHINE = {
    "m1": {
        "cpu": "Example CPU",
        "cores": 2,
        "memory_gib": 7.5,
        "python": "3.11.7",
        "libraries": {"numba": "0.61.0", "numpy": "2.0.0"},
        "blas": [{"internal_api": "openblas", "version": "0.3.30"}],
    }
}
MIXTURE = "The best model {} the mixture of 10 Bernoullis on the test rows"


def case(log_likelihood=-10.0, samples=(1e-4, 2e-4, 3e-4), **fields):
    """A row of a finished case."""
    return {
        "schema_version": 1,
        "attempt": "2026-01-02T03:04:05.000000+00:00",
        "suite": "small",
        "title": "A small suite",
        "indicative": False,
        "dataset": "digits",
        "backend": "cpu",
        "estimator": "CD-1",
        "settings": {"k": 1},
        "hidden": 16,
        "evaluate": "ais",
        "betas": 1000,
        "log_z_schedule": "linear (1000 on [0, 1])",
        "chains": 100,
        "seed": 0,
        "machine": "m1",
        "code_version": "0123456789abcdef",
        "device": {"device": "cpu", "library": "NumPy 2.0.0"},
        "ceiling": None,
        "baseline_mixture": -15.0,
        "baseline_independent": -20.0,
        "compile_s": 1.5,
        "train_s": 0.5,
        "update_s": float(np.median(samples)),
        "samples": [{"process": 1, "update_s": list(samples), "updates": [1] * len(samples)}],
        "log_likelihood": log_likelihood,
        "std_error": 0.02,
        "status": "done",
        "reason": None,
    } | fields


def undone(status="unavailable", reason="no GPU here", **fields):
    """A row of a case that never ran."""
    row = case(status=status, reason=reason, **fields)
    ran = ("code_version", "device", "ceiling", "compile_s", "train_s", "update_s", "samples")
    judged = ("log_likelihood", "std_error", "baseline_mixture", "baseline_independent", "log_z_schedule")
    return {name: value for name, value in row.items() if name not in (*ran, *judged)}


def fill(folder: Path, rows, points=None, models=()):
    """Write a results folder; every finished case gets a curve of 4 points unless `points` has it."""
    (folder / "models").mkdir(parents=True)
    lines = []
    for number, row in enumerate(rows):
        row.setdefault("key", f"key{number}")
        end = row.get("log_likelihood")
        default = [] if end is None else [(0, -20.0), (0.01, -20.0), (0.1, -16.0), (1.0, end)]
        for seconds, value in (points or {}).get(row["key"], default):
            point = {"key": row["key"], "attempt": row["attempt"], "seconds": seconds}
            lines.append(point | {"log_likelihood": value})
    for name, content in (("rows", rows), ("curves", lines)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in content))
    (folder / "machine.json").write_text(json.dumps(MACHINE))
    for key in models:
        np.savez(
            folder / "models" / f"{key}.npz",
            W=np.random.default_rng(0).normal(size=(6, 5)),
            samples=np.eye(6, dtype=np.uint8),
            image_shape=np.array((2, 3)),
            c=np.zeros(5),
            image_order=np.array("C"),
        )
    return folder


def answers(folder):
    """The sentences about the first dataset of a results folder."""
    cases = tidy(load_table(folder).rows)
    found = summary.answer("digits", cases, collect(cases))
    return found.headline + ". " + " ".join(found.sentences)


def words(page: Path) -> str:
    """A page's text, unescaped and without its styles, scripts and drawings."""

    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.seen, self.tags = [], [], []

        def handle_starttag(self, tag, attrs):
            self.tags.append((tag, dict(attrs)))
            if tag not in ("meta", "br"):
                self.open.append(tag)

        def handle_startendtag(self, tag, attrs):
            self.tags.append((tag, dict(attrs)))

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_data(self, data):
            if not {"style", "script", "svg"} & set(self.open):
                self.seen.append(data)

    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    assert reader.open == []
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    return " ".join(" ".join(reader.seen).split())


class TestSentences:
    def test_the_best_estimator_is_the_one_with_the_highest_median(self, tmp_path):
        worse = [case(value, estimator="CD-1", seed=s) for s, value in enumerate((-12.0, -9.0, -13.0))]
        better = [case(value, estimator="SML-1", seed=s) for s, value in enumerate((-11.0, -10.5, -11.5))]
        found = answers(fill(tmp_path / "r", worse + better))
        assert "Best: SML-1, −11.00 nats per test row." in found
        assert "median of 3 seeds on cpu, which span −11.50 to −10.50" in found
        assert "an AIS estimate with a standard error of 0.02" in found
        assert "Next is CD-1, 1.00 nats below (−12.00); the seeds of the two overlap" in found

    def test_a_clear_order_is_not_called_chance(self, tmp_path):
        rows = [case(-10.0), case(-12.0, estimator="SML-1")]
        assert "Next is SML-1, 2.00 nats below (−12.00)." in answers(fill(tmp_path / "r", rows))

    def test_an_exact_log_z_has_no_standard_error(self, tmp_path):
        found = answers(fill(tmp_path / "r", [case(evaluate="exact", std_error=0.0)]))
        assert "log Z is exact" in found
        assert "standard error" not in found

    @pytest.mark.parametrize(
        ("value", "verdict"),
        [
            (-14.5, MIXTURE.format("beats") + " by 0.50 nats (−14.50 against −15.00)."),
            (-15.5, MIXTURE.format("does not beat") + ": it is 0.50 nats below (−15.50 against −15.00)."),
        ],
    )
    def test_the_mixture_is_beaten_or_it_is_not(self, tmp_path, value, verdict):
        folder = fill(tmp_path / "r", [case(value)])
        assert verdict in answers(folder)
        assert verdict in words(write(folder))

    def test_a_mixture_that_base_rates_beat_is_not_beaten(self, tmp_path):
        """As of noise, whose pixels are independent."""
        worse = {"baseline_mixture": -15.0, "baseline_independent": -13.0}
        rows = [case(-14.0, dataset="a", **worse), case(-14.0, dataset="b", **worse)]
        sentence = MIXTURE.format("beats") + " of 0 of 2 data sets."
        assert sentence in words(write(fill(tmp_path / "r", rows)))

    def test_the_overview_counts_the_datasets_on_which_the_mixture_is_beaten(self, tmp_path):
        folder = fill(tmp_path / "r", [case(-14.0, dataset="a"), case(-16.0, dataset="b")])
        cases = tidy(load_table(folder).rows)
        sentence = MIXTURE.format("beats") + " of 1 of 2 data sets (a)."
        assert sentence in summary.overview(cases, collect(cases))

    def test_seeds_that_disagree_with_the_verdict_are_counted(self, tmp_path):
        rows = [case(value, seed=s) for s, value in enumerate((-14.0, -14.5, -15.5))]
        assert "but only 2 of 3 seeds agree" in answers(fill(tmp_path / "r", rows))

    def test_a_verdict_within_the_error_of_log_z_says_so(self, tmp_path):
        found = answers(fill(tmp_path / "r", [case(-14.95, std_error=0.02)]))
        assert "(−14.95 against −15.00), which is within three standard errors of log Z" in found

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [(-10.0, "is 7.50 nats above it (−2.50)"), (-2.0, "lies 0.50 nats above the ceiling")],
    )
    def test_a_known_ceiling_is_compared_with(self, tmp_path, value, sentence):
        found = answers(fill(tmp_path / "r", [case(value, ceiling=-2.5)]))
        assert sentence in found
        assert "Test rows and training rows are the same here" in found

    def test_no_word_of_a_ceiling_that_is_not_known(self, tmp_path):
        found = answers(fill(tmp_path / "r", [case()]))
        assert "ceiling" not in found
        assert "same here" not in found

    def test_real_rows_are_not_mixed_with_binary_ones(self, tmp_path):
        kinds = {"visible": "gaussian", "baseline_mixture": -55.0, "baseline_independent": -60.0}
        rows = [case(-10.0, visible="binary"), case(-50.0, ceiling=-2.5, **kinds)]
        folder = fill(tmp_path / "r", rows)
        found = collect(tidy(load_table(folder).rows))
        assert [(one.dataset, one.label, one.log_likelihoods) for one in found] == [
            ("digits", "CD-1", (-10.0,)), ("digits, Gaussian units", "CD-1", (-50.0,)),
        ]  # fmt: skip
        page = words(write(folder))
        assert "beats the mixture of 10 Bernoullis on the test rows by 5.00 nats" in page
        assert "beats the mixture of 10 normals on the test rows by 5.00 nats" in page
        assert "beats independent normals on the test rows by 10.00 nats" in page
        assert "ceiling" not in page
        assert "Test log-density on digits, Gaussian units" in page

    def test_speed_is_compared_within_pairs_of_equal_seed_and_settings(self, tmp_path):
        rows = [case(backend=b, seed=s, samples=[t]) for b, s, t in (
            ("reference", 0, 4e-4), ("cpu", 0, 2e-4),
            ("reference", 1, 9e-4), ("cpu", 1, 1e-4),
            ("reference", 2, 5e-4), ("cpu", 2, 1e-4),
            ("cpu", 3, 1e-9),
        )]  # fmt: skip
        rows.append(case(backend="cpu", estimator="SML-1", samples=[1e-9]))
        found = answers(fill(tmp_path / "r", rows))
        assert (
            "cpu does the same update 5.00 times as fast as reference (median of 3 pairs of cases "
            "with equal seed and settings, from 2.00 to 9.00)."
        ) in found

    def test_a_slower_backend_is_called_slower(self, tmp_path):
        rows = [case(backend="reference", samples=[1e-4]), case(backend="cpu", samples=[4e-4])]
        found = answers(fill(tmp_path / "r", rows))
        assert (
            "cpu takes 4.00 times as long for the same update as reference (1 pair of cases with "
            "equal seed and settings)."
        ) in found

    def test_backends_without_a_common_case_are_not_compared(self, tmp_path):
        rows = [case(backend="reference", hidden=8), case(backend="cpu", hidden=16)]
        assert "times as fast" not in answers(fill(tmp_path / "r", rows))

    def test_unfinished_cases_are_counted_and_named(self, tmp_path):
        rows = [case(), *(undone(backend="cuda", seed=seed) for seed in range(2))]
        page = words(write(fill(tmp_path / "r", rows)))
        assert "1 of 3 cases is done." in page
        assert "2 cases are not done: digits with CD-1 on cuda (unavailable, seeds 0 and 1)." in page
        assert page.count("no GPU here") == 2

    def test_cases_that_a_stopped_run_did_not_come_to_are_counted(self, tmp_path):
        rows = [case(seed=0), case(seed=1)]
        folder = fill(tmp_path / "r", rows)
        assert "of the run" not in words(write(folder))
        keys = [row["key"] for row in rows]
        (folder / "planned.json").write_text(json.dumps([*keys, "x", "y", "z"]))
        page = words(write(folder))
        assert page.count("3 cases of the run have no row: it was stopped, or still goes on") == 2
        assert "2 of 5 cases are done." in page
        assert "Every case was finished." not in page
        (folder / "planned.json").write_text(json.dumps(keys))
        assert "of the run" not in words(write(folder))
        (folder / "planned.json").write_text("{")
        assert "planned.json is damaged" in complaint(write, folder)

    def test_the_choice_of_rows_has_an_error_unless_they_are_all(self, tmp_path):
        told = "its standard error over the rows is up to 0.25 on digits. Models"
        rows = [case(rows_std_error=0.21), case(seed=1, rows_std_error=0.25)]
        whole = [case(dataset="bars_and_stripes", ceiling=-2.9, rows_std_error=0.3)]
        assert told in words(write(fill(tmp_path / "r", [*rows, *whole])))
        assert "Other test rows" not in words(write(fill(tmp_path / "s", whole)))
        assert "Other test rows" not in words(write(fill(tmp_path / "t", [case()])))

    def test_settings_that_play_no_part_are_not_told(self, tmp_path):
        settings = {"visible": "binary", "precision": "learned", "centred": False}
        rows = [
            case(**settings),
            case(dataset="mnist", **settings | {"visible": "gaussian", "centred": True}),
        ]
        page = words(write(fill(tmp_path / "r", rows)))
        assert page.count("precision learned") == 1
        assert "visible units gaussian, precision learned" in page
        assert "centred False" not in page
        assert "centred True" in page

    def test_damaged_lines_are_counted(self, tmp_path):
        row = case()
        folder = fill(tmp_path / "r", [row])
        assert "damaged" not in words(write(folder))
        with (folder / "rows.jsonl").open("a") as file:
            file.write('garbage\n{"key": "half a row\n')
        assert "2 lines of rows.jsonl are damaged and left out." in words(write(folder))
        (folder / "planned.json").write_text(json.dumps([row["key"]]))  # which has its row
        assert "damaged" not in words(write(folder))

    def test_the_machine_is_named_with_its_gpus(self, tmp_path):
        folder = fill(tmp_path / "r", [case()])
        gpu = {"name": "Example GPU", "memory_gib": 139.8, "clock_mhz": 1980}
        machine = {"cpu": "Example CPU", "gpus": [gpu, gpu]}
        (folder / "machine.json").write_text(json.dumps({"m1": machine}))
        told = "Example CPU, Example GPU of 139.8 GiB, Example GPU of 139.8 GiB"
        assert told in words(write(folder))

    def test_seeds_of_the_best_that_did_not_finish_are_mentioned(self, tmp_path):
        rows = [case(seed=0), case(seed=1, status="timeout", reason="30 s were used up")]
        assert "comes from 1 seed on cpu, so its spread is unknown (1 more did not finish)" in answers(
            fill(tmp_path / "r", rows)
        )


class TestResults:
    def test_numbers_of_a_group(self, tmp_path):
        rows = [
            case(-10.0, seed=0, samples=[1e-4, 2e-4], train_s=1.0, compile_s=2.0, std_error=0.1),
            case(-14.0, seed=1, samples=[3e-4, 4e-4, 5e-4], train_s=3.0, compile_s=0.1, std_error=0.3),
            case(-99.0, seed=2, status="diverged", reason="W is not finite"),
        ]
        (found,) = collect(tidy(load_table(fill(tmp_path / "r", rows)).rows))
        assert (found.done, found.seeds) == (2, 3)
        assert (found.median, found.low, found.high) == (-12.0, -14.0, -10.0)
        assert found.update_s == pytest.approx((2e-4, 3e-4, 4e-4))
        assert (found.train_s, found.compile_s, found.std_error) == (2.0, 2.0, 0.3)

    def test_the_table_shows_them(self, tmp_path):
        rows = [case(value, seed=seed) for seed, value in enumerate((-10.0, -10.5))]
        page = words(write(fill(tmp_path / "r", rows)))
        assert "digits CD-1 cpu 2 of 2 −10.25 [−10.50, −10.00] 0.020 0.500 200 1.50" in page

    def test_a_case_that_was_run_again_counts_once(self, tmp_path):
        old = case(-12.0, attempt="2026-01-01T00:00:00.000000+00:00", timeout_s=1, key="old")
        rows = [case(-10.0, timeout_s=2), old]
        folder = fill(tmp_path / "r", rows)
        (found,) = collect(tidy(load_table(folder).rows))
        assert found.log_likelihoods == (-10.0,)
        assert "1 older row of cases that were run again" in words(write(folder))

    def test_no_numbers_at_all(self, tmp_path):
        empty = dict.fromkeys(
            ("log_likelihood", "std_error", "samples", "update_s", "train_s", "compile_s", "code_version")
        )
        folder = fill(tmp_path / "r", [case() | empty])
        page = words(write(folder))
        assert "digits CD-1 cpu 1 of 1 – – – – –" in page
        assert "No finished case has a log-likelihood." in page


@pytest.mark.parametrize(
    ("resolved", "unresolved", "gap", "told"),
    [
        (2, 0, 0.05, "resolved, gap 0.05 nats"),
        (2, 1, 5.3, "unresolved, gap 5.30 nats"),
        (2, 1, 0.05, "unresolved"),  # both estimates err alike
        (0, 1, np.nan, "unresolved"),  # there is but one
        (0, 0, np.nan, ""),
    ],
)
def test_whether_an_end_is_resolved(resolved, unresolved, gap, told):
    assert text.resolution(resolved, unresolved, gap) == told


class TestNames:
    def test_paths_are_cut_to_what_tells_them_apart(self):
        names = ["digits", "/home/me/faces.npz", "/home/a/x.csv", "C:\\b\\x.csv", "x.csv"]
        shown = ["digits", "faces.npz", "a/x.csv", "b/x.csv", "x.csv"]
        assert display_names(names) == dict(zip(names, shown, strict=True))

    def test_names_stay_different_and_printable(self):
        assert list(display_names(["x.csv", "/x.csv", "a\n\ud800"]).values()) == [
            "x.csv", "x.csv (2)", "a??",
        ]  # fmt: skip

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("name", ["数字.npz", "a\x00\ud800.npz", "$\\frac{$.npz", ""])
    def test_any_name_will_do(self, tmp_path, name):
        folder = fill(tmp_path / "r", [case(dataset=name)])
        assert display_names([name])[name] in words(write(folder))
        for figure in (folder / "figures").glob("*.svg"):
            ElementTree.parse(figure)

    def test_a_path_is_not_on_the_page(self, tmp_path):
        page = write(fill(tmp_path / "r", [case(dataset="/home/somebody/faces.npz")]))
        assert "faces.npz" in words(page)
        assert "somebody" not in page.read_text(encoding="utf-8")

    def test_sizes_are_named_where_they_vary_on_the_data(self, tmp_path):
        rows = [case(), case(estimator="exact", hidden=8), case(dataset="other")]
        found = tidy(load_table(fill(tmp_path / "r", rows)).rows)
        assert list(found["label"]) == ["CD-1, hidden 16", "exact, hidden 8", "CD-1"]

    def test_other_settings_are_named_where_they_vary_for_an_estimator(self, tmp_path):
        rows = [
            case(rate=0.1),
            case(rate=0.05),
            case(estimator="SML-1", settings={"k": 1}, rate=0.2),
            case(estimator="SML-1", settings={"k": 1, "chains": 7}, rate=0.2),
        ]
        found = tidy(load_table(fill(tmp_path / "r", rows)).rows)
        assert set(found["label"]) == {
            "CD-1, rate 0.1", "CD-1, rate 0.05", "SML-1, chains default", "SML-1, chains 7",
        }  # fmt: skip

    def test_a_label_says_no_more_than_it_takes(self, tmp_path):
        rows = [case(hidden=8, rate=0.1, betas=500), case(hidden=64, rate=0.03, betas=1000)]
        folder = fill(tmp_path / "r", rows)
        found = tidy(load_table(folder).rows)
        assert list(found["label"]) == ["CD-1, hidden 8", "CD-1, hidden 64"]
        page = words(write(folder))
        assert "digits, CD-1, hidden 8: hidden 8, rate 0.1." in page
        assert "digits, CD-1, hidden 64: hidden 64, rate 0.03." in page


class TestTraces:
    def traces(self, folder):
        table = load_table(folder)
        return traces.combine(tidy(table.rows), table.curves)

    def test_seeds_meet_on_a_grid_in_the_logarithm_of_time(self, tmp_path):
        points = {
            "key0": [(0, -20.0), (0.01, -20.0), (1.0, -10.0)],
            "key1": [(0, -20.0), (0.01, -18.0), (0.1, -16.0), (1.0, -14.0)],
        }
        folder = fill(tmp_path / "r", [case(seed=0), case(seed=1)], points)
        (found,) = self.traces(folder)
        assert (found.finished, found.seeds) == (True, 2)
        np.testing.assert_allclose(found.seconds, [0.01, 0.1, 1.0])
        np.testing.assert_allclose(found.low, [-20.0, -16.0, -14.0])
        np.testing.assert_allclose(found.median, [-19.0, -15.5, -12.0])
        np.testing.assert_allclose(found.high, [-18.0, -15.0, -10.0])

    def test_a_run_that_diverged_keeps_its_part(self, tmp_path):
        points = {"key1": [(0, -20.0), (0.01, -19.0), (0.1, None)]}
        rows = [case(seed=0), case(-19.0, seed=1, status="diverged", reason="W is not finite")]
        folder = fill(tmp_path / "r", rows, points)
        done, broken = self.traces(folder)
        assert (done.finished, done.seeds, broken.finished, broken.end) == (True, 1, False, -19.0)
        page = words(write(folder))
        assert "A thin line with a cross" in page
        assert "W is not finite" in page

    def test_one_seed_has_no_band(self, tmp_path):
        assert "bands" not in words(write(fill(tmp_path / "r", [case()])))

    def test_only_the_untrained_model_is_no_trace(self, tmp_path):
        folder = fill(tmp_path / "r", [case()], {"key0": [(0.0, -20.0)]})
        assert self.traces(folder) == []
        assert "There is no learning curve" in words(write(folder))

    def test_the_axis_leaves_out_what_lies_far_below(self):
        known = summary.Yardsticks(np.nan, -15.0, -20.0)
        low, high = traces.value_limits([-10.0, -500.0], known)
        assert -21 < low < -20
        assert -10 < high < -9
        assert traces.value_limits([-10.0, -25.0], known)[0] < -25
        assert traces.value_limits([-1.0], summary.Yardsticks(*[np.nan] * 3)) == (-2.0, 0.0)
        low, _ = traces.value_limits([-80.0, -500.0], known)  # the best is inside wherever it is
        assert -90 < low < -80
        assert traces.value_limits([-10.0], known, [-5.0])[1] > -5

    def test_the_axis_holds_what_grew_worse_again_and_no_target_that_all_passed(self):
        values = np.array([-5.0, -9.0])
        trace = traces.Trace("CD-1", "cd", "cpu", True, 1, np.array([1.0, 10.0]), values, values, values)
        known, looks = summary.Yardsticks(np.nan, -8.0, -10.0), style.Looks(("cd",), ("cpu",))
        with style.applied():
            figure = curves.draw("", [trace], known, [-100.0, -7.0], looks)
        low, high = figure.axes[0].get_ylim()
        assert -11 < low < -10
        assert high > -5
        drawn = [text.get_text() for text in figure.findobj(Text)]
        assert "target −7" in drawn
        assert "target −100" not in drawn


class TestPictures:
    def arrays(self, order):
        picture = np.array([[1, 2, 3], [4, 5, 6]])
        row = picture.ravel(order=order)
        return picture, {
            "W": np.stack([row, 10.0 * row], axis=1),
            "samples": row[None],
            "image_shape": np.array((2, 3)),
            "image_order": np.array(order),
        }

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_rows_become_pictures_in_their_order(self, order):
        picture, arrays = self.arrays(order)
        found = read(arrays)
        assert isinstance(found, Model)
        np.testing.assert_array_equal(found.samples[0], picture)
        np.testing.assert_array_equal(found.filters, [10 * picture, picture])  # largest first

    def test_rows_lie_line_by_line_where_nothing_is_said(self):
        picture, arrays = self.arrays("C")
        del arrays["image_order"]
        found = read(arrays)
        assert isinstance(found, Model)
        np.testing.assert_array_equal(found.samples[0], picture)

    def test_rows_that_are_no_pictures(self):
        _, arrays = self.arrays("C")
        assert read(arrays | {"image_shape": np.array((1, 6))}) is None

    def test_what_is_wrong_is_said(self):
        _, arrays = self.arrays("C")
        assert read(None) == "its file is missing or cannot be read"
        assert read({"W": arrays["W"]}) == "its file lacks samples, image_shape"
        assert "no pictures of 4 × 4" in str(read(arrays | {"image_shape": np.array((4, 4))}))
        assert read(arrays | {"W": arrays["W"] * np.nan}) == "its weights are not finite"

    def test_real_samples_are_grey_over_all_their_range(self, tmp_path):
        _, arrays = self.arrays("C")
        found = read(arrays | {"samples": np.array([[-2.0, 0, 0.5, 1, 2, 7]])})
        assert isinstance(found, Model)
        assert (found.binary, found.range) == (False, (-2.0, 7.0))
        assert draw_samples("", found).axes[0].images[0].get_clim() == (-2.0, 7.0)
        assert "not finite" in str(read(arrays | {"samples": np.full((1, 6), np.nan)}))
        folder = fill(tmp_path / "r", [case(visible="gaussian")], models=["key0"])
        model = folder / "models" / "key0.npz"
        with np.load(model) as content:
            np.savez(model, **{**content, "samples": 3.0 * np.eye(6)})
        page = write(folder)
        assert "6 samples, in greys from 0.00, white, to 3.00, black." in words(page)
        assert "black and white" not in page.read_text(encoding="utf-8")

    def test_no_more_than_64(self):
        arrays = {"W": np.ones((4, 100)), "samples": np.ones((100, 4)), "image_shape": [2, 2]}
        found = read({name: np.asarray(array) for name, array in arrays.items()})
        assert isinstance(found, Model)
        assert (len(found.filters), len(found.samples), found.units) == (64, 64, 100)

    def test_whose_weights_they_are_and_how_samples_came(self):
        shared = {"b": np.zeros(4), "samples": np.eye(4), "image_shape": np.array([2, 2])}
        R = np.triu(np.arange(16.0).reshape(4, 4), 1)
        rbm = read(shared | {"W": np.ones((4, 3)), "c": np.zeros(3)})
        machine, net = read(shared | {"R": R}), read(shared | {"W": R})
        assert all(isinstance(one, Model) for one in (rbm, machine, net))
        assert [(one.hidden, one.chains) for one in (rbm, machine, net)] == [
            (True, True), (False, True), (False, False),
        ]  # fmt: skip
        assert "couplings have the shape (3, 4)" in read(shared | {"R": R[:3]})
        # Each unit of a machine hears all others, of a network those before it.
        assert (machine.filters != 0).sum() == 2 * (net.filters != 0).sum() == 12

    def test_a_mosaic_keeps_every_picture_in_its_place(self):
        images = np.arange(5 * 2 * 3).reshape(5, 2, 3)
        tiles = mosaic(images)
        assert tiles.shape == (1 + 2 * (2 + 1), 1 + 3 * (3 + 1))
        np.testing.assert_array_equal(tiles[4:6, 5:8], images[4])
        assert np.isfinite(tiles).sum() == images.size

    def test_they_show_the_best_seed_of_the_best_estimator(self, tmp_path):
        rows = [
            case(-10.0, seed=0, estimator="SML-1"),
            case(-10.2, seed=1, estimator="SML-1"),
            case(-9.0, seed=0),
            case(-19.0, seed=1),
        ]
        folder = fill(tmp_path / "r", rows, models=["key0"])
        page = words(write(folder))
        assert "What the hidden units of the best model on digits (SML-1 on cpu, seed 0) look for" in page
        assert "all 5 columns of W" in page
        assert {path.name for path in (folder / "figures").iterdir()} == {
            f"{kind}-1-digits.{suffix}"
            for kind in ("curves", "time", "filters", "samples")
            for suffix in ("svg", "png")
        }

    def test_a_missing_model_is_said(self, tmp_path):
        page = words(write(fill(tmp_path / "r", [case()])))
        assert "(CD-1 on cpu, seed 0): its file is missing or cannot be read." in page


class TestFigures:
    def everything_inside(self, figure):
        figure.draw_without_rendering()
        drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(drawn.x0, drawn.y0) >= -0.01
        assert drawn.x1 <= width + 0.01
        assert drawn.y1 <= height + 0.01
        assert figure.axes[0].get_position().width > 0.3

    @pytest.mark.parametrize("scale", [1.0, 100.0], ids=["bars", "markers"])
    def test_nothing_leaves_a_figure(self, tmp_path, scale):
        title = "a_data_set_with_a_name_that_is_longer_than_a_figure_is_wide_$x$.npz"
        rows = [
            case(-10.0 - e - h / 10, estimator=f"estimator-{e}", backend=b, hidden=h, dataset=title,
                 rate=0.1 / (1 + e + h), samples=[1e-4 * (1 + (scale - 1) * (b == "reference"))])
            for e in range(9) for h in (16, 500) for b in ("reference", "cpu", "cuda")
        ]  # fmt: skip
        table = load_table(fill(tmp_path / "r", rows))
        cases = tidy(table.rows)
        results = collect(cases)
        looks = style.Looks(tuple(f"estimator-{e}" for e in range(9)), ("reference", "cpu", "cuda"))
        found = traces.combine(cases, table.curves)
        with style.applied():
            assert times.needs_log(results) == (scale > 1)
            self.everything_inside(times.draw(title, results, looks))
            self.everything_inside(curves.draw(title, found, summary.yardsticks(cases), [-5.0], looks))

    @pytest.mark.parametrize(
        ("limits", "wanted"),
        [((20.0, 150.0), [20, 50, 100]), ((1e-3, 200.0), [1e-3, 1e-2, 0.1, 1, 10, 100])],
    )
    def test_a_narrow_axis_of_time_has_ticks(self, limits, wanted):
        with style.applied():
            _, axes = style.panel("", 3.0)
            style.log_time(axes.xaxis)
            axes.set_xlim(limits)
            ticks = [t for t in axes.get_xticks() if limits[0] <= t <= limits[1]]
        np.testing.assert_allclose(ticks, wanted)

    def test_estimators_look_different(self):
        looks = style.Looks(tuple("abcdefghijklmnopqrst"), ("reference", "cpu"))
        assert len({(looks.colour(name), looks.marker(name)) for name in looks.estimators}) == 20
        assert looks.line("reference") != looks.line("cpu")
        assert len({looks.colour(name) for name in looks.estimators}) == 10

    def test_each_colour_of_estimators_has_one_on_light_and_one_on_dark_ground(self):
        css = (Path(style.__file__).parent / "templates" / "report.css").read_text()
        for number, colour in enumerate(style._PALETTE, 1):
            light, dark = re.findall(rf"--series-{number}: (#[0-9a-f]{{6}});", css)
            assert light == colour != dark

    def test_inlined_colours_follow_the_page(self, tmp_path):
        page = write(fill(tmp_path / "r", [case()])).read_text(encoding="utf-8")
        drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
        assert "var(--series-1)" in drawings
        assert not re.search("#0072b2|#ffffff|#1b2631", drawings)
        for variable in set(re.findall(r"var\((--[a-z0-9-]+)\)", page)):
            assert page.count(f"{variable}: #") == 2, variable  # in light and in dark

    @pytest.mark.parametrize(
        ("wanted", "placed"),
        [
            ([1.0, 5.0], [1.0, 5.0]),
            ([5.0, 5.0, 5.0], [4.0, 5.0, 6.0]),
            ([0.0, 0.1], [0.0, 1.0]),
            ([10.0, 9.8, 9.9], [10.0, 8.0, 9.0]),
            ([3.0, 3.0, 4.2, 4.2], [2.1, 3.1, 4.1, 5.1]),
        ],
    )
    def test_labels_are_spread_apart(self, wanted, placed):
        np.testing.assert_allclose(style.spread_apart(wanted, 1.0, 0.0, 10.0), placed)


class TestPage:
    def test_what_ran_where_and_when(self, tmp_path):
        rows = [case(), case(seed=1, attempt="2026-01-02T05:00:00.000000+00:00")]
        page = words(write(fill(tmp_path / "r", rows)))
        assert "A small suite 02 January 2026, 03:04 to 05:00 UTC" in page
        assert (
            "Example CPU, 2 cores, 7.5 GiB, Python 3.11.7, numba 0.61.0, numpy 2.0.0, openblas 0.3.30"
            in page
        )
        assert "with these temperatures: linear (1000 on [0, 1]) for 100 chains." in page
        assert "0123456789abcdef" in page

    def test_adaptive_schedules_are_told_as_the_rows_tell_them(self, tmp_path):
        rows = [case(seed=s, betas="adaptive", log_z_schedule=f"adaptive ({900 + s} on [0, 1])")
                for s in range(5)]  # fmt: skip
        page = words(write(fill(tmp_path / "r", rows)))
        assert "adaptive (900 on [0, 1]) for 100 chains; adaptive (901" in page
        assert "and 2 other schedules. AIS is" in page

    @pytest.mark.parametrize("indicative", [True, False])
    def test_the_badge(self, tmp_path, indicative):
        page = words(write(fill(tmp_path / "r", [case(indicative=indicative)])))
        assert ("Timings are indicative only" in page) == indicative

    def test_strings_are_escaped(self, tmp_path):
        evil = "<script>alert('x')</script>--></style>&amp;$\\frac{$"
        rows = [
            case(title=evil, dataset=evil),
            undone("failed", evil, dataset=evil, backend=evil, estimator=evil, title=evil),
        ]
        page = write(fill(tmp_path / "r", rows))
        html = page.read_text(encoding="utf-8")
        assert "alert('x')" not in html
        assert html.count("<script") == 1
        assert evil in words(page)

    def test_it_asks_for_nothing_from_outside(self, tmp_path):
        page = write(fill(tmp_path / "r", [case()], models=["key0"])).read_text(encoding="utf-8")
        assert "default-src 'none'" in page
        links = re.findall(r"""(?:href|src)=["']([^"']*)|url\(([^)]*)\)""", page)
        assert links
        assert all(re.match(r"#|data:image/png;base64,", a or b) for a, b in links)

    def test_each_figure_is_described(self, tmp_path):
        page = write(fill(tmp_path / "r", [case()], models=["key0"])).read_text(encoding="utf-8")
        assert page.count("<figure>") == page.count("<figcaption>") == 4
        assert len(re.findall(r'role="img" aria-label="[^"]{30,}"', page)) == 4
        assert "CD-1 on cpu ends at −10.00" in page

    def test_equal_tables_give_equal_files(self, tmp_path):
        folder = fill(tmp_path / "r", [case()], models=["key0"])

        def contents():
            write(folder)
            return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]

        assert contents() == contents()

    def test_only_unavailable_cases(self, tmp_path):
        folder = fill(tmp_path / "r", [undone(), undone(seed=1)])
        page = words(write(folder))
        assert "0 of 2 cases are done." in page
        assert "There is no learning curve" in page
        assert "There are no times" in page
        assert list((folder / "figures").iterdir()) == []

    def test_nothing_left_undone_is_said(self, tmp_path):
        assert "Every case was finished." in words(write(fill(tmp_path / "r", [case()])))

    def test_without_machine_and_curves(self, tmp_path):
        folder = fill(tmp_path / "r", [case()])
        (folder / "machine.json").unlink()
        (folder / "curves.jsonl").unlink()
        assert "machine m1, not described" in words(write(folder))

    def test_no_results(self, tmp_path):
        with pytest.raises(UserError, match="holds no results"):
            write(tmp_path / "nowhere")

    @pytest.mark.parametrize("blocked", ["figures", "report.html"])
    def test_a_folder_that_cannot_be_written(self, tmp_path, blocked):
        folder = fill(tmp_path / "r", [undone()])
        if blocked == "figures":
            (folder / blocked).write_text("a file")
        else:
            (folder / blocked).mkdir()
        with pytest.raises(UserError, match=r"cannot write the report to .*: ") as caught:
            write(folder)
        assert "\n" not in str(caught.value)

    def test_importing_the_package_imports_no_library(self):
        heavy = "{'matplotlib', 'pandas', 'numba', 'jinja2', 'numpy'}"
        code = f"import sys, ebmbench.report; sys.exit(bool({heavy} & set(sys.modules)))"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (text.number(-1234.567), "−1,234.57"),
        (text.number(float("nan")), "–"),
        (text.significant(12345.0), "12,300"),
        (text.significant(0.012345), "0.0123"),
        (text.significant(9.996), "10.0"),
        (text.significant(0.0), "0"),
        (text.duration(5.67e-5), "56.7 µs"),
        (text.duration(0.9999), "1 s"),
        (text.duration(1200.0), "1,200 s"),
        (text.duration(5e-9), "5 ns"),
        (text.listing(["a", "b", "c"]), "a, b and c"),
        (text.listing(["PL", "PL, one bit", "RM"]), "PL; PL, one bit; and RM"),
        (text.listing(["PL", "PL, one bit"]), "PL and PL, one bit"),
        (text.listing([]), ""),
        (text.count(1, "seed"), "1 seed"),
    ],
)
def test_numbers_in_words(found, wanted):
    assert found == wanted


@pytest.mark.parametrize("names", [("CD-1", "CD-1"), ("CD-1", "CD-1", "SML-1")])
def test_colours_tell_estimators_apart_or_else_settings_of_one(tmp_path, names):
    rows = [case(estimator=name, rate=0.1 * n) for n, name in enumerate(names, 1)]
    table = load_table(fill(tmp_path / "r", rows))
    cases = tidy(table.rows)
    looks = style.Looks(tuple(dict.fromkeys(names)), ("cpu",))
    with style.applied():
        found = figures.draw(cases, table.curves, collect(cases), looks, tmp_path)
    (axes,) = found.times[0].figure.axes
    assert len(axes.patches) == len(names)
    assert len({bar.get_facecolor() for bar in axes.patches}) == 2
