"""What the report says of settings of which a suite tried several values."""

import numpy as np
import pytest
from test_report import case, fill, undone, words

from ebmbench.harness.table import load_table
from ebmbench.report import style, write
from ebmbench.report.cases import tidy
from ebmbench.report.training import sensitivity, sweeps
from ebmbench.report.training.results import collect


def found(folder, rows):
    """The sweeps of a folder with these rows, and its results."""
    results = collect(tidy(load_table(fill(folder, rows)).rows))
    return sweeps.find(results), results


def lost(sweep):
    """The values with which some seed diverged."""
    return [one.value for one in sweep.tried if one.result.diverged]


def tried(ends, **fields):
    """A row for each rate; None where it diverged."""
    return [
        undone("diverged", "b is not finite", rate=rate, **fields)
        if end is None
        else case(end, rate=rate, **fields)
        for rate, end in ends.items()
    ]


ENDS = {0.1: -12.0, 0.01: -11.0, 0.03: -10.5, 0.3: None, 0.001: -14.0}


class TestFind:
    def test_values_stand_in_their_order_with_their_ends(self, tmp_path):
        (sweep,), _ = found(tmp_path / "r", tried(ENDS))
        assert (sweep.dataset, sweep.setting, sweep.estimator, sweep.backend) == (
            "digits", "rate", "CD-1", "cpu",
        )  # fmt: skip
        assert [one.value for one in sweep.tried] == [0.001, 0.01, 0.03, 0.1, 0.3]
        np.testing.assert_equal([one.end for one in sweep.tried], [-14.0, -11.0, -10.5, -12.0, np.nan])
        assert sweep.best.value == 0.03

    def test_two_values_are_no_sweep(self, tmp_path):
        assert found(tmp_path / "r", tried({0.1: -12.0, 0.01: -11.0}))[0] == []

    def test_values_that_differ_in_something_else_too_are_no_sweep(self, tmp_path):
        rows = [case(-10.0, rate=0.1 / n, hidden=16 * n) for n in (1, 2, 3)]
        assert found(tmp_path / "r", rows)[0] == []

    def test_an_end_is_the_median_over_seeds_of_the_lower_of_both_ways(self, tmp_path):
        rows = [
            case(-10.0, rate=rate, seed=seed, log_likelihood_reverse=-10.0 - rate - seed)
            for rate in (1.0, 2.0, 4.0)
            for seed in (0, 1, 5)
        ]
        (sweep,), _ = found(tmp_path / "r", rows)
        assert [one.end for one in sweep.tried] == [-12.0, -13.0, -15.0]

    def test_a_value_with_which_one_seed_diverged_has_no_end(self, tmp_path):
        rows = [*tried(ENDS, seed=0), *tried(ENDS | {0.03: None}, seed=1)]
        (sweep,), _ = found(tmp_path / "r", rows)
        assert lost(sweep) == [0.03, 0.3]
        assert sweep.best.value == 0.01

    def test_the_best_of_what_else_was_tried_counts(self, tmp_path):
        rows = [*tried(ENDS, centred=False), *tried({0.001: -9.0, 0.01: None, 0.3: -9.5}, centred=True)]
        (sweep,), _ = found(tmp_path / "r", rows)
        np.testing.assert_equal([one.end for one in sweep.tried], [-9.0, -11.0, -10.5, -12.0, -9.5])

    def test_what_nobody_could_run_says_nothing(self, tmp_path):
        rows = [*tried({0.1: -12.0, 0.01: -11.0}), undone(rate=1.0), undone("timeout", rate=0.5)]
        assert found(tmp_path / "r", rows)[0] == []


