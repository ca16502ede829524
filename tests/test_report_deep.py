"""The part of the page about deep models, from synthetic rows."""

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
import synthetic
from test_report_speed import table_of
from test_report_tasks import page_of

from ebmbench.report import text, write
from ebmbench.report.deep import entries, published
from ebmbench.report.deep.entries import collect
from ebmbench.report.tasks.deep import KIND


def tidy(rows):
    return collect(KIND.tidy(pd.DataFrame(rows)))


def tables(tmp_path):
    """The tables of the section by their names, a list of cells each row."""
    html = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    html = html[html.index(">Deep models</h2>") :].split("</section>")[0]
    strip = re.compile(r"<[^>]+>")
    found = {}
    for table in html.split("<table")[1:]:
        name = re.search(r"<caption>(.*?)</caption>", table)[1]
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        found[name] = [
            [
                " ".join(unescape(strip.sub(" ", c)).split())
                for c in re.findall(r"<t[hd].*?</t[hd]>", r, re.DOTALL)
            ]
            for r in rows
        ]
    return found


def test_quality_stands_with_its_uncertainty_its_estimate_and_what_is_published(tmp_path):
    page_of(tmp_path, synthetic.deep(seeds=1))
    found = tables(tmp_path)
    head, dbn, dbm = found["binarized_mnist: quality"]
    assert head == ["Model", "Backend", "Quality", "Estimated", "Others get", "Published"]
    # The lower of the two ways of annealing is what is told, and decides the order.
    assert dbn[:4] == [
        "DBN 500-2000, SML-1", "cpu", "−87.30 ± 0.10 nats bound",
        "log Z by AIS, paper (14500 on [0, 1]); resolved, gap 0.20 nats",
    ]  # fmt: skip
    assert dbn[4:] == ["independent pixels −206.30, mixture of 10 −140.00", text.MISSING]
    assert dbm[3].endswith("unresolved, gap 5.30 nats")
    assert dbm[5] == (
        "DBM of 2 layers: at least −84.62 (Salakhutdinov & Hinton 2009); "
        "not reached for certain, as log Z is unresolved"
    )
    _, mlp_like, *rest = sorted(found["mnist: quality"], key=lambda row: row[0] != "Model")
    rows = {row[0]: row for row in [mlp_like, *rest]}
    assert rows["MLP 512-512, relu"][2:4] == [
        "1.52 ± 0.10 % wrong", "152 of 10,000 test rows; ± is binomial"
    ]  # fmt: skip
    assert rows["MLP 512-512, relu"][5] == ("network: 1.60 % (Salakhutdinov & Hinton 2009); reached")
    assert rows["DBM 500-1000, pre-trained, fine-tuned"][5] == (
        "DBM of 2 layers: 0.95 % (Salakhutdinov & Hinton 2009); not reached, by 0.07 %"
    )
    gan = rows["GAN, G 256, D 256, non-saturating"]
    assert gan[2] == "231.0 ± 1.9 nats Parzen window"
    assert gan[3].startswith(
        "10,000 samples, σ 0.20; MMD² 0.0021 (p = 0.002); nearest training row at 5.10"
    )
    assert gan[4] == "training rows 240.1, centres of k-means 262.0"
    assert gan[5] == "GAN: 225.0 ± 2.0 nats (Goodfellow et al. 2014); reached"


def test_seconds_memory_and_targets_stand_in_a_table_each_measure(tmp_path):
    page_of(tmp_path, synthetic.deep(seeds=1))
    found = tables(tmp_path)
    head, dbn, dbm = found["binarized_mnist: models of the data, what it took"]
    assert head == [
        "Model", "Backend", "Training", "Images a second", "Peak memory", "To −100 nats", "To −90 nats",
        "To −86.34 nats",
    ]  # fmt: skip
    assert dbn[2:] == [
        "300 s", "20,000", "600 MiB 400 MiB before", "1 to 30 s", "1 to 150 s", "> 123 s"
    ]  # fmt: skip
    assert dbm[5].endswith("unresolved")
    head, *rows = found["mnist: classifiers, what it took"]
    assert head[5:] == ["To 2 %", "To 0.95 %"]
    assert rows[0][5:] == ["by 12 s", "> 60 s"]
    head, *rows = found["binarized_mnist: stages"]
    assert rows[0] == ["DBN 500-2000, SML-1", "cpu", "layer 1 of 2", "50", "75 s", "50,000"]
    assert len(rows) == 4


