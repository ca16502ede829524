"""Pseudolikelihood and ratio matching by kernels: sizes beyond every tile, extreme weights, bits."""

import numpy as np
import pytest

from ebmbench.errors import NotFinite
from ebmbench.harness.sources import random_model
from ebmbench.kernels.api import load
from ebmbench.kernels.cuda import update
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.later import Later
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, random_bits
from ebmbench.training.fit import Diverged, Fit

JOBS = ("pseudolikelihood", "ratio_matching")
# n_visible, n_hidden, rows: more than a block has of visible units (56; 16 in the simulator), of hidden
# units (64; 16) and of rows (32; 2), and of rows added up at once (16).
SIZES = [(1, 3, 2), *([(17, 18, 3), (3, 1, 17)] if SIMULATED else [(57, 65, 33), (64, 1, 17)])]


def random_rows(count, n_visible):
    return np.random.default_rng(count).integers(0, 2, (count, n_visible), dtype=np.uint8)


def run(k, job, model, v, bits=None):
    """Every array of the answer as it is stored, and the value."""
    handle = k.put(model)
    phases, value = getattr(k, job)(handle, k.put_rows(v), bits)
    return [{name: k.get_rows(part) for name, part in tree.items()} for tree in phases], float(value)


def differences(model, found, wanted):
    """The largest error of each part; beyond the units of the model there must be zeros."""
    shapes = {"W": model.W.shape, "b": model.b.shape, "c": model.c.shape}
    errors = {}
    for tree, right in zip(found, wanted, strict=True):
        assert tree.keys() == right.keys()
        for name, value in tree.items():
            inside = tuple(slice(n) for n in shapes[name])
            errors[name] = max(np.abs(value[inside] - right[name]).max(), errors.get(name, 0.0))
            outside = value.copy()
            outside[inside] = 0.0
            assert not outside.any()
    return errors


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("one_bit", [False, True], ids=["all", "one"])
@pytest.mark.parametrize("job", JOBS)
def test_agrees_with_the_reference(cuda, job, one_bit, size):
    """A weight is at most n_visible, and s and its change have errors of a few 2**-24, averaged."""
    n_visible, n_hidden, rows = size
    model, v = random_model(n_visible, n_hidden, 0.5), random_rows(rows, n_visible)
    bits = random_bits(Key(1, 0), rows, n_visible) if one_bit else None
    wanted, expected = run(load("reference"), job, model, v, bits)
    found, value = run(cuda, job, model, v, bits)
    assert value == pytest.approx(expected, abs=1e-6 * n_visible)
    errors = differences(model, found, wanted)
    assert max(errors.values()) < 1e-6 * n_visible, errors
    again, same = run(cuda, job, model, v, bits)
    assert same == value
    for one, two in zip(found, again, strict=True):
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)


@pytest.mark.parametrize("job", JOBS)
def test_weights_of_any_size_neither_overflow_nor_cancel(cuda, job):
    """Up to the limit: products of runs leave float32, and 1 - sigmoid cancels at x = 25."""
    model = random_model(7, 30, 25.0)
    W = np.clip(model.W, -79.0, 79.0)
    W[0, :2] = 80.0, -80.0
    model = RBM(W, model.b, np.where(np.arange(30) % 2, 25.0, -25.0))
    v = random_rows(5, 7)
    wanted, expected = run(load("reference"), job, model, v)
    found, value = run(cuda, job, model, v)
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert max(differences(model, found, wanted).values()) < 1e-4


@pytest.mark.parametrize("job", JOBS)
def test_a_weight_beyond_the_limit_gets_the_sentence_of_the_cpu(cuda, cpu, job):
    model, v = random_model(3, 2, 1.0), random_rows(2, 3)
    for large in (80.5, -1e6):
        model.W[2, 1] = large
        said = []
        for k in (cuda, cpu):
            with pytest.raises(NotFinite, match="80") as caught:
                run(k, job, model, v)
            said.append(str(caught.value))
        assert said[0] == said[1]


@pytest.mark.parametrize("job", JOBS)
def test_a_weight_beyond_the_limit_ends_training(cuda, monkeypatch, job):
    """Nobody looks at each value, but at one in a while, and at the last before it is kept."""
    model, v = random_model(3, 2, 1.0), random_rows(2, 3)
    model.W[2, 1] = 80.5
    monkeypatch.setattr(update, "_PATIENCE", 2)
    run = Fit(cuda, model, v, job, epochs=3)
    run.advance(1)
    with pytest.raises(Diverged, match=r"beyond .*80"):
        run.state()
    with pytest.raises(Diverged, match=r"beyond .*80"):
        run.advance(1)


def test_a_number_to_come_is_a_number():
    asked = []
    later = Later(lambda: asked.append(1) or 2.5)
    assert not asked
    assert (float(later), later + 1, 5 / later, f"{later:.2f}", repr(later)) == (
        2.5,
        3.5,
        2.0,
        "2.50",
        "2.5",
    )
    assert later
    assert not Later(lambda: 0.0)
    assert np.isnan(Later(lambda: np.nan))
    assert np.asarray(later) == 2.5
    assert len(asked) == 1


@pytest.mark.parametrize("job", JOBS)
def test_what_is_not_a_number_is_not_hidden(cuda, job):
    handle = cuda.put(random_model(4, 3, 1.0))
    c = cuda.get_rows(handle.c)
    c[1] = np.nan
    handle.c.copy_to_device(c)
    (gradient, _), value = getattr(cuda, job)(handle, cuda.put_rows(random_rows(2, 4)))
    assert np.isnan(value)
    assert np.isnan(cuda.get_rows(gradient["W"])[:, 1]).all()