class TestBest:
    @pytest.mark.parametrize(
        ("ends", "edge"),
        [
            (ENDS, False),
            ({0.1: -10.0, 0.2: -11.0, 0.4: -12.0}, True),
            ({0.1: -12.0, 0.2: -11.0, 0.4: -10.0}, True),
            ({0.1: -12.0, 0.2: -11.0, 0.4: None}, False),
            ({0.1: None, 0.2: None, 0.4: None}, False),
        ],
    )
    def test_at_the_edge_of_what_was_tried(self, tmp_path, ends, edge):
        (sweep,), _ = found(tmp_path / "r", tried(ends))
        assert sweep.at_edge == edge

    def test_values_near_the_best_without_a_gap(self, tmp_path):
        ends = {1: -10.5, 2: -12.0, 3: -10.9, 4: -10.0, 5: -11.0, 6: None, 7: -10.1}
        (sweep,), _ = found(tmp_path / "r", tried(ends))
        assert sweep.near(1.0) == [3, 4, 5]

    def test_only_best_settings_of_those_that_are_swept_are_kept(self, tmp_path):
        rows = [*tried(ENDS), case(-13.0, estimator="SML-1", rate=0.1), case(-15.0, backend="reference")]
        kept = sweeps.best_settings(found(tmp_path / "r", rows)[1])
        assert {(r.estimator, r.backend, r.median) for r in kept} == {
            ("CD-1", "reference", -15.0), ("CD-1", "cpu", -10.5), ("SML-1", "cpu", -13.0),
        }  # fmt: skip
        assert len(kept) == 3

    def test_a_value_with_which_a_seed_diverged_is_not_the_best(self, tmp_path):
        rows = [*tried(ENDS, seed=0), *tried(ENDS | {0.03: None}, seed=1)]
        kept = sweeps.best_settings(found(tmp_path / "r", rows)[1])
        assert [r.median for r in kept] == [-11.0]

    def test_what_has_only_unsure_ends_stays(self, tmp_path):
        lost = [undone("timeout", rate=rate, seed=1) for rate in ENDS]
        sweep, results = found(tmp_path / "r", [*tried(ENDS), *lost])
        assert sweep[0].best.value == 0.03
        assert [r.median for r in sweeps.best_settings(results)] == [-10.5]
        rows = [*tried(ENDS), *tried(dict.fromkeys(ENDS), seed=1)]
        _, results = found(tmp_path / "s", rows)
        assert [r.median for r in sweeps.best_settings(results)] == [-10.5]

    def test_settings_are_the_same_on_all_backends(self, tmp_path):
        rows = [*tried(ENDS), *tried(ENDS | {0.03: -11.5}, backend="reference")]
        kept = sweeps.best_settings(found(tmp_path / "r", rows)[1])
        assert {(r.backend, r.median) for r in kept} == {("cpu", -10.5), ("reference", -11.5)}

    def test_how_ends_are_judged_and_sizes_are_not_tuned(self, tmp_path):
        rows = [*tried(ENDS, betas=1000), *tried({rate: -5.0 for rate in ENDS}, betas=2)]
        assert {r.settings["betas"] for r in sweeps.best_settings(found(tmp_path / "r", rows)[1])} == {
            1000.0, 2.0,
        }  # fmt: skip
        rows = [*tried(ENDS, hidden=8), *tried({rate: -5.0 for rate in ENDS}, hidden=16)]
        assert len(sweeps.best_settings(found(tmp_path / "s", rows)[1])) == 2

    def test_what_is_not_of_the_grid_plays_no_part(self, tmp_path):
        rows = [*tried(ENDS), case(-5.0, rate=0.05, hidden=500), case(-5.0, rate=None)]
        (sweep,), _ = found(tmp_path / "r", rows)
        assert [one.value for one in sweep.tried] == [0.001, 0.01, 0.03, 0.1, 0.3]

    def test_values_of_several_backends_are_no_grid(self, tmp_path):
        rows = [*tried({0.1: -12.0, 0.2: -10.0}), case(-11.0, rate=0.3, backend="reference")]
        sweep, results = found(tmp_path / "r", rows)
        assert sweep == []
        assert sweeps.best_settings(results) == results

    def test_what_is_done_without_an_end_is_no_value(self, tmp_path):
        assert found(tmp_path / "r", [case(None, rate=rate) for rate in ENDS])[0] == []

    def test_below_nothing_there_is_no_better(self, tmp_path):
        rows = [case(-10.0 - decay, decay=decay) for decay in (0.0, 0.1, 0.2)]
        (sweep,), _ = found(tmp_path / "r", rows)
        assert (sweep.best.value, sweep.at_edge) == (0.0, False)


