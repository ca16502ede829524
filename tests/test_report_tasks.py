"""Reports of every task from synthetic rows, first of all those that train no model."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import synthetic
from test_report import words

from ebmbench.report import cases, style, tasks, text, write
from ebmbench.report.section import Left
from ebmbench.report.tasks import consistency, gradient, sample, steps
from ebmbench.report.tasks.fits import slope

HEADINGS = {
    "train": ("Learning curves", "Time to each target", "Results"),
    "deep": ("Deep models",),
    "gradient": ("Gradient accuracy",),
    "log_z": ("Partition functions",),
    "sample": ("Samplers",),
    "consistency": ("Consistency",),
}
MAKE = {
    "train": synthetic.trained,
    "deep": synthetic.deep,
    "gradient": synthetic.gradients,
    "log_z": synthetic.log_zs,
    "sample": synthetic.samples,
    "consistency": synthetic.consistency,
}


def page_of(tmp_path, rows):
    """The text of the page, which must hold no trace of a missing number."""
    seen = words(write(synthetic.fill(tmp_path / "r", rows)))
    assert not re.search(r"\b(nan|None|inf|NaN|NaT|<NA>)\b", seen), seen
    return seen


def headings(tmp_path):
    html = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", html)


def section_of(task, rows):
    """The section that a task's module makes of rows."""
    frame = cases.split(pd.DataFrame(rows))
    found = tasks.tidy(frame)
    estimators = tuple(dict.fromkeys(str(row.get("estimator")) for row in rows))
    with style.applied():
        looks = style.Looks(estimators, ("cpu",))
        (section,) = tasks.sections(found, looks, Left(pd.DataFrame({"key": []}), Path()))
    assert section.cases is not None
    return section


def without(rows, *fields):
    """The rows with these fields null in every other one, and absent in the rest."""
    return [
        {k: v for k, v in row.items() if k not in fields} | (dict.fromkeys(fields) if i % 2 else {})
        for i, row in enumerate(rows)
    ]


