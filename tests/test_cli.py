"""The command line as a user meets it: what it prints, where it exits, what it leaves alone."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import with_job

from ebmbench.cli import main
from ebmbench.cli.app import app
from ebmbench.errors import DeviceError
from ebmbench.kernels import api


@pytest.fixture
def model(ebmbench, tmp_path):
    """A small trained model's file."""
    status, _, err = ebmbench("train", "--dataset", "bars_and_stripes", "--hidden", 5, "--epochs", 3)
    assert status == 0, err
    return tmp_path / "model.npz"


def test_train_twice_gives_the_same_file(ebmbench, model):
    first = model.read_bytes()
    ebmbench("train", "--dataset", "bars_and_stripes", "--hidden", 5, "--epochs", 3)
    assert model.read_bytes() == first
    ebmbench("train", "--dataset", "bars_and_stripes", "--hidden", 5, "--epochs", 3, "--seed", 1)
    assert model.read_bytes() != first


def test_evaluate_json_has_one_object_a_method(ebmbench, model):
    status, out, _ = ebmbench(
        "evaluate", model, "--data", "bars_and_stripes", "--method", "exact", "--method", "ais",
        "--betas", 500, "--chains", 50, "--seed", 3, "--json",
    )  # fmt: skip
    found = json.loads(out)
    exact, ais = found["estimates"]
    assert status == 0
    assert set(found) == {"estimates", "gap", "gap_error", "resolved", "verdict", "backend", "seed"}
    assert set(exact) == set(ais) == {
        "method", "log_z", "log_z_std_error", "ess", "mean_log_likelihood", "rows_std_error",
        "n_rows", "seconds", "schedule", "error_reached", "chains", "base", "start",
    }  # fmt: skip
    assert (exact["method"], ais["method"]) == ("exact", "ais")
    assert abs(ais["log_z"] - exact["log_z"]) < 5 * ais["log_z_std_error"]
    assert ais["schedule"] == "linear (500 on [0, 1])"
    assert ais["base"] == "base rates of the train split of bars_and_stripes"
    assert (ais["n_rows"], ais["chains"], ais["start"], ais["error_reached"]) == (30, 50, None, None)
    assert (found["seed"], found["backend"]) == (3, "cpu")
    assert exact["log_z_std_error"] == 0
    assert exact["ess"] is exact["chains"] is found["gap"] is found["resolved"] is None


def test_evaluate_json_has_the_sandwich(ebmbench, model):
    line = "--data bars_and_stripes --betas adaptive --error 0.2 --json"
    _, out, _ = ebmbench("evaluate", model, *line.split())
    found = json.loads(out)
    ais, bridge, reverse, exact = found["estimates"]
    assert [one["method"] for one in found["estimates"]] == ["ais", "bridge", "reverse_ais", "exact"]
    assert found["gap"] == reverse["log_z"] - ais["log_z"]
    assert found["gap_error"] == np.hypot(ais["log_z_std_error"], reverse["log_z_std_error"])
    assert found["resolved"] is True
    assert found["verdict"].endswith("nats; reverse AIS started from exact draws")
    for one in (ais, bridge, reverse):
        assert one["error_reached"] is True
        assert one["schedule"] == ais["schedule"]
        assert one["schedule"].startswith("adaptive (")
        assert abs(one["log_z"] - exact["log_z"]) < 5 * one["log_z_std_error"] < 1.0
    assert (reverse["start"], bridge["start"], ais["start"]) == ("exact draws", "exact draws", None)


def test_evaluate_names_the_rows_given_as_base(ebmbench, model, tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(16, dtype=np.uint8))
    _, out, _ = ebmbench("evaluate", model, "--data", "rows.npy", "--json")
    assert json.loads(out)["estimates"][0]["base"] == "base rates of the rows given"


def test_evaluate_prints_a_table(ebmbench, model):
    _, out, _ = ebmbench("evaluate", model, "--data", "bars_and_stripes", "--method", "exact")
    assert re.search(r"exact +-?\d+\.\d{3} +exact +-\d+\.\d{3} +30", out)


