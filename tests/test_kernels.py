"""Every job of every backend against the float64 reference, by the gate of every timing."""

import dataclasses
import functools
import inspect
import subprocess
import sys

import numpy as np
import pytest
from conftest import (
    BACKENDS,
    COMPUTED,
    backend,
    complaint,
    host,
    random_rbm,
    random_rows,
    with_job,
)
from gaussian import random_gaussian
from ways import OPAQUE

from ebmbench.harness import gate
from ebmbench.kernels import api
from ebmbench.randomness import Key, Stream

pytestmark = pytest.mark.usefixtures("one_thread")

LARGER = (129, 257, 33)  # more than one wide vector of columns, and a ragged rest
JOBS = gate.labels()
KIND = "bernoulli_rbm"


@functools.cache
def found(name):
    return list(gate.findings(backend(name)))


@functools.cache
def found_larger(name):
    return list(gate.findings(backend(name), (LARGER,)))


def red(job, findings):
    """What is red of a job; it was looked at."""
    looked = [finding for finding in findings if finding.job == job]
    assert looked
    return [str(finding) for finding in looked if finding.red]


class PoisonedNumPy:
    """NumPy whose `empty` arrays hold NaN or the largest integer."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype=np.float64):
        dtype = np.dtype(dtype)
        return np.full(shape, np.nan if dtype.kind == "f" else np.iinfo(dtype).max, dtype)

    def empty_like(self, x):
        return self.empty(x.shape, x.dtype)


def poison(patch, name):
    """Let the drivers of a backend's kernels hand them poisoned outputs.

    Compiled code keeps the NumPy it was compiled with, so every kernel must have run once before.
    """
    found(name), found_larger(name)
    folder = f"ebmbench.kernels.{name}"
    for module in [m for n, m in sys.modules.items() if n.startswith(f"{folder}.")]:
        if hasattr(module, "np"):
            patch.setattr(module, "np", PoisonedNumPy())


@functools.cache
def found_poisoned(name):
    with pytest.MonkeyPatch.context() as patch:
        poison(patch, name)
        return [list(gate.findings(backend(name), sizes)) for sizes in (gate.SIZES, (LARGER,))]


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", COMPUTED)
def test_job_agrees_with_the_reference(name, job):
    assert red(job, found(name)) == []


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", COMPUTED)
def test_job_writes_all_of_its_output(name, job):
    assert red(job, found_poisoned(name)[0]) == []


@pytest.mark.parametrize("name", COMPUTED)
def test_larger_ragged_size(name):
    """Four times the terms of the gate's derivation; its margins of ten and more cover them."""
    assert [str(f) for f in [*found_larger(name), *found_poisoned(name)[1]] if f.red] == []


def test_an_output_that_is_not_written_is_seen(monkeypatch):
    poison(monkeypatch, "cpu")
    contrast = sys.modules["ebmbench.kernels.cpu.contrast"]
    monkeypatch.setattr(contrast, "find_means", lambda *args: None)
    model = random_rbm(5, 4)
    k = backend("cpu")
    rows = k.put_rows(random_rows(3, 5))
    gradient = host(k, k.moments(k.put(model), rows, rows).gradient, model)
    assert np.isnan(gradient["c"]).all()


# --- the gate itself ----------------------------------------------------------------------------


def test_gate_is_green(computed):
    assert gate.check(computed, [KIND]) is None


def test_gate_names_the_worst(computed):
    shifted = with_job(computed, "free_energy", lambda job, model, v: job(model, v) + 1.0)
    message = gate.check(shifted, [KIND])
    assert message.startswith("free_energy")
    looked = ("free_energy (float)", "free_energy (grid)")
    named = [one for one in gate.findings(computed, only=looked) if one.job in looked]
    assert f"({len(named)} findings in all)" in message


@pytest.mark.parametrize("binary", [True, False])
def test_gate_is_red_where_any_output_is_nan(computed, binary):
    """The job gives two outputs, of binary and of grey rows: either one alone must be seen."""

    def spoilt(job, model, v):
        is_binary = bool(np.isin(computed.get_rows(v), (0, 1)).all())
        return job(model, v) * (np.nan if is_binary == binary else 1.0)

    assert gate.check(with_job(computed, "free_energy", spoilt), [KIND]) is not None


# --- the contract of a backend ------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPUTED)
def test_jobs_and_signatures_are_those_of_the_reference(name):
    k, reference = backend(name), backend("reference")
    assert set(k.jobs) == set(reference.jobs)
    assert set(k.device) == set(reference.device)
    for job in reference.jobs:
        names = [list(inspect.signature(b.jobs[job]).parameters) for b in (k, reference)]
        assert names[0] == names[1], job


def test_a_model_and_rows_survive_the_journey(k):
    model = random_rbm(7, 17)
    back = k.get(k.put(model))
    for name in ("W", "b", "c"):
        # Rounding to float32: half a unit in the last place.
        np.testing.assert_allclose(getattr(back, name), getattr(model, name), rtol=2.0**-24)
    for rows in (random_rows(5, 7), random_rows(5, 7).astype(np.float32) / 3):
        assert (k.get_rows(k.put_rows(rows)) == rows).all()
    index = np.array([4, 0, 0])
    rows = random_rows(5, 7)
    assert (k.get_rows(k.take(k.put_rows(rows), index)) == rows[index]).all()


