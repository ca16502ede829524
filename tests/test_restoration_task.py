"""What trained models restore: what a suite may ask for, rows of train and deep, the page's part."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import all_states, complaint
from scipy.special import softmax
from test_deep_task import DBM, DBN

import ebmbench
from ebmbench.evaluation import damage, restoration
from ebmbench.evaluation.mixture import Mixture, fitted
from ebmbench.harness import restoring, spec, table
from ebmbench.harness import run as harness
from ebmbench.harness.comparison import identity
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import train
from ebmbench.models.kinds import from_arrays
from ebmbench.partition import base_rates
from ebmbench.report import page

ASKED = [{"flip": 0.1}, {"missing": 0.5, "sweeps": 20, "rows": 9}, {"half": "lower"}]
CASE = train.Case(
    dataset="bars_and_stripes", backend="cpu", estimator={"name": "cd", "k": 1}, hidden=12, epochs=300,
    batch_size=10, rate=0.1, checkpoints=2, evaluate="exact", restore=ASKED,
)  # fmt: skip
CASE_FIELDS = {name: getattr(CASE, name) for name in ("backend", "estimator", "hidden", "restore")}
MADE = Mixture(np.array([0.2, 0.5, 0.3]), np.array([[0.9, 0.1, 0.8], [0.2, 0.3, 0.6], [0.5, 0.7, 0.1]]))


def test_what_a_mixture_makes_of_evidence():
    """By Bayes' rule over all states."""
    states = all_states(3)
    each = np.where(states[:, None] == 1, MADE.mean, 1 - MADE.mean).prod(axis=2)
    evidence = np.array([[np.inf, -np.inf, 0.0], [1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    on, off = np.minimum(evidence, 0)[:, None], -np.maximum(evidence, 0)[:, None]
    likely = np.where(states == 1, on, off).sum(axis=2)
    wanted = softmax(np.log(each @ MADE.share) + likely, axis=1) @ states
    np.testing.assert_allclose(MADE.posterior_means(evidence), wanted, atol=1e-12)
    assert MADE.log_likelihood(states) == pytest.approx(np.log(each @ MADE.share).mean())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("flip", "must be a table with one way of damage"),
        ({}, "must be a table with one way of damage"),
        ({"flip": 0.1, "half": "lower"}, "one way of damage"),
        ({"flip": 0.1, "sweep": 3}, "no setting sweep"),
        ({"flip": 0.6}, "flip must be above 0 and at most 0.5, but is 0.6"),
        ({"flip": "0.1"}, "flip must be above 0"),
        ({"flip": True}, "flip must be above 0"),
        ({"missing": 0}, "missing must be above 0 and at most 1, but is 0"),
        ({"missing": float("nan")}, "missing must be above 0"),
        ({"half": "top"}, "half is one of upper, lower, left, right, not 'top'"),
        ({"flip": 0.1, "sweeps": 1}, "sweeps of a restoration must be at least 2"),
        ({"flip": 0.1, "rows": 1.5}, "rows of a restoration must be at least 2"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(given, words):
    said = complaint(restoring.asked, [given])
    assert words in said
    assert "\n" not in said


def test_nothing_is_asked_twice():
    said = complaint(restoring.asked, [{"flip": 0.1}, {"half": "left"}, {"flip": 0.1, "rows": 1000}])
    assert said == "restore asks twice for 10 % flipped"
    assert len(restoring.asked([{"flip": 0.1}, {"flip": 0.1, "rows": 10}])) == 2


@pytest.mark.parametrize("given", ["3", "{ flip = 0.1 }", "[3]", '["flip"]'])
def test_a_suite_that_asks_for_what_is_no_table(tmp_path, given):
    file = tmp_path / "s.toml"
    file.write_text(
        'title = "x"\n[[train]]\ndataset = "digits"\nbackend = "cpu"\n'
        f'estimator = {{ name = "cd", k = 1 }}\nrestore = {given}\n'
    )
    assert "restore" in complaint(spec.load, str(file))


@pytest.mark.parametrize("make", [CASE, DBM])
def test_damage_that_cannot_be_done_is_told_before_the_training(tmp_path, make):
    """A line of pixels has no lower half."""
    case = replace(make, dataset="labelled_shifter", restore=[{"half": "lower"}])
    (row,) = harness.run(Suite("tiny", "Tiny", True, (case,)), tmp_path)
    assert row["status"] == "unavailable"
    assert "pictures of 1x19 have no lower half" in row["reason"]
    assert "train_s" not in row


def test_weights_too_large_cost_an_entry_and_not_the_case():
    data, k = ebmbench.load_dataset("bars_and_stripes"), ebmbench.load_backend("cpu")
    net = ebmbench.BayesNet(np.triu(np.full((16, 16), 90.0), 1), np.zeros(16))
    entries, pictures = restoring.restored(k, net, data, restoring.tasks(data, ASKED, 0), 0)
    assert ["beyond" in one["reason"] for one in entries] == [True] * 3
    assert pictures == {}


def test_models_that_cannot_be_asked():
    gaussian = {"visible": "gaussian", "evaluate": "ais", "dataset": "digits"}
    for make, words in (
        (lambda: train.Case(**{**CASE_FIELDS, **gaussian}), "only rows of binary units restored"),
        (
            lambda: replace(DBN, restore=ASKED),
            "rows are restored by a dbm or general_boltzmann_machine, not by a dbn",
        ),
        (lambda: replace(DBM, restore=[{"flip": 2}]), "flip must be above 0"),
    ):
        assert words in complaint(make)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder, and the rows of an RBM with two seeds, a Bayesian network and a DBM."""
    folder = tmp_path_factory.mktemp("restoration")
    net = {"family": "bayes_net", "hidden": 0, "estimator": {"name": "exact"}, "rate": 0.02}
    cases = (
        CASE, replace(CASE, seed=1), replace(CASE, **net),
        replace(DBM, restore=ASKED, dataset="bars_and_stripes"),
    )  # fmt: skip
    harness.run(Suite("tiny", "Tiny", True, cases), folder)
    return folder, table.load_table(folder).rows


def test_rows_say_what_the_model_restores(results):
    """The figures of the first case are those of its own model, damaged and restored by hand."""
    folder, rows = results
    assert list(rows["status"]) == ["done"] * 4
    row = rows.iloc[0]
    first, second, third = row["restored"]
    assert [one["damage"] for one in row["restored"]] == [
        "10 % flipped",
        "50 % missing, 20 sweeps, 9 rows",
        "lower half missing",
    ]
    assert [one["rows"] for one in row["restored"]] == [30, 9, 30]
    assert [one["sweeps"] for one in row["restored"]] == [200, 20, 200]
    assert third["counted"] == 30 * 8
    assert first["damaged"] == pytest.approx(0.1, abs=0.06)
    assert second["damaged"] is None
    data = ebmbench.load_dataset("bars_and_stripes")
    model = from_arrays(table.load_model(folder, row["key"]))
    damaged = damage.missing(data.test[:9], 0.5, 0)
    found = restoration.restore(
        ebmbench.load_backend("cpu"), model, damaged, base_rates(data.train, ""), 20, seed=0
    )
    assert second["model_wrong"] == pytest.approx(found.model.wrong)
    assert second["fewer_than_base_rates"] == pytest.approx(found.fewer)
    mixture = fitted(data.train).posterior_means(damaged.evidence)
    assert second["mixture_wrong"] == ((mixture > 0.5) != damaged.rows)[damaged.counted].mean()
    assert second["fewer_than_mixture"] == pytest.approx(second["mixture_wrong"] - found.model.wrong)


def test_a_trained_rbm_restores_bars_and_stripes(results):
    """Half of the picture tells the other, but for the seldom one that is all of a colour."""
    _, rows = results
    for restored in rows["restored"][:2]:
        assert restored[0]["model_wrong"] < restored[0]["base_rates_wrong"]
        assert restored[2]["model_wrong"] < restored[2]["base_rates_wrong"] - 0.2


def test_the_page_has_a_part_and_pictures(results):
    folder, rows = results
    page.write_page(folder)
    text = (folder / "report.html").read_text()
    assert '<h2 id="restoration">Restoration</h2>' in text
    for label in ("CD-1", "Bayes net, exact", "DBM 5-3"):
        assert label in text[text.index('id="restoration"') :]
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert {"restoration-1-bars-and-stripes.svg", "restored-1-bars-and-stripes.png"} <= figures
    for row in rows.itertuples():
        kept = table.load_model(folder, row.key)["restored_1"]
        assert kept.shape == (3, 8, 16)
        np.testing.assert_array_equal(kept[0], ebmbench.load_dataset("bars_and_stripes").test[:8])
        known = ~np.isnan(kept[1])
        np.testing.assert_array_equal(kept[2][known], kept[1][known])


def test_the_figure_tells_backends_apart(results, tmp_path):
    folder, _ = results
    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    lines += [line | {"key": f"other{n}", "backend": "reference"} for n, line in enumerate(lines)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("curves.jsonl", "machine.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    page.write_page(tmp_path)
    told = (tmp_path / "report.html").read_text()
    assert "CD-1, hidden 12 on cpu 10" in told
    assert "CD-1, hidden 12 on reference 10" in told
    assert "on cpu on cpu" not in told


def test_a_page_without_pictures(results, tmp_path):
    """The models are not kept: the figures are drawn all the same."""
    folder, _ = results
    for name in ("rows.jsonl", "curves.jsonl", "machine.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    page.write_page(tmp_path)
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "restoration-1-bars-and-stripes.svg" in figures
    assert not any(name.startswith("restored") for name in figures)


def test_seeds_that_were_asked_for_different_damage(results, tmp_path):
    """As after a change of the suite in between: each damage by the seeds that know it."""
    folder, _ = results
    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    lost = {"damage": "10 % flipped", "reason": "too large"}
    lines[1]["restored"] = [*lines[1]["restored"][2:], lost]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("curves.jsonl", "machine.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    page.write_page(tmp_path)
    table_of = (tmp_path / "report.html").read_text().split('id="restoration"')[1]
    assert table_of.count("lower half missing") >= 3


def test_cases_that_differ_in_what_they_restore_alone(tmp_path):
    """The page has what both came to, and comparison takes them for one case."""
    cases = (replace(CASE, restore=ASKED[:1]), replace(CASE, restore=ASKED[2:]))
    harness.run(Suite("tiny", "Tiny", True, cases), tmp_path)
    page.write_page(tmp_path)
    part = (tmp_path / "report.html").read_text().split('id="restoration"')[1]
    assert part.count("10 % flipped") >= 3
    assert part.count("lower half missing") >= 3
    first, second = table.load_table(tmp_path).rows.to_dict("records")
    assert identity.key(first, across=False) == identity.key(second, across=False)


def test_a_training_of_one_update(tmp_path):
    case = replace(CASE, epochs=1, batch_size=100, checkpoints=1)
    (row,) = harness.run(Suite("tiny", "Tiny", True, (case,)), tmp_path)
    assert (row["status"], row["updates"]) == ("done", 1)


def test_nothing_is_asked_and_nothing_is_said(tmp_path):
    harness.run(Suite("tiny", "Tiny", True, (replace(CASE, restore=[], epochs=1),)), tmp_path)
    page.write_page(tmp_path)
    assert "Restoration" not in (tmp_path / "report.html").read_text()
    assert table.load_table(tmp_path).rows["restored"].iloc[0] == []