def test_evaluate_prints_the_sandwich_and_one_sentence(ebmbench, model):
    line = "--data bars_and_stripes --start chain --sweeps 50"
    status, out, err = ebmbench("evaluate", model, *line.split())
    assert (status, err) == (0, "")
    names = [words[0] for words in map(str.split, out.splitlines()) if words]
    assert names[:5] == ["method", "ais", "bridge", "reverse_ais", "exact"]
    assert "started from Gibbs chains (50 sweeps from the base rates)" in out
    last = out.splitlines()[-1]
    assert re.fullmatch(
        r"resolved: forward and reverse AIS differ by 0\.\d\d \+- 0\.\d\d nats; .* Gibbs chains .*", last
    )


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf", "a.npz", "a.npy"])
def test_sample_writes_what_the_suffix_says(ebmbench, model, tmp_path, name):
    status, _, err = ebmbench("sample", model, "--out", name, "--count", 7, "--sweeps", 5)
    assert status == 0, err
    path = tmp_path / name
    start = path.read_bytes()[:5]
    if name.endswith("npy"):
        assert np.load(path).shape == (7, 16)
    elif name.endswith("npz"):
        assert np.load(path)["x"].shape == (7, 16)
    else:
        assert start == {"png": b"\x89PNG\r", "svg": b"<?xml", "pdf": b"%PDF-"}[name[2:]]


def test_sample_twice_gives_the_same_rows(ebmbench, model, tmp_path):
    for name in ("a.npy", "b.npy"):
        ebmbench("sample", model, "--out", name, "--count", 7, "--sweeps", 5)
    assert (np.load(tmp_path / "a.npy") == np.load(tmp_path / "b.npy")).all()


def test_list_and_doctor(ebmbench):
    status, out, _ = ebmbench("list", "--json")
    found = json.loads(out)
    assert status == 0
    assert {"cd", "sml", "exact"} <= set(found["estimators"])
    assert {"quick"} <= set(found["suites"])
    assert set(found["arithmetics"]) == set(api.ARITHMETICS)
    assert found["jobs"]["gibbs"] == "by default Gibbs, 100 chains, 100 sweeps"
    status, out, _ = ebmbench("doctor", "--json")
    assert status == 0
    assert json.loads(out)["backends"]["cpu"] == "agrees with the reference"


SMALL = """
title = "Small"
[[train]]
dataset = "bars_and_stripes_3x3"
backend = ["reference", "cpu"]
estimator = { name = "cd" }
hidden = 3
epochs = 5
evaluate = "exact"
"""