class TestPage:
    def page(self, folder, rows):
        fill(folder, rows)
        return words(write(folder))

    def test_it_tells_the_best_value_and_those_near_it(self, tmp_path):
        rows = [*tried(ENDS), *tried({0.1: -11.0, 0.01: -13.0, 0.03: -12.5}, estimator="SML-1")]
        text = self.page(tmp_path / "r", rows)
        assert "What settings do" in text
        assert "CD-1 0.03 −10.50 0.01 to 0.03 0.001, 0.01, 0.03, 0.1, 0.3 0.3" in text
        assert "SML-1 0.1 −11.00 0.1 0.01, 0.03, 0.1" in text
        assert "that was tried, so that another may be better, for SML-1 (0.1)." in text

    def test_its_answer_and_curves_are_of_the_best_values(self, tmp_path):
        rows = [*tried(ENDS), case(-13.0, estimator="SML-1", rate=0.1)]
        text = self.page(tmp_path / "r", rows)
        assert "Best: CD-1, rate 0.03" in text
        assert "Next is SML-1, 2.50 nats below" in text
        others = "−12.00", "−11.00", "−14.00"
        assert all(f" {end} " in text for end in others)  # in the table of results
        svg = (tmp_path / "r" / "report.html").read_text("utf-8")
        described = svg.split('aria-label="Learning curves')[1].split('"')[0]
        assert "rate 0.03" in described
        assert "rate 0.01 " not in described

    def test_without_a_sweep_there_is_no_such_part(self, tmp_path):
        assert "What settings do" not in self.page(tmp_path / "r", [case()])

    def test_all_diverged(self, tmp_path):
        text = self.page(tmp_path / "r", tried(dict.fromkeys(ENDS)))
        assert "No finished case has a log-likelihood" in text
        assert "CD-1 – – –" in text
        assert "has no known end" in (tmp_path / "r" / "report.html").read_text("utf-8")

    def test_data_sets_of_like_names_have_a_figure_each(self, tmp_path):
        rows = [*tried(ENDS, dataset="my data.csv"), *tried(ENDS, dataset="my-data.csv")]
        self.page(tmp_path / "r", rows)
        assert len(list((tmp_path / "r" / "figures").glob("settings-*.svg"))) == 2

    def test_who_is_first_at_a_target_is_told_of_all(self, tmp_path):
        late, soon = (
            [{"target": -15.0, "reached": True, "seconds": s, "after": 0.1}] for s in (9.0, 1.0)
        )
        rows = tried({0.01: -10.0, 0.03: -10.5, 0.1: -11.0}, seconds_to_target=late)
        rows[1]["seconds_to_target"] = soon
        assert "First at −15 nats: CD-1, rate 0.03" in self.page(tmp_path / "r", rows)

    def test_two_settings_have_a_figure_each(self, tmp_path):
        rows = [case(-10.0 - n / 100, rate=rate, hidden=n) for rate in (0, 0.1, 0.2) for n in (8, 16, 64)]
        self.page(tmp_path / "r", rows)
        names = {path.stem for path in (tmp_path / "r" / "figures").glob("settings-*.svg")}
        assert names == {"settings-1-digits-rate", "settings-1-digits-hidden"}

    def test_nothing_leaves_the_figure(self, tmp_path):
        title = "a_data_set_with_a_name_that_is_longer_than_a_figure_is_wide.npz"
        rows = [
            row
            for e in range(12)
            for backend in ("reference", "cpu")
            for row in tried(
                {rate: end - e for rate, end in ENDS.items() if end}, dataset=title,
                estimator=f"estimator-{e}, one bit", backend=backend,
            )
        ]  # fmt: skip
        cases = tidy(load_table(fill(tmp_path / "r", rows)).rows)
        looks = style.Looks(tuple(dict.fromkeys(cases["estimator"])), ("reference", "cpu"))
        with style.applied():
            (part,) = sensitivity.sections(cases, sweeps.find(collect(cases)), looks)
            figure = part.drawings[0].figure
            figure.draw_without_rendering()
            box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(box.x0, box.y0) >= -0.01
        assert box.x1 <= width + 0.01
        assert box.y1 <= height + 0.01
        assert figure.axes[0].get_position().height > 0.3


class TestUnresolved:
    """Ends whose log Z nobody can tell: annealing that errs makes them too good."""

    FLATTERED = 30.0

    def rows(self, **fields):
        flattered = case(self.FLATTERED, rate=0.1, resolved=False, **fields)
        return [*tried({0.01: -11.0, 0.03: -10.5}, **fields), flattered]

    def test_they_are_not_the_best(self, tmp_path):
        (sweep,), results = found(tmp_path / "r", self.rows())
        assert [one.unresolved for one in sweep.tried] == [False, False, True]
        assert (sweep.best.value, sweep.at_edge) == (0.03, False)
        assert sweep.near(100.0) == [0.01, 0.03]
        assert [r.median for r in sweeps.best_settings(results)] == [-10.5]

    def test_of_two_ends_of_a_value_the_resolved_one_counts(self, tmp_path):
        others = tried({0.01: -13.0, 0.03: -13.0, 0.1: -12.0}, centred=True)
        rows = [*self.rows(centred=False), *others]
        (sweep,), _ = found(tmp_path / "r", rows)
        assert (sweep.tried[-1].value, sweep.tried[-1].end, sweep.tried[-1].sure) == (0.1, -12.0, True)

    def test_they_are_told_and_drawn_open(self, tmp_path):
        text = words(write(fill(tmp_path / "r", self.rows())))
        assert "CD-1 0.03 −10.50 0.01 to 0.03 0.01, 0.03, 0.1 0.1" in text
        assert "is an unresolved end" in text
        assert "Best: CD-1, rate 0.03" in text

    def test_none_is_resolved(self, tmp_path):
        rows = [case(-10.0 - rate, rate=rate, resolved=False) for rate in (0.1, 0.2, 0.3)]
        folder = fill(tmp_path / "r", rows)
        (sweep,) = sweeps.find(collect(tidy(load_table(folder).rows)))
        assert sweep.best is None
        assert "(unresolved)" in words(write(folder))
