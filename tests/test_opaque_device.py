"""What stands on a backend takes its arrays for what they are: on the device, and no business of NumPy's.

See `opaque`. Whoever computes with rows or trees by itself, rather than by a job, is found here and not
on a GPU.
"""

import numpy as np
import opaque
import pytest
from conftest import random_rbm, random_rows
from deep import BATCH, ROWS, bits, random_dbm, stack, trained
from general import random_general
from opaque import Opaque

from ebmbench import estimators, partition
from ebmbench.evaluation import sandwich
from ebmbench.evaluation.bounds import lower_bound
from ebmbench.evaluation.classification import classify
from ebmbench.evaluation.likelihood import evaluate
from ebmbench.evaluation.samples import draw
from ebmbench.harness import gate
from ebmbench.harness import run as harness
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import consistency, gradient, log_z, sample, train
from ebmbench.kernels import api
from ebmbench.models import dbm
from ebmbench.models.augmented import AugmentedMLP
from ebmbench.models.dbn import DBN
from ebmbench.training.adam import Adam
from ebmbench.training.fit import STARTS, Fit
from ebmbench.training.initial import initial_network
from ebmbench.training.joint import Joint, Phases
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.sgd import SGD
from ebmbench.training.supervised import Supervised


@pytest.fixture(scope="module")
def k():
    """The cpu behind the wrapper."""
    return opaque.backend(Opaque)


def test_the_wrapper_refuses():
    rows = Opaque(np.ones((3, 2), np.uint8))
    assert (rows.shape, len(rows[1:]), rows.dtype) == ((3, 2), 2, np.uint8)
    for work in (
        lambda: rows + 1, lambda: np.ones(2) * rows, lambda: rows[0], lambda: rows[::2],
        lambda: list(rows), lambda: bool(rows), lambda: np.asarray(rows), lambda: rows == 1,
        lambda: np.concatenate([rows, rows]), lambda: rows.sum(), lambda: rows.T,
    ):  # fmt: skip
        with pytest.raises((TypeError, AttributeError)):
            work()


@pytest.mark.parametrize(
    ("name", "centred"), [*((name, False) for name in estimators.known()), ("cd", True), ("nce", True)]
)
def test_a_fit(k, name, centred):
    visible = "gaussian" if name == "score_matching" else "binary"
    rows = random_rows(7, 6)
    settings = {"chains": 3} if name in ("sml", "parallel_tempering") else {}
    fits = [
        Fit(
            backend, STARTS[visible](rows, 3, 0), rows, name, settings,
            SGD(centred=centred), epochs=2, batch_size=3,
        )
        for backend in (k, api.load("cpu"))
    ]  # fmt: skip
    models = []
    for fit in fits:
        fit.advance(fit.steps)
        models.append(fit.model)
    for part in models[0].names:
        np.testing.assert_array_equal(*(getattr(model, part) for model in models))


RUNS = {
    "stack": lambda k: stack(k, masks=[None, random_rows(5, 4, seed=8), None]),
    "stack, sml, centred": lambda k: stack(
        k, estimator="sml", settings={"chains": 3}, optimiser=SGD(centred=True)
    ),
    "pretrained": lambda k: Pretrained(
        k, ROWS, [5, 4, 3], {}, None, 1, SGD(centred=True), 1, BATCH, 0, Phases(3)
    ),
    "general": lambda k: Joint(
        k, random_general(6, 4), ROWS, SGD(centred=True), 3, BATCH, 0, Phases(3, mean_field=2)
    ),
    "sgd": lambda k: Supervised(k, NETWORK, ROWS, np.arange(11) % 3, SGD(), 2, BATCH),
    "adam": lambda k: Supervised(k, NETWORK, ROWS, np.arange(11) % 3, Adam(), 2, BATCH),
}
NETWORK = initial_network([6, 5, 3], ["tanh", "linear"], 1)


@pytest.mark.parametrize("name", RUNS)
def test_a_deep_run_and_its_state(k, name):
    """Half of it, its state on the host, and the rest from there."""
    whole = trained(RUNS[name](api.load("cpu")))
    first, second = RUNS[name](k), RUNS[name](k)
    first.advance(4)
    state = first.state()
    assert all(type(x) is np.ndarray for x in state.values())
    second.restore(state)
    second.advance(second.steps - 4)
    assert (bits(second.model) == bits(whole)).all()


