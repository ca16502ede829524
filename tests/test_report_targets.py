"""How the report tells of targets, gains and unresolved log-likelihoods of trained models."""

import numpy as np
import pandas as pd
import pytest
import synthetic
from test_report import words

from ebmbench.harness.table import load_table
from ebmbench.report import cases, text, write
from ebmbench.report.training import targets
from ebmbench.report.training.reached import reached
from ebmbench.report.training.results import collect


def page_of(tmp_path, rows):
    return words(write(synthetic.fill(tmp_path / "r", rows)))


class TestTargets:
    def group(self, *times, train_s=50.0):
        frame = pd.DataFrame({"seconds_to_target": list(times), "train_s": train_s})
        return reached(frame)

    def test_the_median_of_reached_seeds(self):
        times = [synthetic.to_targets(s, None, None) for s in (1.0, 5.0, 3.0)]
        found = self.group(*times)
        assert list(found) == [-86.34, -90.0, -100.0]
        assert (found[-100.0].text, found[-100.0].count) == ("by 3 s", 3)
        assert (found[-90.0].text, found[-90.0].count) == ("> 123 s", 0)

    def test_a_target_may_lie_below_the_start(self):
        assert self.group(synthetic.to_targets(0.0, None, None))[-100.0].text == "from the start"

    def test_most_seeds_decide(self):
        times = [synthetic.to_targets(s, targets=[-1.0]) for s in (1.0, 5.0, None)]
        assert self.group(*times)[-1.0].text == "by 5 s"
        assert self.group(*times[1:])[-1.0].text == "> 61.5 s"  # the median exceeds (0 + 123) / 2

    def test_a_time_lies_between_two_looks(self):
        times = [
            synthetic.to_targets(s, targets=[-1.0], after=a) for s, a in ((46.0, 31.0), (50.0, 40.0))
        ]
        assert self.group(times[0])[-1.0].text == "31 to 46 s"
        assert self.group(*times)[-1.0].text == "35.5 to 48 s"
        assert (
            self.group(synthetic.to_targets(2.0, targets=[-1.0], after=0.5))[-1.0].text == "500 ms to 2 s"
        )
        assert self.group(synthetic.to_targets(2.0, targets=[-1.0], after=0.0))[-1.0].text == "by 2 s"
        never = synthetic.to_targets(None, targets=[-1.0])
        assert self.group(times[0], never)[-1.0].text == "> 77 s"  # the median exceeds (31 + 123) / 2

    @pytest.mark.parametrize(("after", "settled"), [(96.0, True), (90.0, False), (None, False)])
    def test_looks_that_lie_too_far_apart_settle_no_order(self, after, settled):
        rows = [row for row in synthetic.trained(seeds=1) if row["estimator"] in ("PT-10", "CD-1")]
        rows[1]["seconds_to_target"] = synthetic.to_targets(100.0, 100.0, 100.0, after=after)
        (found,) = targets.fastest(collect(cases.tidy(pd.DataFrame(rows))))
        assert ("in an order that the looks do not settle" in found) != settled

    def test_nobody_is_first_where_all_start(self):
        rows = [row for row in synthetic.trained(seeds=1) if row["estimator"] in ("PT-10", "CD-1")]
        for row in rows:
            row["seconds_to_target"] = synthetic.to_targets(0.0, targets=[-100.0], after=0.0)
        (found,) = targets.fastest(collect(cases.tidy(pd.DataFrame(rows))))
        assert "starts above −100 nats, so nobody is first there" in found

    def test_a_seed_that_failed_never_reached_it(self):
        found = self.group(synthetic.to_targets(1.0, targets=[-1.0]), None, None)[-1.0]
        assert (found.count, found.text) == (1, "> 50 s")
        unknown = self.group(synthetic.to_targets(None, targets=[-1.0], tried=None), train_s=np.nan)
        assert unknown[-1.0].text == text.MISSING

    def test_the_ranking(self, tmp_path):
        folder = synthetic.fill(tmp_path / "r", synthetic.trained())
        results = collect(cases.tidy(load_table(folder).rows))
        sheet = targets.ranking("binarized_mnist", results)
        assert [row[0].text for row in sheet.rows] == ["PT-10", "CD-1", "ratio matching", "SML-1"]
        assert sheet.columns[2:5] == ["To −100 nats", "To −90 nats", "To −86.34 nats"]
        hardest = [row[4] for row in sheet.rows]
        assert [cell.text for cell in hardest] == ["by 106 s", "> 123 s", "> 123 s", "by 66 s"]
        assert sorted(hardest, key=lambda cell: cell.value) == hardest  # as the page's script sorts
        assert [cell.note for cell in sheet.rows[3][2:5]] == ["3 of 3 unresolved"] * 3
        assert sheet.rows[2][6].note == "no gain (3 of 3)"

    def test_a_late_one_is_sorted_before_one_that_gave_up_early(self, tmp_path):
        rows = [row for row in synthetic.trained(seeds=1) if row["estimator"] in ("PT-10", "CD-1")]
        rows[0]["seconds_to_target"] = synthetic.to_targets(300.0, 400.0, 500.0)
        folder = synthetic.fill(tmp_path / "r", rows)
        sheet = targets.ranking("", collect(cases.tidy(load_table(folder).rows)))
        assert [row[4].text for row in sheet.rows] == ["by 500 s", "> 123 s"]
        assert sheet.rows[0][4].value < sheet.rows[1][4].value

    def test_the_page(self, tmp_path):
        seen = page_of(tmp_path, synthetic.trained())
        assert (
            "First at −86.34 nats: PT-10 (by 106 s), then SML-1 (by 66 s, its end is unresolved)." in seen
        )
        assert "No gain (less than 1 nat above base rates): ratio matching." in seen
        assert "Best: PT-10, −86.80 nats per test row by the lower of forward and reverse AIS." in seen
        assert "(−86.80 against −140.00)" in seen
        assert seen.count("unresolved, gap 7.40 nats") == 2
        assert "An open marker is an unresolved end" in seen
        assert "the lower of both ways stands below: that is what ranks the estimators." in seen
        assert "−86.50 [−86.90, −86.10] lower of both ways −86.80" in seen

    def test_nobody_reaches_the_hardest(self, tmp_path):
        rows = [row for row in synthetic.trained() if row["estimator"] == "CD-1"]
        assert "CD-1 (by 5.5 s); nobody reaches −86.34 or −90." in page_of(tmp_path, rows)

    def test_an_unresolved_end_reaches_nothing(self, tmp_path):
        rows = [row for row in synthetic.trained(seeds=1) if row["estimator"] in ("SML-1", "CD-1")]
        seen = page_of(tmp_path / "both", rows)
        assert (
            "First at −100 nats: CD-1 (by 5 s), then SML-1 (by 2.1 s, its end is unresolved); "
            "only SML-1 (by 60 s, its end is unresolved) reaches −86.34; only"
        ) in seen
        seen = page_of(tmp_path / "alone", rows[:1])
        said = "−92.60 nats per test row by the lower of forward and reverse AIS (unresolved)"
        assert f"Best: SML-1, {said}." in seen
        assert "No resolved end reaches a target: only SML-1 (by 60 s, its end" in seen
        assert "beats independent pixels on the test rows by 113.70 nats (−92.60 against" in seen

    def test_a_gain_that_reverse_ais_takes_back_is_none(self, tmp_path):
        rows = synthetic.trained(seeds=1)[1:2]
        rows[0] |= {"log_likelihood": -204.0, "log_likelihood_reverse": -206.0}
        (found,) = collect(cases.tidy(load_table(synthetic.fill(tmp_path / "r", rows)).rows))
        assert found.gain == pytest.approx(0.3)
        assert found.no_gains == 1

    def test_seeds_without_a_gain_are_counted(self, tmp_path):
        rows = synthetic.trained(seeds=2)[:2]
        for row, nats in zip(rows, (-206.0, -150.0), strict=True):
            row |= {"estimator": "CD-1", "backend": "cpu", "log_likelihood": nats}
            row |= {"log_likelihood_reverse": nats, "seed": rows.index(row)}
        assert "1 nat above base rates): CD-1 (with 1 of 2 seeds)." in page_of(tmp_path, rows)

    def test_many_targets_are_not_drawn(self, tmp_path):
        many = [-100.0 - i for i in range(9)]
        rows = [row | {"seconds_to_target": synthetic.to_targets(*[1.0] * 9, targets=many)}
                for row in synthetic.trained()]  # fmt: skip
        assert "To −108 nats" in page_of(tmp_path, rows)
