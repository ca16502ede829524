"""`ebmbench compare` as a user meets it: the table, JSON, the figure, the page, the exit status."""

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import synthetic
from test_comparison import timed
from test_report import words

from ebmbench.harness import comparison
from ebmbench.report import style
from ebmbench.report.comparison import figure, tables


@pytest.fixture
def folders(tmp_path):
    """Two folders of two machines: one case slower, one of worse quality, one missing in each."""
    rows = timed([*synthetic.trained(), *synthetic.gradients((1.0,))])
    slow = {row["key"]: row for row in timed(rows, 1.3)}
    other = [row | {"machine": "m2", "code_version": "feedfeedfeedfeed"} for row in rows]
    for row in other:
        if row["key"] == "gradient1":
            row["samples"] = slow[row["key"]]["samples"]
        if row["task"] == "train" and row["estimator"] == "PT-10":
            row["log_likelihood"] -= 2.0
    a = synthetic.fill(tmp_path / "a", [row for row in rows if row["key"] != "gradient2"])
    b = synthetic.fill(tmp_path / "b", [row for row in other if row["key"] != "gradient3"])
    described = {"m2": {"cpu": "Another CPU", "cores": 16}}
    (b / "machine.json").write_text(json.dumps(described))
    return a, b


def frame(a, b):
    return comparison.compare(a, b).frame()


def test_the_same_folder_twice_is_fine(ebmbench, folders):
    status, out, err = ebmbench("compare", folders[0], folders[0])
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "10 same"


def test_a_damaged_line_is_told(ebmbench, folders):
    a, _ = folders
    whole = (a / "rows.jsonl").read_text()
    (a / "rows.jsonl").write_text(whole[:-200])
    status, out, err = ebmbench("compare", a, a)
    assert (status, err) == (0, "")
    assert out.count("1 line of its rows.jsonl left out, as damaged") == 2


def test_a_regression(ebmbench, folders):
    status, out, err = ebmbench("compare", *folders)
    assert (status, err) == (1, "")
    assert out.splitlines()[-1] == "2 worse, 1 missing in A, 1 missing in B, 7 same"
    worse = [line for line in out.splitlines() if line.startswith("worse:")]
    assert worse[0].startswith(
        "worse: train, binarized_mnist, PT-10 on cpu: log-likelihood -2 nats a row"
    )
    told = r"worse: gradient, .*, CD-10 on cpu: a gradient 0\.769 times as fast \[0\.6\d+, 0\.8\d+\]"
    assert re.fullmatch(told, worse[1])
    assert re.search(
        r"A: .*/a, 02 January 2026, 03:04 UTC, code 0123456789abcdef\n  Example CPU, 2 cores", out
    )
    assert re.search(r"B: .*/b, .*, code feedfeedfeedfeed\n  Another CPU, 16 cores", out)
    assert re.search(r"CD-10 +worse +1 +[\d.]+ [µm]s +1\.\d+ ms +0\.769 \[", out)
    assert "…" not in out


def test_the_threshold_is_in_per_cent(ebmbench, folders):
    _, out, _ = ebmbench("compare", *folders, "--threshold", 40)
    assert out.splitlines()[-1].startswith("1 worse,")


def test_json(ebmbench, folders):
    status, out, _ = ebmbench("compare", *folders, "--json")
    found = json.loads(out)
    assert (status, found["regression"]) == (1, True)
    assert found["counts"] == {"worse": 2, "missing in A": 1, "missing in B": 1, "same": 7}
    assert {case["verdict"] for case in found["cases"] if case["name"] == "CD-10"} == {"worse"}


def test_the_figure_and_the_page_are_files(ebmbench, folders, tmp_path):
    status, _, _ = ebmbench("compare", *folders, "--figure", "f.svg", "--page", "p.html")
    assert status == 1
    assert ElementTree.parse(tmp_path / "f.svg").getroot().tag.endswith("svg")
    text = words(tmp_path / "p.html")
    assert "2 of 11 cases are worse in B than in A." in text
    assert "Gradient, random 8x6, scale 1, seed 0, CD-10, cpu: a gradient 0.769 times as fast" in text
    assert "Another CPU, 16 cores" in text
    ebmbench("compare", *folders, "--figure", "f.png")
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"


