"""Samplers and estimates of log Z of the user's own in a suite, on our clock and before our judge."""

from textwrap import dedent

import numba
import pytest
from conftest import complaint

from ebmbench.harness import run as harness
from ebmbench.harness import sources
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import log_z, sample
from ebmbench.models import enumerate as exact
from ebmbench.report import page

MODEL = {"random": [6, 4], "scale": 1.0, "seed": 1}
RIGHT = """
    import numpy as np
    from threadpoolctl import threadpool_info

    def probability(x):
        return 1 / (1 + np.exp(-x))

    def sample(W, b, c, chains, seed, wrong=0.0):
        rng = np.random.default_rng(seed)
        v = 1 * (rng.random((chains, len(b))) < 0.5)
        while True:
            h = rng.random((chains, len(c))) < probability(v @ W + c)
            v = 1 * (rng.random(v.shape) < probability(h @ W.T + b + wrong))
            yield v

    def log_z(W, b, c, bias, seed, n=4000):
        rng = np.random.default_rng(seed)
        v = rng.random((n, len(b))) < probability(bias)
        w = np.exp(v @ (b - bias) + np.logaddexp(0, v @ W + c).sum(1))
        return np.log(w.mean()) + np.logaddexp(0, bias).sum(), w.std() / w.mean() / n**0.5
"""
THREADS = """
    from threadpoolctl import threadpool_info

    def log_z(W, b, c, bias, seed):
        return max(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"), 0
"""


def written(folder, text=RIGHT):
    path = folder / "mine.py"
    path.write_text(dedent(text))
    return str(path)


def sampling(name, **settings):
    return sample.Case(
        model=MODEL, backend="cpu", sampler={"name": name, **settings}, sweeps=2000, burn_in=100
    )


def estimating(name, **settings):
    return log_z.Case(model=MODEL, backend="cpu", method={"name": name, **settings})


def run(folder, *cases):
    return harness.run(Suite("tiny", "Tiny", True, cases), folder / "out")


def test_a_sampler_is_seen_to_be_right_or_wrong(tmp_path):
    """It has the effective draws of ours, and the exact law's distance; one with another bias has not."""
    name = written(tmp_path)
    ours, right, wrong = run(tmp_path, sampling("gibbs"), sampling(name), sampling(name, wrong=0.5))
    assert [row["status"] for row in (ours, right, wrong)] == ["done"] * 3, right["reason"]
    assert right["ess"] == pytest.approx(ours["ess"], rel=0.15)
    assert right["total_variation"] < 1.5 * right["total_variation_floor_ess"]
    assert wrong["total_variation"] > 2 * wrong["total_variation_floor_ess"]
    assert right["sampler"].startswith("mine.py #")
    assert wrong["settings"] == {"wrong": 0.5}
    page.write_page(tmp_path / "out")
    assert "mine.py" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_an_estimate_is_held_against_the_truth(tmp_path):
    (row,) = run(tmp_path, estimating(written(tmp_path), n=20_000))
    assert row["status"] == "done", row["reason"]
    assert row["truth"] == pytest.approx(exact.log_z(sources.load_model(MODEL)))
    assert 0 < row["std_error"] < 0.1
    assert abs(row["error"]) < 5 * row["std_error"]
    assert row["seconds"] > 0


def test_code_of_the_users_has_all_threads_of_a_blas(tmp_path):
    (row,) = run(tmp_path, estimating(written(tmp_path, THREADS)))
    assert row["log_z"] == numba.get_num_threads()


def test_a_file_that_is_gone_is_a_failed_case_and_not_the_end(tmp_path):
    name = written(tmp_path)
    cases = sampling(name), estimating(name), sampling("gibbs")
    (tmp_path / "mine.py").unlink()
    rows = run(tmp_path, *cases)
    assert [row["status"] for row in rows] == ["failed", "failed", "done"]
    assert "there is no file" in rows[0]["reason"]


@pytest.mark.parametrize("make", [sampling, estimating])
def test_a_changed_file_runs_again(tmp_path, make):
    case = make(written(tmp_path))
    (first,) = run(tmp_path, case)
    assert run(tmp_path, case) == [first]
    written(tmp_path, RIGHT + "\n")
    (second,) = run(tmp_path, case)
    assert second["software"] != first["software"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("for _ in range(3): yield [[0] * 6] * 10", "ended after 3 yields; it must go on without end"),
        ("yield [[0] * 6] * 9", "must have the shape (10, 6), but is given (9, 6)"),
        ("yield [[0.5] * 6] * 10", "has states other than 0 and 1"),
        ("return [[0] * 6] * 10", "must be a generator: it has no yield"),
        ("raise ValueError('no'); yield", "ValueError: no"),
        ("raise SystemExit(0); yield", "the program was ended with status 0"),
    ],
)
def test_what_a_sampler_may_do_wrong(tmp_path, body, words):
    if body.startswith("yield"):
        body = f"while True: {body}"
    text = f"def sample(W, b, c, chains, seed):\n    {body}\n"
    (row,) = run(tmp_path, sampling(written(tmp_path, text)))
    assert row["status"] == "failed"
    assert words in row["reason"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 3.0", "must return an estimate and its standard error: "),
        ("return 'a', 'b'", "must return an estimate and its standard error"),
        ("return float('nan'), 0", "returned nan ± 0"),
        ("return 1.0, -1.0", "returned 1 ± -1"),
        ("return 1.0, float('inf')", "returned 1 ± inf"),
    ],
)
def test_what_an_estimate_may_do_wrong(tmp_path, body, words):
    text = f"def log_z(W, b, c, bias, seed):\n    {body}\n"
    (row,) = run(tmp_path, estimating(written(tmp_path, text)))
    assert row["status"] == "failed"
    assert words in row["reason"]


def test_mistakes_before_anything_runs(tmp_path):
    name = written(tmp_path, "x = 1\n")
    assert f"{name} has no function sample(W, b, c, chains" in complaint(sampling, name)
    for make in (sampling, estimating):
        assert "seed of" in complaint(make, written(tmp_path), seed=3)
        assert "does not take" in complaint(make, written(tmp_path), q=3)
    name = written(tmp_path, "x = 1\n")
    assert f"{name} has no function log_z(W, b, c, bias" in complaint(estimating, name)
    assert "there is no file nowhere.py" in complaint(sampling, "nowhere.py")
    assert "known are gibbs, parallel_tempering, MODULE:ATTRIBUTE, FILE.py" in complaint(sampling, "x")
    assert "MODULE:ATTRIBUTE, FILE.py" in complaint(estimating, "x")


def test_other_models_are_not_for_code_of_the_users(tmp_path):
    lattice, name = {"lattice": [4, 4], "coupling": 0.4}, written(tmp_path)
    rows = run(
        tmp_path,
        sample.Case(model=lattice, backend="cpu", sampler={"name": name}),
        log_z.Case(model=lattice, backend="cpu", method={"name": name}),
    )
    assert [row["status"] for row in rows] == ["failed", "failed"]
    assert all("is other software, which" in row["reason"] for row in rows)