def test_put_copies(k):
    model, rows = random_rbm(3, 2), random_rows(2, 3)
    W = model.W.copy()
    handle, held = k.put(model), k.put_rows(rows)
    model.W[:] = 9.0
    rows[:] = 1 - rows
    np.testing.assert_allclose(k.get(handle).W, W, rtol=2.0**-24)
    assert (k.get_rows(held) == 1 - rows).all()


def test_states_are_binary_and_the_start_stays_as_it_is(k):
    model = random_rbm(6, 5)
    start = random_rows(9, 6)
    rows = k.put_rows(start)
    v, h = k.gibbs(k.put(model), rows, 2, Key(1, Stream.CHAINS))
    v, h = k.get_rows(v), k.get_rows(h)
    assert (v.shape, h.shape) == ((9, 6), (9, 5))
    assert np.isin(v, (0, 1)).all()
    assert np.isin(h, (0, 1)).all()
    assert (k.get_rows(rows) == start).all()


def test_get_tree_gives_the_shapes_of_the_parameters(k):
    model = k.put(random_rbm(5, 3))
    rows = k.put_rows(random_rows(4, 5))
    gradient = k.moments(model, rows, rows).gradient
    shapes = {name: value.shape for name, value in k.get_tree(model, gradient).items()}
    assert shapes == {"W": (5, 3), "b": (5,), "c": (3,)}


@pytest.mark.parametrize("gaussian", [False, True])
def test_put_tree_is_what_get_tree_was_taken_from(k, gaussian):
    """A velocity that was fetched, put back and used moves the model as the one that never left."""
    start = random_gaussian(5, 3) if gaussian else random_rbm(5, 3)
    rows = k.put_rows(random_rows(4, 5)), k.put_rows(random_rows(6, 5))
    models = [k.put(start), k.put(start)]
    velocities = [k.zeros(models[0]), k.zeros(models[0])]
    for step in range(4):
        for n in range(2):
            gradient = k.moments(models[n], *rows).gradient
            assert k.update(models[n], velocities[n], gradient, 0.1, 0.5, 0.1)
        if step == 1:
            fetched = k.get_tree(models[1], velocities[1])
            assert all((x != 0.0).any() for x in fetched.values())
            velocities[1] = k.put_tree(models[1], fetched)
    found, wanted = (k.get(model) for model in models)
    assert all((getattr(found, name) == getattr(wanted, name)).all() for name in start.names)
    assert "W" in complaint(k.put_tree, models[0], {"W": np.zeros((5, 4))})
    assert "no such parameter" in complaint(k.put_tree, models[0], {"W1": np.zeros((5, 3))})


MISFIT = """
import sys, numpy as np
from ebmbench.errors import UserError
from ebmbench.kernels.api import load
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key
k = load(sys.argv[1])
model = k.put(RBM(np.ones((6, 4)), np.ones(6), np.ones(4)))
rows = k.put_rows(np.ones((3, 5), np.uint8))
more = {"gibbs": (1, Key(1, 0)), "moments": (rows,)}.get(sys.argv[2], ())
try:
    getattr(k, sys.argv[2])(model, rows, *more)
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("job", ["gibbs", "hidden_probability", "free_energy", "moments"])
@pytest.mark.parametrize("name", BACKENDS)
def test_rows_that_do_not_fit_the_model_are_refused(name, job):
    """In a process of its own: compiled code that reads beyond its arrays may end it."""
    if name == "cuda" and OPAQUE:
        pytest.skip("another process has no such stand-in")
    backend(name)
    command = [sys.executable, "-c", MISFIT, name, job]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-300:]
    assert done.stdout.count("\n") == 1, "no sentence names the misfit"
    assert "5" in done.stdout
    assert "6" in done.stdout


def test_what_cannot_be_is_said_in_one_line(k):
    model = random_rbm(4, 3)
    rows = k.put_rows(random_rows(2, 4))
    assert "sweeps" in complaint(k.gibbs, k.put(model), rows, 0, Key(0, 0))
    assert "float, grid" in complaint(k.put, model, "double")
    for arithmetic in ("grid", "bfloat16", "bfloat16x2"):
        still = k.put(model, arithmetic)
        tree = k.zeros(still)
        message = complaint(k.update, still, tree, tree, 0.1, 0.0, 0.0)
        assert message == f"{arithmetic} arithmetic is for a model that stands still; train in float"
    without = dataclasses.replace(k, jobs={("put", KIND): k.jobs["put", KIND]})
    assert complaint(without.free_energy, without.put(model), rows).endswith(
        f"backend {k.name} has no free_energy for {KIND}"
    )


def test_an_unknown_backend_is_named():
    assert "'gpu'" in complaint(api.load, "gpu")


@pytest.mark.parametrize("name", api.BACKENDS)
def test_every_backend_loads_or_gives_its_reason(name):
    state = api.state(name)
    assert "\n" not in state
    if state == api.READY:
        assert api.load(name).name == name
    else:
        assert complaint(api.load, name) == state
        assert name in state
