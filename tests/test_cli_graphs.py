"""Models without hidden units on the command line and in suites: trained, judged, sampled, refused."""

import json

import numpy as np
import pytest

from ebmbench.harness import run as harness
from ebmbench.harness import spec, table
from ebmbench.models.storage import load_model
from ebmbench.report import write

BARS = ("--dataset", "bars_and_stripes", "--batch-size", "30", "--epochs", "200", "--rate", "0.2")
DATA = ("--data", "bars_and_stripes")


@pytest.fixture
def trained(ebmbench, tmp_path):
    def train(kind, *options):
        file = tmp_path / f"{kind}.npz"
        status, out, err = ebmbench("train", "--model", kind, *BARS, *options, "--out", file)
        assert status == 0, err
        return file, out

    return train


def test_a_bayes_net_is_trained_judged_and_sampled(ebmbench, trained, tmp_path):
    file, out = trained("bayes_net")
    assert "16 units, 200 updates by exact" in out
    assert load_model(file).kind == "bayes_net"
    status, out, err = ebmbench("evaluate", file, *DATA, "--json")
    assert status == 0, err
    (found,) = json.loads(out)["estimates"]
    assert found["method"] == "exact"
    assert found["log_z"] == 0.0
    assert -11.09 < found["mean_log_likelihood"] < -np.log(30.0)  # 16 log 2, and the ceiling
    status, out, err = ebmbench("sample", file, "--count", "5", "--out", tmp_path / "rows.npy")
    assert status == 0, err
    assert "5 samples each drawn by itself" in out
    assert np.isin(np.load(tmp_path / "rows.npy"), (0, 1)).all()


def test_a_boltzmann_machine_is_trained_and_its_log_z_bracketed(ebmbench, trained):
    file, out = trained("boltzmann_machine")
    assert "by pseudolikelihood" in out
    status, out, err = ebmbench("evaluate", file, *DATA, "--betas", "300", "--json")
    assert status == 0, err
    found = json.loads(out)
    methods = {one["method"]: one["log_z"] for one in found["estimates"]}
    assert sorted(methods) == ["ais", "bridge", "exact", "reverse_ais"]
    assert found["resolved"]
    for value in methods.values():
        assert value == pytest.approx(methods["exact"], abs=0.3)


def test_a_markov_field_of_pixels_is_exact_where_its_grid_is_narrow(ebmbench, trained, tmp_path):
    file, out = trained("markov_field", "--reach", "1", "--estimator", "exact")
    assert "16 units, 24 edges, 200 updates by exact" in out
    found = load_model(file)
    assert (found.kind, len(found.R)) == ("markov_field", 24)
    status, out, err = ebmbench("evaluate", file, *DATA, "--betas", "300", "--json")
    assert status == 0, err
    found = json.loads(out)
    methods = {one["method"]: one["log_z"] for one in found["estimates"]}
    assert sorted(methods) == ["ais", "bridge", "exact", "reverse_ais"]
    for value in methods.values():
        assert value == pytest.approx(methods["exact"], abs=0.3)
    (exact,) = [one for one in found["estimates"] if one["method"] == "exact"]
    assert -16 * np.log(2.0) + 1 < exact["mean_log_likelihood"] < -np.log(30.0)
    status, out, err = ebmbench("sample", file, "--count", "5", "--out", tmp_path / "rows.png")
    assert status == 0, err


def test_rows_that_are_no_pictures_are_a_chain(ebmbench, tmp_path):
    """Five columns: each hears the one before it and the one behind it."""
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).integers(0, 2, (60, 5)))
    line = ("train", "--model", "markov_field", "--dataset", "rows.npy", "--out", "chain.npz")
    status, _, err = ebmbench(*line, "--epochs", "2")
    assert status == 0, err
    found = load_model(tmp_path / "chain.npz")
    assert found.graph.edges.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    for reach in ("0.5", "nan", "inf"):
        status, _, err = ebmbench(*line, "--reach", reach)
        assert status == 2
        assert "the reach of a unit must be at least 1 and finite" in err


def test_a_damaged_field_is_one_sentence(ebmbench, trained, tmp_path):
    file, _ = trained("markov_field")
    whole = dict(np.load(file))
    for name, value, sentence in (
        ("edges", whole["edges"][:, ::-1], "the smaller one first"),
        ("edges", whole["edges"][:3], "R must have shape (3,)"),
        ("edges", None, "lacks edges"),
        ("b", whole["b"][:4], "from 0 to 3"),
    ):
        arrays = {**whole, name: value} if value is not None else {**whole}
        if value is None:
            del arrays[name]
        np.savez(tmp_path / "bad.npz", **arrays)
        status, _, err = ebmbench("evaluate", "bad.npz", *DATA)
        assert status == 2
        assert sentence in err