def test_seeds_are_taken_together(tmp_path):
    page_of(tmp_path, synthetic.deep(seeds=3))
    row = tables(tmp_path)["binarized_mnist: quality"][1]
    assert row[2] == "−87.50 ± 0.12 nats bound, 3 seeds [−87.70, −87.30]"
    (dbn, *_) = tidy(synthetic.deep(seeds=3))
    assert dbn.best_key == dbn.keys[0]
    assert (dbn.seeds, dbn.resolved, dbn.unresolved) == (3, 3, 0)


def test_the_answer_names_the_best_of_each_measure_and_the_caveat(tmp_path):
    seen = page_of(tmp_path, synthetic.deep(seeds=1))
    assert "5 models trained end to end: DBN, DBM, MLP and GAN" in seen
    assert "Best bound on binarized_mnist: DBN 500-2000, SML-1, −87.30 ± 0.10 nats per test row" in seen
    assert "Fewest errors on mnist: DBM 500-1000, pre-trained, fine-tuned, 1.02 ± 0.10 %" in seen
    assert seen.count("Theis: beware of Parzen.") == 1


def test_a_winner_within_its_noise_is_not_called_one(tmp_path):
    rows = synthetic.deep(seeds=1)
    best = min((row for row in rows if row["measure"] == "error"), key=lambda row: row["error"])
    for key, recipe, errors in (("x", "MLP 7-7", 2.0), ("y", "MLP 8-8", 4.0)):
        rows.append(
            best | {"key": key, "recipe": recipe, "error": best["error"] + errors * best["std_error"]}
        )
    assert "on cpu; not told apart from MLP 7-7." in page_of(tmp_path, rows)


def test_a_model_that_gains_nothing_is_named(tmp_path):
    rows = synthetic.deep(seeds=1)
    rows[0] |= {"verdict": "no gain", "bound": -206.0}
    seen = page_of(tmp_path, rows)
    assert "No gain over a model that knows nothing: DBN 500-2000, SML-1." in seen
    assert "−206.00 ± 0.10 nats bound, no gain" in seen


def test_the_uncertainty_of_seeds_that_differ_is_theirs(tmp_path):
    """One of two learned nothing: no row's own binomial stands beside the median of both."""
    rows = [row for row in synthetic.deep(seeds=2) if row["measure"] == "error"]
    first, second = (row for row in rows if row["recipe"] == rows[0]["recipe"])
    first |= {"error": 0.1}
    second |= {"error": 0.9, "verdict": "no gain"}
    seen = page_of(tmp_path, [first, second])
    row = tables(tmp_path)["mnist: quality"][1]
    assert row[2] == "50.00 ± 40.00 % wrong, 2 seeds [10.00 %, 90.00 %], no gain"
    assert "test rows a seed; ± is binomial or, if larger, of the seeds' mean" in row[3]
    assert f"nothing: {first['recipe']} (with 1 of 2 seeds)." in seen


def test_backends_have_a_row_each_and_share_no_line(tmp_path):
    rows = synthetic.deep(seeds=1)[:1]
    rows.append(rows[0] | {"key": "g", "backend": "cuda", "train_s": 10.0, "device_memory": 900 * 2**20})
    page_of(tmp_path, rows)
    _, *found = tables(tmp_path)["binarized_mnist: models of the data, what it took"]
    assert [row[0] for row in found] == ["DBN 500-2000, SML-1, on cpu", "DBN 500-2000, SML-1, on cuda"]
    assert found[1][4] == "600 MiB 400 MiB before, 900 MiB on the device"


def arrays(looks, count=4, side=6):
    random = np.random.default_rng(0)
    said = {f"said_{name}": random.normal(size=20) for name in
            ("payoff", "generator_loss", "discriminator_loss", "accuracy_data")}  # fmt: skip
    return {
        "samples": random.integers(0, 256, (looks, count, side * side), dtype=np.uint8),
        "samples_update": np.arange(looks) * 100,
        "image_shape": np.array([side, side]),
        "image_order": np.array("C"),
        "said_update": np.arange(1, 21) * 50,
        **said,
    }


