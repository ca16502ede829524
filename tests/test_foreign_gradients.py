"""Gradients of the user's own in a suite: their bias and variance against the exact one."""

from textwrap import dedent

import pytest
from conftest import complaint

from ebmbench.harness import run as harness
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import gradient, train

CD = """
    import numpy as np

    def probability(x):
        return 1 / (1 + np.exp(-x))

    def gradient(W, b, c, batch, seed, k=1, factor=1.0, same=False):
        rng = np.random.default_rng(0 if same else seed)
        v, p = batch, probability(batch @ W + c)
        for _ in range(k):
            h = rng.random((len(v), len(c))) < probability(v @ W + c)
            v = 1.0 * (rng.random(v.shape) < probability(h @ W.T + b))
        q, n = probability(v @ W + c), len(batch)
        return factor * (batch.T @ p - v.T @ q) / n, factor * (batch - v).mean(0), (p - q).mean(0)
"""
FIELDS = {
    "model": {"random": [6, 4], "scale": 1.0, "seed": 1}, "backend": "cpu", "temperature": 0.5,
    "replicates": 400, "rows": 50,
}  # fmt: skip


def written(folder, text=CD):
    path = folder / "mine.py"
    path.write_text(dedent(text))
    return str(path)


def of(name, **settings):
    return gradient.Case(**FIELDS, estimator={"name": name, **settings})


def run(folder, *cases):
    return harness.run(Suite("tiny", "Tiny", True, cases), folder / "out")


@pytest.mark.parametrize("k", [1, 5])
def test_cd_has_the_bias_and_the_variance_of_ours(tmp_path, k):
    name = written(tmp_path)
    ours, theirs = run(tmp_path, of("cd", k=k), of(name, k=k))
    assert theirs["status"] == "done", theirs["reason"]
    assert theirs["gradient_norm"] == ours["gradient_norm"]
    reach = 5 * (theirs["bias_std_error"] + ours["bias_std_error"])
    assert theirs["bias"] == pytest.approx(ours["bias"], abs=reach)
    assert theirs["variance"] == pytest.approx(ours["variance"], rel=0.2)
    assert theirs["estimator"].startswith("mine.py #")
    assert theirs["settings"] == {"k": k}
    assert not theirs["persistent"]


def test_what_is_wrong_is_seen(tmp_path):
    name = written(tmp_path)
    right, doubled, same = run(tmp_path, of(name), of(name, factor=2.0), of(name, same=True))
    assert doubled["bias"] > right["bias"] + 5 * right["bias_std_error"]
    assert doubled["variance"] > 2 * right["variance"]
    assert same["variance"] < 1e-12 < right["variance"]  # each call has another seed


def test_the_clock_waits_until_the_arrays_are_there(tmp_path):
    """As of a GPU, or of JAX, which give back promises."""
    text = """
        from time import sleep
        import numpy as np

        class Promise:
            def __init__(self, array):
                self.array = array

            def __array__(self, dtype=None, copy=None):
                sleep(0.01)
                return self.array

        def gradient(W, b, c, batch, seed):
            return Promise(W), b, c
    """
    case = gradient.Case(**FIELDS | {"replicates": 3}, estimator={"name": written(tmp_path, text)})
    (row,) = run(tmp_path, case)
    assert row["status"] == "done", row["reason"]
    assert row["step_s"] >= 0.01


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return W, b", "must return three arrays, for W, b and c"),
        ("return 'W', b, c", "must return three arrays, for W, b and c"),
        ("return None", "must return three arrays, for W, b and c"),
        ("return W.T, b, c", "must have the shape (6, 4), but is given (4, 6)"),
        ("return W, b * float('nan'), c", "has values that are not finite"),
        ("raise ValueError('no')", "ValueError: no"),
    ],
)
def test_what_a_gradient_may_do_wrong(tmp_path, body, words):
    (row,) = run(tmp_path, of(written(tmp_path, f"def gradient(W, b, c, batch, seed):\n    {body}\n")))
    assert row["status"] == "failed"
    assert words in row["reason"]


def test_a_changed_file_runs_again(tmp_path):
    case = of(written(tmp_path))
    (first,) = run(tmp_path, case)
    assert run(tmp_path, case) == [first]
    written(tmp_path, CD + "\n")
    assert run(tmp_path, case)[0]["software"] != first["software"]


def test_mistakes_before_anything_runs(tmp_path):
    name = written(tmp_path, "x = 1\n")
    assert f"{name} has no function gradient(W, b, c, batch, seed)" in complaint(of, name)
    assert "unknown estimator 'numpy'" in complaint(of, "numpy")
    fields = {"dataset": "digits", "backend": "cpu"}
    assert "has no function train(" in complaint(train.Case, estimator={"name": name}, **fields)