class TestPage:
    def test_every_task_has_its_part(self, tmp_path):
        seen = page_of(tmp_path, synthetic.everything())
        found = headings(tmp_path)
        for names in HEADINGS.values():
            assert set(names) <= set(found)
        assert "2 cases are not done" in seen
        assert seen.count("no GPU here") == 2

    @pytest.mark.parametrize("task", MAKE)
    def test_no_part_without_rows(self, tmp_path, task):
        page_of(tmp_path, MAKE[task]())
        others = [name for other, names in HEADINGS.items() if other != task for name in names]
        assert set(HEADINGS[task]) <= set(headings(tmp_path))
        assert not set(others) & set(headings(tmp_path))

    @pytest.mark.parametrize("task", MAKE)
    def test_cases_of_which_none_ran(self, tmp_path, task):
        rows = synthetic.unavailable(MAKE[task]())
        seen = page_of(tmp_path, rows)
        assert f"0 of {len(rows)} cases are done." in seen
        assert seen.count("no GPU here") == len(rows)
        assert set(HEADINGS[task][:1]) <= set(headings(tmp_path))
        assert list((tmp_path / "r" / "figures").iterdir()) == []

    @pytest.mark.parametrize("task", MAKE)
    def test_a_single_row(self, tmp_path, task):
        page_of(tmp_path, MAKE[task]()[:1])

    @pytest.mark.parametrize(
        ("task", "missing"),
        [
            ("gradient", ["gradient_norm"]),
            ("gradient", ["bias_std_error", "cosine", "step_s_low", "settings", "temperature"]),
            ("gradient", ["step_s", "variance"]),
            ("log_z", ["error", "truth"]),
            ("log_z", ["seconds", "ess", "std_error", "settings"]),
            ("sample", ["total_variation", "total_variation_floor", "total_variation_floor_ess"]),
            ("sample", ["total_variation_floor", "r_hat", "ess_per_s", "swap_rate", "sample_s"]),
            ("consistency", ["kl", "parameter_error"]),
            ("consistency", ["learned_log_z", "seed", "settings", "estimator"]),
            ("train", ["seconds_to_target", "gain", "verdict", "resolved", "gap"]),
            ("train", ["train_s", "log_likelihood_reverse", "gap", "samples", "std_error"]),
            ("deep", ["std_error", "train_s", "images_per_s", "stages", "seconds_to_target", "verdict"]),
            ("deep", ["memory_peak", "memory_before", "measure", "hidden", "n_test", "wrong"]),
            ("deep", ["bound", "error", "parzen"]),
            ("deep", ["gap", "bound_reverse", "resolved", "log_z_schedule", "baseline_mixture"]),
            ("deep", ["caveat", "recipe", "settings", "dataset"]),
            ("deep", ["parzen_sigma", "mmd_squared", "mmd_p_value", "nearest_median", "parzen_train"]),
            *((task, ["backend", "device", "machine", "seed"]) for task in MAKE if task != "train"),
        ],
    )  # fmt: skip
    @pytest.mark.filterwarnings("error")
    def test_missing_fields(self, tmp_path, task, missing):
        page_of(tmp_path, without(MAKE[task](), *missing))

    def test_every_figure_is_a_file_with_a_caption_and_a_description(self, tmp_path):
        page_of(tmp_path, synthetic.everything())
        html = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
        files = list((tmp_path / "r" / "figures").glob("*.svg"))
        assert len(files) == html.count("<figure>") == html.count("<figcaption>") == 2 + 3 + 2 + 2 + 2 + 4
        assert len(re.findall(r'role="img" aria-label="[^"]{30,}"', html)) == len(files)
        for file in files:
            ElementTree.parse(file)
            assert file.with_suffix(".png").is_file()

    def test_a_task_that_is_not_known_is_said(self, tmp_path):
        seen = page_of(tmp_path, [synthetic.common(0, "paint", model="m", method="brush")])
        assert "no figures for the 1 row of this task" in seen

    def test_a_case_that_was_run_again_counts_once(self, tmp_path):
        rows = synthetic.gradients(temperatures=(1.0,))
        again = [row | {"key": f"new{i}", "code_version": "f", "attempt": "2026-02-02T00:00:00+00:00"}
                 for i, row in enumerate(rows)]  # fmt: skip
        seen = page_of(tmp_path, rows + again)
        assert "7 of 7 cases are done." in seen
        assert "7 older rows" in seen

    def test_many_models_are_not_all_drawn(self, tmp_path):
        models = [f"model {i}" for i in range(20)]
        seen = page_of(tmp_path, synthetic.log_zs(models, seeds=1))
        assert "The first 12 of 20 models are drawn; the table has them all." in seen
        assert "12 more in the table below." in seen
        assert len(list((tmp_path / "r" / "figures").glob("*.svg"))) == 12

    def test_names_are_escaped(self, tmp_path):
        evil = "<script>alert('x')</script>"
        rows = [row | {"model": evil} for row in synthetic.gradients()]
        rows += [row | {"family": evil, "estimator": evil} for row in synthetic.consistency()]
        assert evil in page_of(tmp_path, rows)
        assert "alert('x')" not in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


class TestGradients:
    def test_the_error_is_that_of_averaging(self):
        rows = synthetic.gradients(temperatures=(1.0,))
        (entry,) = gradient.collect(gradient.KIND.tidy(pd.DataFrame(rows[1:2])))
        assert entry.error(2.2e-4) == pytest.approx(np.hypot(0.11, 0.33))
        assert entry.error(2.2e-2) == pytest.approx(np.hypot(0.11, 0.033))
        assert entry.error(1e9) == pytest.approx(0.11, rel=1e-6)
        assert entry.biased
        assert not entry.exact

    def test_the_answer_after_a_second(self):
        rows = synthetic.gradients(temperatures=(1.0,))
        kept = [row for row in rows if row["estimator"] in ("CD-1", "CD-10", "CD-100", "exact")]
        found = section_of("gradient", kept).answer
        assert found.headline == "Closest to the exact gradient after 1 s of averaging: CD-100"
        (sentence,) = found.sentences
        assert "CD-100 errs by 1.9\u00a0%, then CD-10 errs by 11\u00a0%;" in sentence
        assert "the quickest, CD-1 at 40 µs, errs by 41\u00a0%" in sentence

    def test_a_bias_that_is_not_seen_is_a_limit(self):
        found = section_of("gradient", synthetic.gradients(temperatures=(1.0,)))
        text_of = {row[1].text: row[2].text for row in found.sheets[0].rows}
        assert text_of["SML-1"] == "< 1.2\u00a0%"
        assert text_of["CD-1"] == "41\u00a0%"
        assert text_of["exact"] == "exact"
        assert "in an order that the replicates do not settle" in found.answer.sentences[0]

    def test_a_bias_of_persistent_chains_is_not_called_proven(self):
        rows = synthetic.gradients(temperatures=(1.0,))
        independent = section_of("gradient", rows)
        assert "independent" not in independent.drawings[0].caption
        assert not any("apparent" in line for line in independent.method)
        for row in rows:
            row |= {"persistent": row["estimator"] in ("SML-1", "PT-10"), "restarts": 4}
            row["bias"] *= 1 if row["estimator"] != "SML-1" else 0
            row["bias"] += 0.1 * (row["estimator"] == "SML-1")
        found = section_of("gradient", rows)
        told = (
            "The replicates of SML-1 and PT-10 are not independent: they follow each other in the same "
        )
        assert told + "chains, 10 steps apart, in 4 independent runs. Slow" in found.drawings[0].caption
        assert any(line.startswith(told) for line in found.method)
        cells = {row[1].text: row[2] for row in found.sheets[0].rows}
        assert cells["SML-1"].note.endswith("(apparent)")
        assert cells["PT-10"].text == "< 1 % (apparent)"
        assert "apparent" not in cells["CD-1"].text + cells["CD-1"].note
        assert "levels out at 5 % (apparent)" in found.drawings[0].alt

    def test_a_gradient_that_takes_longer_than_a_second(self):
        rows = [row | {"step_s": 3.0} for row in synthetic.gradients(temperatures=(1.0,))[:2]]
        found = section_of("gradient", rows)
        assert "after its first gradient, which takes 3 s" in found.answer.sentences[0]
        assert found.sheets[0].rows[0][4].text == text.MISSING