def test_the_page_tells_which_side_was_measured_beside_other_work(ebmbench, folders, tmp_path):
    file = tmp_path / folders[1] / "rows.jsonl"
    first, *others = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps(json.loads(first) | {"others_cores": 1.5}), *others]) + "\n")
    ebmbench("compare", *folders, "--page", "p.html")
    told = words(tmp_path / "p.html")
    assert "in B during 1 of" in told
    assert "other programs kept up to 1.5 cores busy" in told
    assert "in A during" not in told


def test_help_says_how_verdicts_come_about(ebmbench):
    _, out, _ = ebmbench("compare", "--help")
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", out).split())
    assert "Exit status: 1 where a case is worse, 0 otherwise, 2 for a mistake." in text
    assert "Maybe worse: by as much, but not proven" in text
    assert "a machine that was busy during one of them looks like a change" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a", "a/rows.jsonl"], "a/rows.jsonl is a file: name the results folder that it lies in"),
        (["a", "nowhere"], "nowhere holds no results: rows.jsonl is missing"),
        (["a", "old"], "old holds rows of another schema than version 1; use the version of ebmbench"),
        (["a", "other"], "no case of other is in a"),
        (["a", "b", "--threshold", "-3"], "the threshold must be at least 0 %, but is -3 %"),
        (["a", "b", "--threshold", "nan"], "the threshold must be at least 0 %, but is nan %"),
        (["a", "b", "--across", "seed"], "--across must be `backend`, or two backends such as cpu:cuda"),
        (["a", "b", "--figure", "f.pdf"], "f.pdf must end in .png or .svg"),
        (["a", "b", "--figure", "no/f.png"], "the folder"),
        (["a", "b", "--page", "a"], "a must end in .html"),
        (["bare", "bare", "--figure", "f.png"], "f.png was not written: no case has speeds in both"),
    ],
)  # fmt: skip
def test_mistakes(ebmbench, folders, tmp_path, arguments, sentence):
    synthetic.fill(tmp_path / "old", [row | {"schema_version": 0} for row in synthetic.gradients()])
    synthetic.fill(tmp_path / "other", synthetic.samples())
    synthetic.fill(tmp_path / "bare", synthetic.unavailable(synthetic.gradients()))
    status, out, err = ebmbench("compare", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("ebmbench: ")
    assert sentence in err
    assert err.count("\n") == 1


class TestTables:
    def test_a_row_a_case_and_a_column_a_measure(self, folders):
        train, gradient = tables.sheets(frame(*folders))
        assert train.columns == [
            "Case", "Verdict", "On", "Backend", "Seeds", "A", "B", "An update, times as fast",
            "Log-likelihood, B − A, nats a row", "Why",
        ]  # fmt: skip
        assert [cell.text for cell in train.rows[0]][:5] == [
            "PT-10", "worse", "binarized_mnist", "cpu", "3",
        ]  # fmt: skip
        assert (train.rows[0][8].text, train.rows[0][8].note) == ("−2.0", "[−2.0, −2.0]")
        assert train.rows[0][-1].text == "log-likelihood"
        missing = next(row for row in gradient.rows if row[1].text == "missing in A")
        assert {cell.text for cell in missing[4:-1]} == {"–"}
        assert all(np.isnan(cell.value) for cell in missing[4:-1])

    def test_no_interval_is_said(self, tmp_path):
        rows = synthetic.gradients((1.0,))
        folder = synthetic.fill(tmp_path / "a", rows)
        (sheet,) = tables.sheets(frame(folder, folder))
        assert sheet.rows[0][7].note == "no interval"

    def test_what_chance_alone_does(self, tmp_path):
        rows = timed(synthetic.log_zs())
        other = [row | {"error": row["error"] + 1e-3, "samples": None, "seconds": 1.0} for row in rows]
        a, b = synthetic.fill(tmp_path / "a", rows), synthetic.fill(tmp_path / "b", other)
        assert tables.chance(frame(a, a)) == []
        found = frame(a, b)
        moved = int((found["low"].notna() & (found["change"] != 0)).sum())
        assert moved == 26  # less than 40: not one is to be expected
        assert tables.chance(found) == []
        (text,) = tables.chance(found.loc[found.index.repeat(4)])
        assert text.startswith("Of 104 intervals of 95 % up to 3 show something worse by chance alone")

    @pytest.mark.parametrize(
        ("factors", "told"), [([0.5, 0.6], True), ([1.4, 2.0], True), ([0.6, 1.5], False), ([1.0], False)]
    )
    def test_all_speeds_move_together_on_a_busy_machine(self, tmp_path, factors, told):
        rows = [timed([row])[0] for row in synthetic.gradients((1.0,))]
        other = [timed([row], factors[i % len(factors)])[0] for i, row in enumerate(rows)]
        a, b = synthetic.fill(tmp_path / "a", rows), synthetic.fill(tmp_path / "b", other)
        found = tables.together(frame(a, b), 0.05)
        assert bool(found) == told
        if told:
            middle = 1 / np.median([factors[i % 2] for i in range(len(rows))])
            assert f"in the median B is {middle:.3g} times as fast" in found[0]
        assert tables.together(frame(a, b).iloc[:5], 0.05) == []  # few cases say nothing


class TestFigure:
    def draw(self, found, width=figure.WIDE, threshold=0.05):
        with style.applied():
            drawn = figure.draw(found, threshold, width)
            drawn.draw_without_rendering()
        return drawn

    def test_a_mark_and_an_interval_for_each_ratio(self, folders):
        found = frame(*folders)
        (axes,) = self.draw(found).axes
        marks = {line.get_marker() for line in axes.lines} - {"None"}
        assert marks == {"<", "o"}
        dots = [line for line in axes.lines if line.get_marker() != "None"]
        assert len(dots) == len(figure.drawable(found)) == 9
        slower = next(line for line in dots if line.get_marker() == "<")
        assert slower.get_xdata()[0] == pytest.approx(-np.log(1.3))
        bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_xdata()[0] != 0.0]
        assert len(bars) == 9
        assert all(line.get_xdata()[0] < line.get_xdata()[1] for line in bars)

    def test_worse_quality_is_told_where_the_speed_is_the_same(self, folders):
        (axes,) = self.draw(frame(*folders)).axes
        told = [text.get_text() for text in axes.texts]
        assert "PT-10: quality worse" in told
        assert "CD-10" in told
        assert [text for text in told if "quality" in text] == ["PT-10: quality worse"]

    def test_verdicts_differ_in_shape_or_filling_too(self):
        """Not in colour alone."""
        looks = {(marker, filled) for marker, _, filled in figure._MARKS.values()}
        assert len(looks) == len(figure._MARKS)

    @pytest.mark.parametrize("width", [figure.WIDTH, figure.WIDE])
    @pytest.mark.parametrize("factor", [1.0, 1.2, 3.0, 1e4])
    def test_nothing_leaves_the_figure_or_overlaps(self, tmp_path, width, factor):
        rows = timed(synthetic.everything())
        model = {"model": "a model of a name that is longer than half a figure is wide"}
        method = {"estimator": "an estimator of a name that is longer than half a figure is wide"}
        long = [row | model | (method if "estimator" in row else {}) for row in rows]
        a, b = synthetic.fill(tmp_path / "a", long), synthetic.fill(tmp_path / "b", timed(long, factor))
        drawn = self.draw(frame(a, b), width)
        box = drawn.get_tightbbox()
        assert min(box.x0, box.y0) > -0.01
        assert box.x1 < drawn.get_figwidth() + 0.01
        assert box.y1 < drawn.get_figheight() + 0.01
        (axes,) = drawn.axes
        texts = [text.get_window_extent() for text in axes.texts]
        ticks = [label.get_window_extent() for label in axes.get_xticklabels()]
        for boxes in (texts, ticks):
            for one, other in pairwise(boxes):
                assert not one.overlaps(other)
        assert 1.0 in np.exp(axes.get_xticks())
        inset = 0.15 * drawn.dpi  # of the names of cases, which stand beside their dots
        names = [box for box in texts if box.x0 > inset]
        assert len(names) > 30
        assert max(box.x1 for box in names) < axes.get_window_extent().x0

    def test_more_than_can_be_drawn(self, tmp_path):
        folder = synthetic.fill(tmp_path / "a", timed(synthetic.gradients((1.0,))))
        found = frame(folder, folder)
        many = found.loc[found.index.repeat(50)]
        (axes,) = self.draw(many).axes
        assert axes.get_title(loc="right") == "the first 300 of 350 ratios"

    def test_it_is_described(self, folders):
        told = figure.alt(frame(*folders))
        assert told.startswith(
            "Dots and intervals of 9 ratios of speeds, from CD-10 0.769 times as fast to "
        )