def test_the_help_says_by_what_each_model_is_trained(ebmbench):
    status, out, _ = ebmbench("train", "--help")
    assert status == 0
    said = " ".join(out.replace("│", " ").split())
    assert "boltzmann_machine, markov_field: pseudolikelihood; bayes_net: exact" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--hidden", "8"), "--hidden has a meaning only where"),
        (("--centred",), "--centred has a meaning only where"),
        (("--visible", "gaussian"), "--visible has a meaning only where"),
        (("--estimator", "pseudolikelihood"), "no pseudolikelihood for bayes_net"),
        (("--estimator", "best"), "unknown estimator 'best'"),
        (("--rate", "0.1,0.2"), "--rate of this model is one number"),
    ],
)
def test_what_makes_no_sense_is_refused(ebmbench, tmp_path, options, sentence):
    start = ("train", "--model", "bayes_net", "--dataset", "bars_and_stripes")
    status, _, err = ebmbench(*start, *options, "--out", tmp_path / "net.npz")
    assert status == 2
    assert sentence in err
    assert not (tmp_path / "net.npz").exists()


def test_options_that_play_no_part_with_a_normalised_model_are_refused(ebmbench, trained):
    file, _ = trained("bayes_net")
    for options, sentence in (
        (("--betas", "100"), "--betas has a meaning only where the method anneals"),
        (("--method", "ais"), "a bayes_net comes normalised, so there is nothing to anneal"),
    ):
        status, _, err = ebmbench("evaluate", file, *DATA, *options)
        assert status == 2
        assert sentence in err
    status, _, err = ebmbench("sample", file, "--sweeps", "10")
    assert status == 2
    assert "--sweeps has a meaning only where" in err


SUITE = """
[[train]]
dataset = "bars_and_stripes"
backend = "cpu"
family = "bayes_net"
estimator = { name = "exact" }
epochs = 50
evaluate = "exact"
checkpoints = 3

[[train]]
dataset = "bars_and_stripes"
backend = "cpu"
family = "boltzmann_machine"
estimator = [{ name = "exact" }, { name = "sml" }]
epochs = 50
evaluate = "exact"
checkpoints = 3

[[train]]
dataset = "bars_and_stripes"
backend = "cpu"
family = "markov_field"
reach = 1
estimator = { name = "pseudolikelihood" }
rate = 0.5
epochs = 50
evaluate = "exact"
checkpoints = 3
"""


def test_a_suite_compares_families_on_one_page(tmp_path):
    (tmp_path / "graphs.toml").write_text(SUITE)
    harness.run(spec.load(str(tmp_path / "graphs.toml")), tmp_path / "out")
    rows = table.load_table(tmp_path / "out").rows
    assert list(rows["status"]) == ["done"] * 4
    labels = ["Bayes net, exact", "Boltzmann machine, exact", "Boltzmann machine, SML-1"]
    labels += ["Markov field of reach 1, PL"]
    assert list(rows["estimator"]) == labels
    assert (rows["log_likelihood"] > rows["baseline_independent"] + 1.0).all()
    assert (rows["log_likelihood"] < -np.log(30.0)).all()
    page = write(tmp_path / "out").read_text()
    assert all(label in page for label in labels)
    assert "hear from each other" in page


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('family = "potts"\nhidden = 0', "unknown family 'potts'"),
        ('family = "general_boltzmann_machine"', "is trained by a table [[deep]], not by [[train]]"),
        ('family = "markov_field"\ncentred = true', "the centred gradient is for RBMs and Boltzmann mac"),
        ('family = "bayes_net"\nhidden = 8', "a bayes_net has no hidden units"),
        ('family = "bayes_net"\nhidden = 0\nvisible = "gaussian"', "units of a bayes_net are binary"),
        ('family = "bayes_net"\nhidden = 0', "a bayes_net comes normalised: write evaluate = 'exact'"),
        ("hidden = 0", "hidden"),
    ],
)
def test_a_suite_that_cannot_be_is_one_sentence(ebmbench, tmp_path, change, sentence):
    text = '[[train]]\ndataset = "digits"\nbackend = "cpu"\nestimator = { name = "exact" }\n'
    (tmp_path / "bad.toml").write_text(text + change + "\n")
    status, _, err = ebmbench("run", tmp_path / "bad.toml")
    assert status == 2
    assert sentence in err