class TestLogZ:
    def test_the_cheapest_within_a_nat(self):
        found = section_of("log_z", synthetic.log_zs(models=["m"])).answer
        assert found.headline == "Cheapest estimate within 1 nat of log Z: bridge"
        model, sides = found.sentences
        assert "bridge with 100 temperatures is within 1 nat with every seed after 4 ms" in model
        assert re.search(r"AIS below it in \d+ of 20 and reverse AIS above it in \d+ of 20", sides)

    def test_one_seed_far_off_is_enough_to_fail(self):
        rows = [row for row in synthetic.log_zs(models=["m"]) if row["settings"].get("betas") == 100]
        rows = [row for row in rows if row["method"] == "bridge"]
        rows[0]["error"] = 1.5
        assert "No method comes within 1 nat" in section_of("log_z", rows).answer.headline

    def test_hundreds_of_nats(self, tmp_path):
        seen = page_of(tmp_path, synthetic.log_zs(scale=9000.0, seeds=1))
        assert re.search(r"−\d{3}\.\d\d", seen)

    def test_the_exact_method_wins_nothing(self):
        rows = [row for row in synthetic.log_zs() if row["method"] == "exact"]
        assert "No finished case has an estimate" in section_of("log_z", rows).answer.headline

    @pytest.mark.parametrize(
        ("betas", "schedule", "wanted"),
        [
            ("1000", "nan", 1000),
            ("paper", "paper (500 on [0, 0.5], 4000 on [0.5, 0.9], 10000 on [0.9, 1])", 14_500),
            ("paper", "nan", np.nan),
            ("adaptive", "adaptive (2345 on [0, 1] after 7 rounds)", 2345),
            ("nan", "linear (1000 on [0, 1])", 1000),
            ("nan", "nan", np.nan),
        ],
    )
    def test_temperatures(self, betas, schedule, wanted):
        np.testing.assert_equal(steps.temperatures(betas, schedule), wanted)

    def test_a_truth_that_was_published_is_named(self):
        rows = [row | {"truth_source": "A Paper, by AIS"} for row in synthetic.log_zs(models=["m"])]
        found = section_of("log_z", rows)
        (drawing,) = found.drawings
        assert "taken from is not exact, but from A Paper, by AIS." in drawing.caption
        best, sides = found.answer.sentences
        assert best.endswith(" nats off the log Z from A Paper, by AIS.")
        assert sides.startswith("Single runs against the log Z from A Paper, by AIS: ")
        assert "by enumeration; on m it is not, but from A Paper, by AIS." in found.method[0]
        assert found.sheets[0].rows[0][0].note == "against the log Z from A Paper, by AIS"

    @pytest.mark.parametrize("status", ["failed", "timeout"])
    def test_seeds_that_did_not_finish_count(self, status):
        rows = [row for row in synthetic.log_zs(models=["m"]) if row["settings"].get("betas") == 100]
        rows = [row for row in rows if row["method"] == "bridge"]
        assert section_of("log_z", rows).answer.headline.endswith(": bridge")
        rows[0] |= {"status": status, "error": None, "log_z": None, "seconds": None}
        found = section_of("log_z", rows)
        assert found.answer.headline.startswith("No method comes within 1 nat")
        assert "off, though 1 of 5 seeds did not finish." in found.answer.sentences[0]
        (row,) = found.sheets[0].rows
        assert (row[3].text, row[3].note) == ("4", "of 5")
        rows[0]["status"] = "unavailable"  # nobody tried
        assert section_of("log_z", rows).answer.headline.endswith(": bridge")

    def test_seeds_that_adapt_their_temperatures_are_kept_together(self):
        rows = synthetic.log_zs(models=["m"])[:5]
        for seed, row in enumerate(rows):
            row |= {
                "settings": {"betas": "adaptive"},
                "log_z_schedule": f"adaptive ({900 + seed} on [0, 1])",
            }
        (row,) = section_of("log_z", rows).sheets[0].rows
        assert (row[2].text, row[3].text) == ("902", "5")

    def test_how_walks_back_began_is_shown(self):
        rows = [row for row in synthetic.log_zs(models=["m"]) if row["settings"].get("betas") == 100]
        assert "Walks back start from" not in section_of("log_z", rows).sheets[0].columns
        for row in rows:
            if row["method"] == "reverse_ais":
                row["log_z_start"] = f"parallel tempering (swap rates from 0.4{row['seed'] // 4})"
        sheet = section_of("log_z", rows).sheets[0]
        began = {row[1].text: (row[-1].text, row[-1].note) for row in sheet.rows}
        start = "parallel tempering (swap rates from 0.40)"
        assert began["reverse AIS"] == (start, "and 1 more like it")
        assert began["AIS"] == (text.MISSING, "")