def test_deep_models_judged(k):
    model, settings = random_dbm(6, 5, 4), {"betas": 5, "chains": 4}
    rows, labels = random_rows(5, 6), np.arange(5) % 3
    layers = DBN((random_rbm(6, 5), random_rbm(5, 4)))
    whole = AugmentedMLP(model, dbm.classifier(model, 3))
    cpu = api.load("cpu")
    for one, other in (
        (lower_bound(k, model, rows, "ais", settings), lower_bound(cpu, model, rows, "ais", settings)),
        (lower_bound(k, layers, rows, "ais", settings), lower_bound(cpu, layers, rows, "ais", settings)),
    ):
        assert (one.mean, one.sampling_error) == (other.mean, other.sampling_error)
    assert classify(k, whole, rows, labels) == classify(cpu, whole, rows, labels)
    machine = random_general(6, 4)
    pair = [lower_bound(one, machine, rows, "ais", settings) for one in (k, cpu)]
    assert pair[0].mean == pair[1].mean
    for deep in (model, layers, machine):
        assert (draw(k, deep, 4, 3, 0) == draw(cpu, deep, 4, 3, 0)).all()


@pytest.mark.parametrize("settings", [{"betas": 20}, {"betas": "adaptive", "error": 0.5}])
@pytest.mark.parametrize("name", partition.known())
@pytest.mark.parametrize("start", ["exact", "parallel_tempering", "chain"])
def test_log_z(k, name, start, settings):
    if name == "exact":
        settings = {}
    elif name == "ais":
        settings = {**settings, "chains": 10}
    else:
        settings = {**settings, "chains": 10, "start": start, "sweeps": 5, "temperatures": 3}
    model, rows = random_rbm(6, 3), random_rows(5, 6)
    found, wanted = (evaluate(one, model, rows, name, settings) for one in (k, api.load("cpu")))
    assert (found.mean, found.log_z.log_z) == (wanted.mean, wanted.log_z.log_z)


def test_the_sandwich_and_samples(k):
    model, rows = random_rbm(6, 3), random_rows(5, 6)
    settings = {"betas": 20, "chains": 10, "sweeps": 5}
    base = partition.base_rates(rows, "rows")
    found = sandwich.sandwich(k, model, rows, sandwich.DEFAULT, settings, base, 0)
    assert found.gap is not None
    assert draw(k, model, 4, 3, 0).shape == (4, 6)


def test_the_gate(k):
    assert [str(one) for one in gate.findings(k, [(7, 3, 2)]) if one.red] == []


SMALL = {"random": [6, 3]}
CASES = [
    train.Case(
        backend="cpu", dataset="bars_and_stripes_3x3", estimator={"name": "sml", "chains": 5}, hidden=4,
        epochs=2, betas=20, chains=5, checkpoints=2, resolve=True,
    ),
    gradient.Case(
        backend="cpu", model=SMALL, estimator={"name": "cd"}, rows=5, replicates=4, burn_in=2, thin=1
    ),
    log_z.Case(backend="cpu", model=SMALL, method={"name": "bridge", "betas": 20, "chains": 4}),
    sample.Case(backend="cpu", model=SMALL, sampler="gibbs", chains=2, sweeps=5, burn_in=2),
    sample.Case(
        backend="cpu", model=SMALL, sampler={"name": "parallel_tempering", "temperatures": 3}, chains=2,
        sweeps=5, burn_in=2,
    ),
    consistency.Case(backend="cpu", family="rbm", estimator={"name": "nce"}, n=20, updates=5),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{n} {case.task}" for n, case in enumerate(CASES)])
def test_a_task(k, case, tmp_path, monkeypatch):
    load = api.load
    monkeypatch.setattr(api, "load", lambda name: k if name == "cpu" else load(name))
    monkeypatch.setattr(gate, "demand", lambda *_: 0.0)
    (row,) = harness.run(Suite("tiny", "Tiny", True, (case,)), tmp_path)
    assert row["status"] == "done", row.get("traceback", row["reason"])
