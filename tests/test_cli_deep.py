"""Deep models on the command line: what is trained, kept, gone on from, judged, drawn and refused."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_rbm
from deep import bits, random_dbm
from gaussian import random_gaussian

from ebmbench import datasets
from ebmbench.evaluation.classification import classify
from ebmbench.harness import gate
from ebmbench.kernels import api
from ebmbench.kernels.api import load
from ebmbench.models.augmented import AugmentedMLP
from ebmbench.models.dbm import classifier, composed
from ebmbench.models.dbn import DBN
from ebmbench.models.gan import GAN
from ebmbench.models.graph import lattice
from ebmbench.models.storage import load_model, save_model
from ebmbench.training.initial import (
    initial_bayes_net,
    initial_boltzmann_machine,
    initial_general_boltzmann_machine,
    initial_markov_field,
    initial_network,
)
from ebmbench.training.joint import Joint, Phases
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.sgd import SGD
from ebmbench.training.stack import Stack

SMALL = ("--dataset", "bars_and_stripes_3x3", "--backend", "reference")
BARS = datasets.load("bars_and_stripes_3x3").train
DIGITS = ("--dataset", "digits", "--backend", "reference")


@pytest.fixture
def train(ebmbench, tmp_path):
    """Trains, and returns what was said and the model."""

    def run(line, *more, out="model.npz"):
        status, said, err = ebmbench("train", *line.split(), *more, "--out", out)
        assert status == 0, err
        return said, err, load_model(tmp_path / out)

    return run


# --- training -----------------------------------------------------------------------------------


def test_a_dbn_is_the_stack(train):
    said, _, found = train(
        "--model dbn --hidden 6,5 --hidden 4 --epochs 2,1,3 --rate 0.1,0.2,0.1 --k 2 --seed 3", *SMALL
    )
    optimisers = [SGD(rate, 0.5) for rate in (0.1, 0.2, 0.1)]
    run = Stack(load("reference"), BARS, [6, 5, 4], "cd", {"k": 2}, optimisers, [2, 1, 3], seed=3)
    run.advance(6)
    assert (bits(found) == bits(run.model)).all()
    assert said == "model.npz: 9-6-5-4, 6 updates by cd on reference\n"


def test_a_dbn_of_gaussian_units(train, tmp_path):
    np.save(tmp_path / "grey.npy", np.random.default_rng(1).normal(2.0, 3.0, (40, 5)))
    *_, found = train(
        "--model dbn --hidden 4,3 --epochs 2 --rate 0.01 --visible gaussian --precision fixed "
        "--dataset grey.npy --backend reference"
    )
    assert [layer.kind for layer in found.layers] == ["gaussian_rbm", "bernoulli_rbm"]


def test_a_dbm_is_pretrained_and_then_trained_jointly(train):
    line = (
        "--model dbm --hidden 6,4 --epochs 2 --joint-epochs 3 --joint-rate 0.02 --chains 9 --sweeps 2 "
        "--mean-field 4 --k 3 --rate 0.1 --centred --momentum 0.8 --batch-size 5"
    )
    said, _, found = train(line, *SMALL)
    first, then = (SGD(rate, 0.8, centred=True) for rate in (0.1, 0.02))
    settings = {"k": 3}, first, 2, then, 3, 5, 0, Phases(9, 2, 4)
    run = Pretrained(load("reference"), BARS, [6, 4], *settings)
    run.advance(run.steps)
    assert (bits(found) == bits(run.model)).all()
    assert said == "model.npz: 9-6-4, 21 updates on reference\n"


def test_the_two_phases_of_a_dbm_in_two_runs(train):
    """Layers alone, then together from that file: as in one run."""
    common = ("--chains", "9", "--batch-size", "5", *SMALL)
    *_, alone = train("--model dbm --hidden 6,4 --epochs 2 --joint-epochs 0 --batch-size 5", *SMALL,
                      out="a.npz")  # fmt: skip
    run = Stack(load("reference"), BARS, [6, 4], "cd", {}, SGD(0.05), 2, 5, doubled=True)
    run.advance(run.steps)
    assert (bits(alone) == bits(composed(run.model.layers))).all()
    *_, then = train("--model dbm --start a.npz --joint-epochs 3", *common, out="b.npz")
    *_, both = train("--model dbm --hidden 6,4 --epochs 2 --joint-epochs 3", *common)
    assert (bits(then) == bits(both)).all()


def test_a_dbm_without_pretraining(train):
    *_, found = train("--model dbm --hidden 6,4 --epochs 0 --joint-epochs 3 --centred", *SMALL)
    from ebmbench.training.joint import initial_dbm

    start = initial_dbm(BARS, [6, 4], 0)
    run = Joint(load("reference"), start, BARS, SGD(0.01, 0.5, centred=True), 3)
    run.advance(run.steps)
    assert (bits(found) == bits(run.model)).all()


def test_a_general_boltzmann_machine(train, ebmbench):
    """Trained, judged with its exact value beside the others, drawn and asked to restore."""
    line = (
        "--model general_boltzmann_machine --hidden 5 --epochs 3 --rate 0.03 --chains 9 --sweeps 2 "
        "--mean-field 4 --centred --momentum 0.8 --batch-size 5 --seed 2"
    )
    said, _, found = train(line, *SMALL)
    start = initial_general_boltzmann_machine(BARS, 5, 2)
    run = Joint(load("reference"), start, BARS, SGD(0.03, 0.8, centred=True), 3, 5, 2, Phases(9, 2, 4))
    run.advance(run.steps)
    assert (bits(found) == bits(run.model)).all()
    assert said == "model.npz: 9 visible and 5 hidden units, 9 updates on reference\n"
    status, said, _ = ebmbench("evaluate", "model.npz", "--data", "bars_and_stripes_3x3:test", "--json")
    methods = json.loads(said)["estimates"]
    assert status == 0
    assert [one["method"] for one in methods] == ["ais", "bridge", "reverse_ais", "exact"]
    off = [abs(one["log_z"] - methods[-1]["log_z"]) / one["log_z_std_error"] for one in methods[:-1]]
    assert max(off) < 4.0  # three estimates: a false alarm in 5,000 seeds, and this seed is fixed
    for command in ("sample model.npz --out some.png", "restore model.npz --data digits --flip 0.1"):
        status, _, err = ebmbench(*command.replace("digits", "bars_and_stripes_3x3:test").split())
        assert status == 0, err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--hidden 5,4", "--hidden of this model is one number, not 2"),
        ("--hidden 0", "the number of hidden units must be at least 1"),
        ("--joint-epochs 3", "--joint-epochs has a meaning only where --model is dbm"),
        ("--estimator cd", "--estimator has a meaning only where --model is"),
        ("--sweeps 0", "chains' sweeps an update must be at least 1"),
    ],
)
def test_what_a_general_boltzmann_machine_does_not_take(ebmbench, words, sentence):
    status, _, err = ebmbench("train", "--model", "general_boltzmann_machine", *words.split(), *SMALL)
    assert status == 2
    assert sentence in err


def test_a_general_boltzmann_machine_that_diverges_names_its_rate(ebmbench):
    line = "train --model general_boltzmann_machine --hidden 4 --rate 1e30 --epochs 40"
    status, said, err = ebmbench(*line.split(), *SMALL)
    assert status == 1
    assert "try a smaller --rate; " in said + err


@pytest.mark.parametrize(
    "how", ["--hidden 30 --activation tanh", *(f"--start {kind}.npz" for kind in ("rbm", "dbn", "dbm"))]
)
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_classifier_learns_from_wherever_it_starts(train, ebmbench, how, optimiser):
    if "rbm" in how:
        train("--hidden 40 --epochs 15 --momentum 0.9", *DIGITS, out="rbm.npz")
    if "dbn" in how:
        train("--model dbn --hidden 40,30 --epochs 15 --momentum 0.9", *DIGITS, out="dbn.npz")
    if "dbm" in how:
        train("--model dbm --hidden 40,30 --epochs 15 --joint-epochs 2", *DIGITS, out="dbm.npz")
    rate = {"sgd": "--rate 0.5 --momentum 0.9", "adam": "--rate 0.01"}[optimiser]
    said, _, found = train(f"--model mlp {how} --optimiser {optimiser} {rate} --epochs 30", *DIGITS)
    assert found.kind == ("augmented_mlp" if "dbm" in how else "mlp")
    assert f"450 updates by {optimiser} on reference" in said
    data = datasets.load("digits")
    wanted = classify(load("reference"), found, data.test, data.labels_test)
    assert wanted.error < 0.15
    status, out, err = ebmbench(
        "evaluate", "model.npz", "--data", "digits", "--backend", "reference", "--json"
    )
    assert status == 0, err
    judged = json.loads(out)
    assert (judged["wrong"], judged["n_rows"]) == (wanted.wrong, 360)
    assert judged["error"] == wanted.error
    _, out, _ = ebmbench("evaluate", "model.npz", "--data", "digits:train", "--backend", "reference")
    assert re.fullmatch(
        r"error \d+\.\d\d % \+- \d\.\d\d \(\d+ of 1437 rows\), -\d+\.\d{4} nats a label\n", out
    )


def test_a_classifier_that_learned_nothing_is_told(train, ebmbench):
    train("--model mlp --hidden 5 --rate 1e-9 --epochs 1", *DIGITS)
    _, out, _ = ebmbench("evaluate", "model.npz", "--data", "digits", "--backend", "reference")
    assert re.search(r"no gain: always the same class is 8\d\.\d\d % wrong|no gain: .* 90\.00", out), out


# --- checkpoints --------------------------------------------------------------------------------

RUNS = {
    "rbm": "--model rbm --hidden 5 --estimator parallel_tempering --chains 6 --epochs 6",
    "nce": "--model rbm --hidden 5 --estimator nce --epochs 6",
    "dbn": "--model dbn --hidden 5,4 --epochs 2,4",
    "gan": "--model gan --hidden 5 --latent 4 --epochs 6 --batch-size 3",
    "mlp": "--model mlp --hidden 5 --epochs 6 --optimiser adam --dataset digits --backend reference",
    "dbm": "--model dbm --hidden 5,4 --epochs 2 --joint-epochs 2 --chains 6",
}


@pytest.mark.parametrize("line", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("every", [1, 4])
def test_a_run_stopped_after_any_epoch_leaves_the_same_file(
    train, ebmbench, tmp_path, monkeypatch, line, every
):  # fmt: skip
    """Stopped while it saves for the second time, and once more at the next."""
    from ebmbench.training.checkpoint import Checkpoint

    rows = () if "--dataset" in line else SMALL
    train(line, *rows)
    wanted = (tmp_path / "model.npz").read_bytes()
    save, saves = Checkpoint.save, []

    def stopped(self, trainer):
        saves.append(trainer.done)
        if len(saves) == 2:
            raise KeyboardInterrupt
        save(self, trainer)

    monkeypatch.setattr(Checkpoint, "save", stopped)
    keep = ("--checkpoint", "run.npz", "--every", every)
    status, _, err = ebmbench("train", *line.split(), *rows, "--out", "again.npz", *keep)
    assert status == 130
    assert "the same command continues from the last checkpoint" in err
    _, err, _ = train(line, *rows, *map(str, keep), out="again.npz")
    assert f"going on from run.npz after {saves[0]} of " in err
    assert (tmp_path / "again.npz").read_bytes() == wanted
    _, err, _ = train(line, *rows, *map(str, keep), out="again.npz")  # finished: it has nothing to do
    assert (tmp_path / "again.npz").read_bytes() == wanted


def test_every_says_when_a_checkpoint_is_kept(train, monkeypatch):
    from ebmbench.training.checkpoint import Checkpoint

    saves = []
    monkeypatch.setattr(Checkpoint, "save", lambda self, trainer: saves.append(trainer.done))
    train("--hidden 5 --epochs 7 --every 3 --checkpoint run.npz", *SMALL)
    assert saves == [3, 6, 7]


def test_a_diverged_run_keeps_its_last_good_checkpoint(ebmbench, tmp_path):
    line = "train --model dbn --hidden 5,4 --epochs 2,300 --rate 0.05,1e30 --checkpoint run.npz"
    status, _, err = ebmbench(*line.split(), *SMALL)
    assert status == 1
    assert "training diverged, layer 2 of 2:" in err
    assert "model.npz not written; run.npz is the last good checkpoint" in err
    assert not (tmp_path / "model.npz").exists()
    with np.load(tmp_path / "run.npz") as kept:
        assert np.isfinite(kept["now.model.W"]).all()


def test_who_diverges_is_told_which_rate_to_lower(ebmbench):
    for epochs in (0, 2):
        line = f"train --model dbm --hidden 5,4 --epochs {epochs} --joint-epochs 300 --joint-rate 1e30"
        status, _, err = ebmbench(*line.split(), *SMALL)
        assert status == 1
        assert "try a smaller --joint-rate;" in err
    _, _, err = ebmbench(*["train", "--hidden", "5", "--rate", "1e30", "--epochs", "300"], *SMALL)
    assert "try a smaller --rate;" in err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("--rate 0.2", "rate is [0.05], not [0.2]"),
        ("--hidden 3", "hidden is [5, 4], not [5, 4, 3]"),
        ("--dataset bars_and_stripes", 'dataset is "bars_and_stripes_3x3"'),
        ("--seed 2", "seed is 0, not 2"),
        ("--estimator sml", 'estimator is "cd", not "sml"'),
        ("--backend cpu", 'backend is "reference", not "cpu"'),
    ],
)
def test_another_runs_checkpoint_is_refused(ebmbench, tmp_path, change, words):
    line = "train --model dbn --hidden 5,4 --epochs 2 --checkpoint run.npz"
    assert ebmbench(*line.split(), *SMALL)[0] == 0
    before = (tmp_path / "run.npz").read_bytes()
    status, out, err = ebmbench(*line.split(), *SMALL, *change.split())
    assert (status, out) == (2, "")
    assert err == f"ebmbench: run.npz: it is the checkpoint of another run: {words}\n" or words in err
    assert err.count("\n") == 1
    assert (tmp_path / "run.npz").read_bytes() == before


def test_the_same_path_with_other_data_is_another_run(ebmbench, tmp_path):
    line = "train --hidden 3 --epochs 2 --checkpoint run.npz --dataset rows.npy --backend reference"
    np.save(tmp_path / "rows.npy", np.eye(8))
    assert ebmbench(*line.split())[0] == 0
    np.save(tmp_path / "rows.npy", 1.0 - np.eye(8))
    status, _, err = ebmbench(*line.split())
    assert status == 2
    assert "another run: data is" in err


# --- judging and drawing ------------------------------------------------------------------------

MACHINE = random_dbm(9, 3, 2)
EVALUATED = {
    "rbm": random_rbm(9, 3),
    "gaussian": random_gaussian(9, 3),
    "bayes_net": initial_bayes_net(BARS),
    "boltzmann_machine": initial_boltzmann_machine(BARS),
    "markov_field": initial_markov_field(BARS, lattice(3, 3)),
    "dbn": DBN((random_rbm(9, 3), random_rbm(3, 2))),
    "dbn, gaussian": DBN((random_gaussian(9, 3), random_rbm(3, 2))),
    "dbm": MACHINE,
    "mlp": initial_network([9, 4, 2], ["relu", "linear"], 1),
    "augmented_mlp": AugmentedMLP(MACHINE, classifier(MACHINE, 2)),
    "gan": GAN(initial_network([2, 9], ["sigmoid"], 1), initial_network([9, 1], ["linear"], 2)),
}


@pytest.mark.parametrize("name", EVALUATED)
def test_evaluate_computes_with_nothing_but_what_the_gate_looked_at(
    ebmbench, tmp_path, monkeypatch, name
):
    """The jobs of all other kinds are missing."""
    save_model(tmp_path / "model.npz", EVALUATED[name], {})
    np.savez(tmp_path / "data.npz", x_train=BARS, x_test=BARS, y_train=BARS[:, 0], y_test=BARS[:, 0])
    k, asked = load("reference"), []
    monkeypatch.setattr(gate, "demand", lambda backend, kinds: asked.extend(kinds))
    few = ("--betas", "4", "--chains", "6", "--start", "chain", "--sweeps", "3")
    options = () if name in ("mlp", "augmented_mlp", "gan", "bayes_net") else few
    line = ("evaluate", "model.npz", "--data", "data.npz:test", "--backend", "reference", *options)
    assert ebmbench(*line)[0] == 0
    jobs = {key: job for key, job in k.jobs.items() if key[1] in asked}
    monkeypatch.setattr(api, "load", lambda backend: replace(k, jobs=jobs))
    status, _, err = ebmbench(*line)
    assert status == 0, err
    assert len(asked) == 2 * len(set(asked))


@pytest.mark.parametrize("model", ["dbn", "dbm"])
def test_evaluate_gives_a_bound_and_by_which_log_z(train, ebmbench, model):
    train(f"--model {model} --hidden 5,4 --epochs 3", *SMALL)
    line = "evaluate model.npz --data bars_and_stripes_3x3 --backend reference --betas 50 --chains 20"
    status, out, err = ebmbench(*line.split(), "--json")
    assert status == 0, err
    found = json.loads(out)
    methods = [one["method"] for one in found["estimates"]]
    assert methods == ["ais", "bridge", "reverse_ais", "exact"]
    parts = {round(one["mean_bound"] + one["log_z"], 6) for one in found["estimates"]}
    assert len(parts) == 1
    assert found["estimates"][3]["mean_bound"] < -np.log(14.0)
    for one in found["estimates"]:
        assert (one["sampling_error"] > 0.0) == (model == "dbn")
        assert "mean_log_likelihood" not in one
    train_split = "the train split of bars_and_stripes_3x3"
    assert (
        found["estimates"][0]["base"]
        == {
            "dbn": f"rates of layer 1 given {train_split}",
            "dbm": f"base rates of {train_split} and the model's biases",
        }[model]
    )
    _, out, _ = ebmbench(*line.split())
    assert "bound, nats a row" in out
    assert ("the bound's own standard error" in out) == (model == "dbn")
    assert "resolved" in out


def test_more_samples_make_the_bound_sharper(train, ebmbench):
    train("--model dbn --hidden 5,4 --epochs 3", *SMALL)
    line = "evaluate model.npz --data bars_and_stripes_3x3 --backend reference --method exact --json"
    errors = [
        json.loads(ebmbench(*line.split(), "--samples", n)[1])["estimates"][0]["sampling_error"]
        for n in (10, 1000)
    ]
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("model", ["dbn", "dbm"])
def test_sample_draws_from_deep_models(train, ebmbench, tmp_path, model):
    train(f"--model {model} --hidden 5,4 --epochs 3", *SMALL)
    line = "sample model.npz --out rows.npy --count 7 --sweeps 5 --backend reference"
    assert ebmbench(*line.split())[0] == 0
    first = np.load(tmp_path / "rows.npy")
    assert (first.shape, first.dtype) == ((7, 9), np.uint8)
    ebmbench(*line.split())
    assert (np.load(tmp_path / "rows.npy") == first).all()


# --- mistakes -----------------------------------------------------------------------------------

MISTAKES = [
    ("train --model vae", "unknown model 'vae'"),
    ("train --model dbn --hidden 5,0", "hidden units must be at least 1"),
    ("train --model dbn --hidden 5,,4", "--hidden must be a whole number"),
    (
        "train --model dbn --hidden 5,4 --epochs 1,2,3",
        "of numbers of epochs 2 layers need one each, or one for all, not 3",
    ),
    ("train --model dbn --hidden 5,4 --rate 0.1,0.2,0.3", "of optimisers 2 layers need one each"),
    ("train --model dbn --epochs 0", "epochs"),
    ("train --model dbn --rate fast", "--rate must be a number"),
    ("train --out model.pkl", "--out must end in .npz, but is model.pkl"),
    ("train --model dbn --hidden 5 --epochs 1,2", "of numbers of epochs 1 layer needs one for it, not 2"),
    ("train --hidden 5,4", "--hidden of this model is one number, not 2"),
    ("train --epochs 5,4", "--epochs of this model is one number, not 2"),
    ("train --rate 0.1,0.2", "--rate of this model is one number, not 2"),
    ("train --joint-epochs 3", "--joint-epochs has a meaning only where --model is dbm"),
    ("train --start dbn.npz", "--start has a meaning only where --model is dbm or mlp"),
    ("train --optimiser adam", "--optimiser has a meaning only where --model is mlp"),
    ("train --model mlp --centred", "--centred has a meaning only where --model is"),
    ("train --model mlp --estimator sml", "--estimator has a meaning only where --model is"),
    ("train --model mlp --k 3", "--k has a meaning only where --model is"),
    (
        "train --model dbm --estimator sml",
        "--estimator has a meaning only where --model is bayes_net or boltzmann_machine or dbn or "
        "markov_field or rbm",
    ),
    ("train --model dbm --visible gaussian", "--visible has a meaning only where"),
    ("train --model dbm --set k=2", "--set has a meaning only where"),
    ("train --model dbm --joint-epochs 0 --chains 5", "--chains plays no part with --joint-epochs 0"),
    ("train --model dbm --joint-epochs -1", "--joint-epochs"),
    ("train --model dbm --epochs 0 --k 5", "--k plays no part with --epochs 0"),
    ("train --model dbm --epochs 0 --joint-epochs 0", "epochs"),
    ("train --model dbm --start dbm.npz --hidden 5", "--hidden plays no part with --start"),
    ("train --model dbm --start dbn.npz", "dbn.npz is a model of the kind dbn, not dbm"),
    ("train --model dbm --start dbm.npz --dataset bars_and_stripes", "16 columns, but the model has 9"),
    ("train --model dbm --mean-field 0", "updates of mean field"),
    ("train --model dbm --sweeps 0", "sweeps"),
    ("train --model dbm --chains 0", "chains"),
    ("train --model dbm --joint-rate 0", "learning rate"),
    ("train --model mlp --start dbn.npz --activation relu", "--activation plays no part with --start"),
    (
        "train --model mlp --start mlp.npz",
        "mlp.npz is a model of the kind mlp, not bernoulli_rbm, gaussian_rbm, dbn or dbm",
    ),
    ("train --model mlp --start none.npz", "there is no file none.npz"),
    ("train --model mlp --start cut.npz", "cut.npz"),
    ("train --model mlp --start dbn.npz", "64 columns, but the model has 9"),
    ("train --model mlp --start dbm.npz", "64 columns, but the model has 9"),
    ("train --model mlp --optimiser lbfgs", "optimiser must be one of adam, sgd"),
    (
        "train --model mlp --optimiser adam --momentum 0.9",
        "--momentum plays no part with --optimiser adam",
    ),
    ("train --model mlp --activation step", "unknown activation 'step'"),
    ("train --model mlp --dataset bars_and_stripes", "bars_and_stripes has no labels"),
    ("train --model mlp --dataset gap.npz", "labels of gap.npz go up to 1000000"),
    ("train --model mlp --dataset below.npz", "but one is -1"),
    ("train --every 3", "--every has a meaning only where --checkpoint names a file"),
    ("train --checkpoint run.npz --every 0", "epochs between two checkpoints"),
    ("train --checkpoint nowhere/run.npz", "nowhere"),
    ("train --checkpoint rbm.npz", "rbm.npz: it is no checkpoint"),
    ("train --checkpoint cut.npz", "cut.npz"),
    ("train --checkpoint text.npz", "text.npz"),
    ("train --checkpoint same.npz --out same.npz", "same.npz"),
    ("train --model mlp --start dbn.npz --out dbn.npz", "it is what the work reads"),
    ("evaluate mlp.npz --data digits --betas 10", "--betas has a meaning only where"),
    ("evaluate mlp.npz --data digits --method exact", "--method has a meaning only where"),
    ("evaluate mlp.npz --data bars_and_stripes_3x3", "bars_and_stripes_3x3 has no labels"),
    ("evaluate mlp.npz --data plain.npy", "plain.npy has no labels"),
    ("evaluate mlp.npz --data more.npz", "from 0 to 9, but one is 11"),
    ("evaluate mlp.npz --data below.npz", "9 columns, but the model has 64"),
    ("evaluate dbm.npz --data digits", "64 columns, but the model has 9"),
    ("evaluate dbm.npz --data plain.npy", "64 columns, but the model has 9"),
    ("evaluate dbm.npz --data bars_and_stripes_3x3 --samples 20", "--samples has a meaning only where"),
    ("evaluate rbm.npz --data bars_and_stripes_3x3 --samples 20", "--samples has a meaning only where"),
    ("evaluate dbn.npz --data bars_and_stripes_3x3 --samples 1", "at least 2 samples"),
    ("evaluate dbn.npz --data grey.npy", "grey"),
    ("evaluate mixed.npz --data bars_and_stripes_3x3", "mixed.npz: a model of 2 layers lacks c2"),
    ("evaluate chain.npz --data bars_and_stripes_3x3", "layer 1 has 4 units, but layer 2 takes 3"),
    ("train --model mlp --start chain.npz", "chain.npz: layers do not chain"),
    ("sample mlp.npz", "mlp has no samples"),
    ("sample dbm.npz --dataset digits", "8x8"),
]


@pytest.fixture
def folder(tmp_path):
    """Small models and files with something wrong."""
    from ebmbench.models.kinds import to_arrays
    from ebmbench.models.storage import save_model
    from ebmbench.training.fit import initial_model
    from ebmbench.training.initial import initial_network
    from ebmbench.training.joint import initial_dbm

    rbm = initial_model(BARS, 4, 0)
    save_model(tmp_path / "rbm.npz", rbm, {})
    run = Stack(load("reference"), BARS, [4, 3], epochs=1)
    run.advance(2)
    save_model(tmp_path / "dbn.npz", run.model, {})
    save_model(tmp_path / "dbm.npz", initial_dbm(BARS, [4, 3], 0), {})
    save_model(tmp_path / "mlp.npz", initial_network([64, 10], ["linear"], 0), {})
    mixed = to_arrays(run.model)
    wrong = mixed | {"W2": np.zeros((3, 3)), "b2": np.zeros(3)}
    np.savez(tmp_path / "chain.npz", **wrong)
    del mixed["c2"]
    np.savez(tmp_path / "mixed.npz", **mixed)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "dbn.npz").read_bytes()[:-200])
    (tmp_path / "text.npz").write_text("no archive")
    rows = np.eye(20, 9, dtype=np.uint8)
    np.savez(tmp_path / "gap.npz", x=rows, y=np.full(20, 10**6))
    np.savez(tmp_path / "below.npz", x=rows, y=np.arange(20) % 5 - 1)
    np.savez(tmp_path / "more.npz", x=np.eye(20, 64), y=np.arange(20) // 2 + 2)
    np.save(tmp_path / "plain.npy", np.eye(20, 64))
    np.save(tmp_path / "grey.npy", np.full((20, 9), 0.5))
    return tmp_path


@pytest.mark.parametrize(("line", "named"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_exit_2(ebmbench, folder, line, named):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    status, out, err = ebmbench(*line.split(), "--backend", "reference")
    assert status == 2, err
    assert out == ""
    assert re.fullmatch(r"ebmbench: [^\n]+\n", err), err
    assert named in err
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