class TestSamplers:
    def test_a_stuck_sampler_does_not_win(self):
        rows = synthetic.samples(temperatures=(0.25,))
        rows[0]["ess_per_s"] = 1e9
        found = section_of("sample", rows).answer
        assert found.headline.endswith(": PT, temperatures 10")
        assert "not at the exact distribution: Gibbs" in found.sentences[0]

    def test_chains_that_disagree_are_not_called_wrong_where_nobody_knows_the_law(self):
        rows = synthetic.samples(temperatures=(0.25,))
        for row in rows:
            row |= {"r_hat": 1.5, "total_variation": None, "total_variation_floor": None}
        said = section_of("sample", rows).answer.sentences[0]
        assert "chains still apart: Gibbs" in said
        assert "not at the exact distribution" not in said

    def test_the_floor_of_the_effective_samples_counts(self):
        """A sampler whose draws depend on each other, but are of the right distribution, is sound."""
        rows = synthetic.samples(temperatures=(1.0,))
        for row, sound in ((rows[1], True), (rows[1] | {"total_variation": 0.012}, False)):
            (judged,) = sample.collect(sample.KIND.tidy(pd.DataFrame([row])).query("status == 'done'"))
            assert judged.off != sound

    def test_a_sampler_of_which_nobody_knows_whether_it_mixes_does_not_win(self):
        rows = synthetic.samples(temperatures=(1.0,))
        rows[0] |= {"ess_per_s": 1e9, "r_hat": None}
        found = section_of("sample", rows).answer
        assert "Gibbs" not in found.headline
        assert found.sentences[0].endswith("; not known to mix: Gibbs.")
        others = [row | {"seed": 1, "r_hat": 1.0} for row in rows]  # the median of both is not known
        assert section_of("sample", rows + others).answer.headline == found.headline

    def test_the_right_distribution_is_claimed_only_where_it_was_looked_at(self):
        rows = synthetic.samples(temperatures=(1.0,))
        assert "at the right distribution" in section_of("sample", rows).answer.headline
        rows = without(rows, "total_variation")
        found = section_of("sample", rows).answer
        assert found.headline == "Most effective samples a second, among chains that agree: Gibbs"
        assert "nobody held its draws against the exact distribution" in found.sentences[0]

    def test_swap_rates_and_r_hat(self, tmp_path):
        seen = page_of(tmp_path, synthetic.samples())
        assert "0.31 lowest 0.25" in seen
        assert "1.210 apart" in seen