def test_run_leaves_a_table_and_a_page(ebmbench, tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    status, out, err = ebmbench("run", "small.toml", "--seeds", 2)
    assert status == 0, err
    assert "4 done" in out
    assert "[4/4]" in err
    assert (tmp_path / "results/small/report.html").stat().st_size > 10_000
    (tmp_path / "results/small/report.html").unlink()
    assert ebmbench("report", "results/small")[0] == 0
    assert (tmp_path / "results/small/report.html").exists()


TASKS = """
title = "Tasks"
[[gradient]]
model = { random = [4, 3] }
backend = "cpu"
estimator = [{ name = "cd" }, { name = "exact" }]
replicates = 5
[[log_z]]
model = { random = [4, 3] }
backend = "cpu"
method = [{ name = "ais", betas = 10 }, { name = "exact" }]
[[sample]]
model = { random = [4, 3] }
backend = "cpu"
sampler = "gibbs"
sweeps = 20
"""


def test_run_takes_tasks_on_a_given_model(ebmbench, tmp_path):
    (tmp_path / "tasks.toml").write_text(TASKS)
    status, out, err = ebmbench("run", "tasks.toml")
    assert status == 0, err
    assert "5 done" in out
    assert "bias" in err
    assert "log Z" in err
    assert "ESS" in err
    assert (tmp_path / "results/tasks/report.html").stat().st_size > 10_000


def test_run_exits_with_1_where_a_case_failed(ebmbench, tmp_path, monkeypatch):
    from ebmbench.harness.tasks import train

    def broken(*arguments):
        raise RuntimeError("boom")

    monkeypatch.setitem(train.STARTS, "binary", broken)
    (tmp_path / "small.toml").write_text(SMALL)
    status, out, err = ebmbench("run", "small.toml")
    assert status == 1
    assert "2 failed" in out
    assert "boom" in err


def test_a_diverged_training_leaves_the_old_model(ebmbench, model):
    before = model.read_bytes()
    status, _, err = ebmbench("train", "--rate", 1e30)
    assert status == 1
    assert "diverged" in err
    assert model.read_bytes() == before


def write_files(folder):
    np.save(folder / "nan.npy", np.array([[0.0, np.nan]]))
    np.save(folder / "two.npy", np.array([[0.0, 2.0]]))
    np.save(folder / "flat.npy", np.zeros(4))
    np.save(folder / "good.npy", np.zeros((4, 16)))
    np.savez(folder / "noW.npz", b=np.zeros(3), c=np.zeros(2))
    np.savez(folder / "shape.npz", W=np.zeros((3, 2)), b=np.zeros(4), c=np.zeros(2))
    np.savez(folder / "nanW.npz", W=np.full((3, 2), np.nan), b=np.zeros(3), c=np.zeros(2))
    np.savez(folder / "text.npz", W=np.array([["a"]]), b=np.zeros(1), c=np.zeros(1))
    np.savez(folder / "object.npz", W=np.array([[{}]]), b=np.zeros(1), c=np.zeros(1))
    (folder / "empty.npz").write_bytes(b"")
    (folder / "empty.csv").write_bytes(b"")
    (folder / "bad.toml").write_text("title = ")
    (folder / "misspelt.toml").write_text(
        '[[log_z]]\nmodel = "rbm_cd25_600.npz"\nbackend = "cpu"\nmethod = { name = "exact" }\n'
    )
    (folder / "blocked").write_text("a file where a folder should be")


MISTAKES = [
    ("run nosuch", "'nosuch'"),
    ("run bad.toml", "bad.toml"),
    ("run --seeds 0", "seeds"),
    ("run --backend gpu", "'gpu'"),
    ("run --backend cuda", "backend cuda"),
    ("run --dataset digit", "'digit'"),
    ("run --out blocked", "blocked"),
    ("run --out blocked/inside", "blocked"),
    ("train --dataset digit", "'digit'"),
    ("train --dataset nan.npy", "nan.npy"),
    ("train --dataset two.npy", "two.npy"),
    ("train --dataset flat.npy", "flat.npy"),
    ("train --dataset empty.csv", "empty.csv"),
    ("train --dataset nosuch.npz", "nosuch.npz"),
    ("train --estimator pcd", "'pcd'"),
    ("train --hidden 0", "hidden"),
    ("train --hidden many", "hidden"),
    ("train --epochs 0", "epochs"),
    ("train --batch-size 0", "batch size"),
    ("train --rate -0.1", "learning rate"),
    ("train --rate nan", "learning rate"),
    ("train --momentum 1", "momentum"),
    ("train --decay -1", "decay"),
    ("train --schedule cosine", "'cosine'"),
    ("train --seed -1", "seed"),
    ("train --seed 4294967296", "seed"),
    ("train --k 0", "k of estimator cd"),
    ("train --chains 5", "'chains'"),
    ("train --estimator sml --chains 0", "chains"),
    ("train --estimator exact --hidden 26", "enumeration"),
    ("train --backend cuda", "backend cuda"),
    ("evaluate model.npz --data good.npy --backend cuda", "backend cuda"),
    ("sample model.npz --backend cuda", "backend cuda"),
    ("train --out blocked/m.npz", "blocked"),
    ("train --out nowhere/m.npz", "nowhere"),
    ("train --out .", "folder"),
    ("evaluate nosuch.npz --data digits", "nosuch.npz"),
    ("evaluate noW.npz --data digits", "does not hold W"),
    ("evaluate shape.npz --data digits", "b must have shape"),
    ("evaluate nanW.npz --data digits", "not finite"),
    ("evaluate text.npz --data digits", "W must hold real numbers"),
    ("evaluate object.npz --data digits", "object.npz"),
    ("evaluate empty.npz --data digits", "empty.npz"),
    ("evaluate cut.npz --data digits", "cut.npz"),
    ("evaluate good.npy --data digits", "good.npy"),
    ("evaluate . --data digits", "folder"),
    ("evaluate model.npz", "--data"),
    ("evaluate model.npz --data digits", "64 columns"),
    ("evaluate model.npz --data digits:all", "all"),
    ("evaluate model.npz --data nan.npy", "nan.npy"),
    ("evaluate model.npz --data good.npy --method bridges", "did you mean 'bridge'?"),
    ("evaluate model.npz --data good.npy --start cold", "'cold'"),
    ("evaluate model.npz --data good.npy --betas adaptive --error 0", "error"),
    ("evaluate model.npz --data good.npy --chains 3", "at least 4 chains"),
    ("evaluate model.npz --data good.npy --error 0.2", "--error"),
    ("evaluate model.npz --data good.npy --method exact --betas 1000", "--betas"),
    ("evaluate model.npz --data good.npy --method exact --chains 10", "--chains"),
    ("evaluate model.npz --data good.npy --method ais --start chain", "--start"),
    ("evaluate model.npz --data good.npy --method ais --method exact --sweeps 10", "--sweeps"),
    ("evaluate model.npz --data good.npy --start exact --sweeps 1000", "--sweeps"),
    ("evaluate model.npz --data good.npy --start chain --temperatures 5", "--temperatures"),
    ("run headline --backend reference", "backend reference has no slower one"),
    ("run misspelt.toml", "there is no model file rbm_cd25_600.npz"),
    ("evaluate model.npz --data good.npy --sweeps 0", "sweeps"),
    ("evaluate model.npz --data good.npy --temperatures 1", "2 temperatures"),
    ("evaluate model.npz --data good.npy --betas 1", "temperatures"),
    ("evaluate model.npz --data good.npy --betas some", "betas"),
    ("evaluate model.npz --data good.npy --chains 1", "chains"),
    ("evaluate model.npz --data good.npy --seed -1", "seed"),
    ("sample nosuch.npz", "nosuch.npz"),
    ("sample model.npz --count 0", "samples"),
    ("sample model.npz --sweeps 0", "sweeps"),
    ("train --set k", "NAME=VALUE"),
    ("train --set k=two", "'two'"),
    ("train --set k=2 --k 3", "given twice"),
    ("train --set sweeps=2", "'sweeps'"),
    ("train --estimator parallel_tempering --set temperatures=1", "temperatures"),
    ("train --estimator nce --set noise=none.npz", "none.npz"),
    ("sample model.npz --out a.jpeg", "a.jpeg"),
    ("sample model.npz --dataset digits", "8x8"),
    ("sample model.npz --dataset digits --out rows.npz", "a picture is drawn"),
    ("report nosuch", "nosuch"),
    ("list --jsn", "--jsn"),
    ("nosuch", "nosuch"),
]


@pytest.mark.parametrize(("line", "named"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_exit_2(ebmbench, model, tmp_path, monkeypatch, line, named):
    monkeypatch.setenv("NUMBA_DISABLE_CUDA", "1")  # so that cuda is not there, wherever this runs
    write_files(tmp_path)
    (tmp_path / "cut.npz").write_bytes(model.read_bytes()[:-200])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    status, out, err = ebmbench(*line.split())
    assert status == 2, err
    assert out == ""
    assert re.fullmatch(r"ebmbench: [^\n]+\n", err), err
    assert named in err
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("line", "job"),
    [
        ("train --epochs 1 --dataset bars_and_stripes --out new.npz", "gibbs"),
        ("sample model.npz", "gibbs"),
        ("evaluate model.npz --data bars_and_stripes", "anneal"),
    ],
)
def test_what_a_device_cannot_do_is_one_sentence(ebmbench, model, tmp_path, monkeypatch, line, job):
    said = "the GPU's memory does not hold 1000 rows; ask for fewer chains"

    def full(*_):
        raise DeviceError(said)

    small = with_job(api.load("cpu"), job, full)
    monkeypatch.setattr(api, "load", lambda name: small)
    before = sorted(tmp_path.iterdir())
    status, out, err = ebmbench(*line.split())
    assert (status, out, err.splitlines()[-1]) == (2, "", f"ebmbench: {said}")
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["train --hidden 3 --dataset", "sample"])
def test_the_input_is_never_replaced(ebmbench, model, tmp_path, command):
    np.savez(tmp_path / "rows.npz", x=np.eye(16, dtype=np.uint8))
    name = "model.npz" if command == "sample" else "rows.npz"
    before = (tmp_path / name).read_bytes()
    status, _, err = ebmbench(*command.split(), name, "--out", name)
    assert status == 2
    assert "what the work reads" in err
    assert (tmp_path / name).read_bytes() == before


def test_out_follows_a_link_and_spares_what_is_no_file(ebmbench, tmp_path):
    (tmp_path / "real.npz").write_bytes(b"old")
    (tmp_path / "link.npz").symlink_to(tmp_path / "real.npz")
    assert ebmbench("train", "--epochs", 1, "--out", "link.npz")[0] == 0
    assert (tmp_path / "link.npz").is_symlink()
    assert (tmp_path / "real.npz").read_bytes() != b"old"
    os.mkfifo(tmp_path / "pipe.npz")
    status, _, err = ebmbench("train", "--epochs", 1, "--out", "pipe.npz")
    assert status == 2
    assert "not a regular file" in err


def test_version(ebmbench):
    status, out, _ = ebmbench("--version")
    assert (status, out.split()[0]) == (0, "ebmbench")


def test_numbers_are_whole_on_a_narrow_terminal(ebmbench, model, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    _, out, _ = ebmbench("evaluate", model, "--data", "bars_and_stripes", "--method", "exact")
    assert "…" not in out


def test_debug_shows_the_traceback(ebmbench, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["ebmbench", "train", "--hidden", "0", "--debug"])
    with pytest.raises(ValueError, match="hidden"):
        main()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(ebmbench, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert ebmbench("train", "--out", "locked/m.npz")[0] == 2
    assert ebmbench("run", "--out", "locked/results")[0] == 2


def test_help_is_quick_and_imports_no_compiler():
    code = "import sys, ebmbench.cli; print('numba' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_list_imports_nothing_slow_and_compiles_nothing():
    code = """if True:
        import importlib.metadata, sys
        from ebmbench.cli import main
        from ebmbench.harness.compiling import watched
        read, times = importlib.metadata.packages_distributions, []
        importlib.metadata.packages_distributions = lambda: times.append(1) or read()
        sys.argv = ["ebmbench", "list"]
        with watched() as found:
            try:
                main()
            except SystemExit:
                pass
        from ebmbench.randomness import _fill_chains
        slow = {"pandas", "matplotlib", "scipy.stats", "scipy.optimize", "torch", "sklearn"}
        drawn = len(_fill_chains.overloads)
        print("LOADED", sorted(slow & set(sys.modules)), found.functions, drawn, len(times))
    """
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "LOADED [] 0 0 1"


def test_paragraphs_of_help_are_one_line_each_which_the_terminal_wraps():
    for command in app.registered_commands:
        assert command.help.strip()
        assert not any("\n" in paragraph for paragraph in command.help.split("\n\n"))