def pictured(tmp_path, rows, files):
    folder = synthetic.fill(tmp_path / "r", rows)
    (folder / "models").mkdir()
    for key, found in files.items():
        np.savez(folder / "models" / f"{key}.npz", **found)
    write(folder)
    html = (folder / "report.html").read_text(encoding="utf-8")
    return {path.stem for path in (folder / "figures").glob("*.svg")}, html


def test_what_models_make_and_what_players_say_is_drawn(tmp_path):
    rows = synthetic.deep(seeds=1)
    dbn, dbm, _, _, gan = (row["key"] for row in rows)
    made = arrays(5) | {"samples_update": np.array([0, 10, 60, 210, 400])}
    names, html = pictured(tmp_path, rows, {dbn: arrays(1), dbm: arrays(1), gan: made})
    one, two = "deep-1-binarized-mnist", "deep-2-mnist"
    assert names == {
        f"{one}-bound", f"{one}-samples", f"{two}-error", f"{two}-parzen", f"{two}-3-players",
        f"{two}-3-samples",
    }  # fmt: skip
    assert "after 0, 210 and 400 updates" in html  # the first look, half of the training, the last one
    assert "Samples of DBN 500-2000, SML-1 and DBM 500-1000, pre-trained" in html
    assert "over 1,000 updates; at the end generator&#39;s loss" in html


@pytest.mark.parametrize(
    "change",
    [
        {"image_shape": np.array([1, 36])},
        {"image_shape": np.array([5, 5])},
        {"samples": np.zeros((3, 36))},
        {"samples_update": None, "said_payoff": None},
    ],
)
def test_arrays_that_do_not_fit_are_not_drawn(tmp_path, change):
    rows = synthetic.deep(seeds=1)[4:]
    found = {name: x for name, x in (arrays(3) | change).items() if x is not None}
    names, _ = pictured(tmp_path, rows, {rows[0]["key"]: found})
    assert not any(name.endswith("samples") for name in names)


def test_published_figures_are_those_of_the_same_data_measure_and_model():
    found = tidy(synthetic.deep(seeds=1))
    assert [like.value if (like := published.like(e)) else None for e in found] == [
        None, -84.62, 0.016, 0.0095, 225.0
    ]  # fmt: skip
    other = tidy([row | {"dataset": "digits"} for row in synthetic.deep(seeds=1)])
    assert not any(published.like(entry) for entry in other)


def test_values_are_shown_with_their_unit():
    assert entries.shown("error", 0.0123) == "1.23\u00a0%"
    assert entries.shown("parzen", 225.04) == "225.0"
    assert entries.with_error("bound", -84.62, 0.013) == "−84.62 ± 0.01 nats"


def test_the_headline_has_a_row_a_deep_model(tmp_path):
    from test_report_speed import ratio, timed

    rows = [
        synthetic.common(
            job, "speed", against="reference", job=job, subject=f"a made-up {where}", batch_size=100,
            processes=3, turns=2,
        ) | timed("seconds", 2e-3) | timed("against_seconds", 2e-2) | ratio(10.0)
        for job, where in (("CD-1", "784x500 RBM"), ("DBM 500-1000", "784-500-1000 DBM"))
    ]  # fmt: skip
    seen = page_of(tmp_path, rows)
    _, *found = table_of(tmp_path, "Headline")
    assert [row[0] for row in found] == ["CD-1", "DBM 500-1000"]
    assert "on a made-up 784x500 RBM and a made-up 784-500-1000 DBM, batch 100" in seen
    rows.append(rows[0] | {"key": "x", "subject": "a made-up 20x10 RBM"})
    page_of(tmp_path / "two", rows)
    jobs = [row[0] for row in table_of(tmp_path / "two", "Headline")][1:]
    assert jobs == ["CD-1, on a made-up 784x500 RBM", "DBM 500-1000", "CD-1, on a made-up 20x10 RBM"]