class TestSlopes:
    @pytest.mark.parametrize("power", [-1.0, -0.5, 0.3])
    def test_an_exact_power_law(self, power):
        n = np.tile([100.0, 1000.0, 10_000.0], 2)
        seed = np.repeat([0, 1], 3)
        found = slope(pd.DataFrame({"n": n, "error": (1 + seed) * n**power, "seed": seed}))
        assert (found.value, found.low, found.high) == pytest.approx((power,) * 3)
        assert found.agrees(power)
        assert not found.agrees(power + 0.01)

    def test_the_interval_is_students(self):
        n = np.tile([1.0, np.e], 3)
        error = np.exp([0.0, -1.0, 0.0, -1.2, 0.0, -0.8])
        found = slope(pd.DataFrame({"n": n, "error": error, "seed": [0, 0, 1, 1, 2, 2]}))
        half = 4.302653 * 0.2 / np.sqrt(3)  # the 97.5 % quantile with two degrees of freedom
        assert (found.value, found.low, found.high) == pytest.approx((-1.0, -1.0 - half, -1.0 + half))

    def test_one_seed_has_a_slope_but_no_interval(self):
        found = slope(pd.DataFrame({"n": [10.0, 100.0], "error": [1.0, 0.1], "seed": [0, 0]}))
        assert found.text == "−1.00 (1 seed, no interval)"
        assert found.agrees(-1.0) is None

    def test_one_size_has_no_slope(self):
        found = slope(pd.DataFrame({"n": [10.0, 10.0], "error": [1.0, 0.1], "seed": [0, 1]}))
        assert np.isnan(found.value)

    def test_they_are_on_the_page(self, tmp_path):
        seen = page_of(tmp_path, synthetic.consistency(noise=0.0))
        assert "Errors fall as theory says: every interval of 7 slopes holds its exponent." in seen
        assert "RBM exact KL divergence, nats 5 −1.00 [−1.00, −1.00] 1/n 100,000 0.000100" in seen
        assert "score matching error of the parameters 5 −0.50 [−0.50, −0.50] 1/√n" in seen
        assert "with 100,000 rows the learned log Z is off from the exact one" in seen

    def test_an_estimator_that_is_not_consistent_is_named(self):
        rows = synthetic.consistency(noise=0.01)
        for row in rows:
            if row["estimator"] == "ratio matching":
                row["kl"] = 0.1
        found = section_of("consistency", rows).answer
        assert found.headline == "Falling more slowly than theory says: ratio matching (RBM)"

    def test_faster_than_theory_is_not_called_failing(self):
        rows = synthetic.consistency(noise=0.01)
        for row in rows:
            if row["estimator"] == "ratio matching":
                row["kl"] = row["kl"] ** 1.1
        found = section_of("consistency", rows).answer
        assert found.headline.startswith("Errors fall at least as fast as theory says")
        assert found.headline.endswith(": ratio matching (RBM)")

    def test_kl_that_is_zero_or_less_has_no_logarithm(self, tmp_path):
        rows = synthetic.consistency()
        for row in rows[::3]:
            row["kl"] = row["kl"] and -row["kl"]
        left = sum(row["family"] == "rbm" for row in rows[::3])
        seen = page_of(tmp_path, rows)
        assert f"; {left} of {len(rows)} fits are left out." in seen
        assert f"Left out are {left} of 80 fits, which did not finish or left no finite error" in seen

    @pytest.mark.parametrize("status", ["diverged", "timeout"])
    def test_fits_that_did_not_finish_are_counted(self, tmp_path, status):
        rows = synthetic.consistency(noise=0.0)
        broken = [row for row in rows if row["estimator"] == "ratio matching"][:3]
        for row in broken:
            row |= {"status": status, "reason": "too bad", "kl": None}
        seen = page_of(tmp_path, rows)
        assert f"holds its exponent; 3 of {len(rows)} fits are left out." in seen
        assert "Left out are 3 of 80 fits" in seen
        assert "could be taken: 3 of ratio matching." in seen

    def test_a_family_of_which_nothing_finished_is_counted(self):
        rows = [row | {"status": "diverged", "kl": None} for row in synthetic.consistency(seeds=1)
                if row["family"] == "rbm"]  # fmt: skip
        found = section_of("consistency", rows).answer
        assert found.headline == "No finished case has an error; 16 of 16 fits are left out"

    def test_seeds_are_kept_apart(self):
        tidy = consistency.KIND.tidy(pd.DataFrame(synthetic.consistency()))
        assert len(tidy) == len(synthetic.consistency())
