"""Running cases: gate, warm-up, clocked training with evaluation off the clock, one row each."""

import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ebmbench import datasets
from ebmbench.datasets import Dataset
from ebmbench.errors import Unavailable, UserError
from ebmbench.evaluation.mixture import baselines
from ebmbench.evaluation.samples import draw
from ebmbench.harness import gate, judge, machine
from ebmbench.harness.clock import Clock, Timeout
from ebmbench.harness.gate import Red
from ebmbench.harness.spec import Case, Suite
from ebmbench.harness.table import SCHEMA_VERSION, Store
from ebmbench.kernels import api
from ebmbench.kernels.api import Backend
from ebmbench.models.rbm import RBM
from ebmbench.training.fit import Diverged, Fit, initial_model

SAMPLES = 64
_SAMPLE_SWEEPS = 2_000


@dataclass
class Progress:
    """What a caller may show while a suite runs: called before and after every case."""

    started: Callable[[int, Case], None] = lambda number, case: None
    finished: Callable[[int, Case, dict[str, Any], bool], None] = lambda n, case, row, again: None


@cache
def load_dataset(name: str) -> Dataset:
    """A dataset, read once a process."""
    return datasets.load(name)


@cache
def _baselines(dataset: str) -> dict[str, float]:
    data = load_dataset(dataset)
    return baselines(data.train, data.test)


def run(suite: Suite, folder: Path, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Run a suite's cases and return their rows; those that a former run finished are not repeated.

    Raises `UserError` where the folder cannot be written.
    """
    progress = progress or Progress()
    store = Store(folder)
    rows = []
    for number, case in enumerate(suite.cases):
        key = _key(case)
        progress.started(number, case)
        row = store.finished.get(key)
        if row is not None and row["dataset_digest"] != _digest(case.dataset):
            row = None  # the user's file has changed
        again = row is not None
        if row is None:
            row, curve, model = _attempt(suite, case, key)
            store.add(row, curve, model)
        rows.append(row)
        progress.finished(number, case, row, again)
    return rows


def _digest(dataset: str) -> str | None:
    try:
        return load_dataset(dataset).digest
    except UserError:
        return None


def _key(case: Case) -> str:
    parts = (case.canonical(), machine.code_version(), machine.machine_id())
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


Attempt = tuple[dict[str, Any], list[dict[str, Any]], dict[str, np.ndarray] | None]


def _attempt(suite: Suite, case: Case, key: str) -> Attempt:
    """Run one case; whatever happens becomes a row."""
    row: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "key": key,
        "attempt": datetime.now(UTC).isoformat(timespec="microseconds"),
        "suite": suite.name,
        "title": suite.title,
        "indicative": suite.indicative,
        "task": "train",
        **asdict(case),
        "estimator": case.label,
        "settings": case.settings,
        "estimator_name": case.estimator["name"],
        "machine": machine.machine_id(),
        "code_version": machine.code_version(),
        "dataset_digest": None,  # until the data are there
    }
    curve: list[dict[str, Any]] = []
    model = None
    try:
        # The reference's BLAS gets one thread: its small products gain nothing from more, and threads
        # that spin while they wait make it many times slower on a machine that others use too.
        with threadpool_limits(limits=1, user_api="blas"):
            model = _train(case, row, curve)
        row |= {"status": "done", "reason": None}
    except Diverged as error:
        row |= {"status": "diverged", "reason": str(error)}
    except Timeout as error:
        row |= {"status": "timeout", "reason": str(error)}
    except Unavailable as error:
        row |= {"status": "unavailable", "reason": str(error)}
    except Red as error:
        row |= {"status": "red", "reason": str(error)}
    except Exception as error:  # a case must not take the others with it
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} (in {Path(where.filename).name}:{where.lineno})"
        row |= {"status": "failed", "reason": reason, "traceback": traceback.format_exc()}
    return row, [{"key": key, "attempt": row["attempt"], **point} for point in curve], model


def _train(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> dict[str, np.ndarray] | None:
    """Train one case, filling in its row and its curve as it goes; returns the model's arrays."""
    k = api.load(case.backend)
    data = load_dataset(case.dataset)
    row |= {
        "dataset_digest": data.digest,
        "device": k.describe(),
        "n_visible": data.n_visible,
        "n_train": len(data.train),
        "n_test": len(data.test),
        "ceiling": data.ceiling,
        **_baselines(case.dataset),
    }
    model = initial_model(data.train, case.hidden, case.seed)
    checked_s = gate.demand(case.backend)
    gate.demand(judge.BACKEND)
    row["compile_s"] = checked_s + _warm_up(k, case, data, model)
    look = judge.Judge(case, data)

    started = perf_counter()
    fit = _fit(k, case, data, model)
    k.synchronize()
    row["put_s"] = perf_counter() - started
    row["updates"] = fit.steps

    curve.append(look(fit, 0.0))
    clock = Clock(k, fit, case.timeout_s)
    try:
        for update in _checkpoints(fit.steps, case.checkpoints):
            clock.advance_to(update)
            curve.append(look(fit, clock.seconds))
    finally:
        row |= clock.summary()
        row |= {name: curve[-1][name] for name in judge.FIELDS} | look.facts
    trained = fit.model
    return {
        "W": trained.W,
        "b": trained.b,
        "c": trained.c,
        "samples": draw(look.k, trained, SAMPLES, _SAMPLE_SWEEPS, case.seed),
        "log_weights": look.log_weights,
        "image_shape": np.array(data.image_shape or (1, data.n_visible)),
        "image_order": np.array(data.image_order),
    }


def _fit(k: Backend, case: Case, data: Dataset, model: RBM) -> Fit:
    return Fit(
        k,
        model,
        data.train,
        case.estimator["name"],
        case.settings,
        case.optimiser,
        case.epochs,
        case.batch_size,
        case.seed,
    )


def _warm_up(k: Backend, case: Case, data: Dataset, model: RBM) -> float:
    """Seconds that the first update takes beyond the second: compilation, or loading what is cached."""
    fit = _fit(k, replace(case, rate=1e-30), data, model)  # too small a rate to diverge
    seconds = []
    for _ in range(2):
        started = perf_counter()
        fit.advance(1)
        k.synchronize()
        seconds.append(perf_counter() - started)
    return max(0.0, seconds[0] - seconds[1])


def _checkpoints(updates: int, count: int) -> list[int]:
    """Numbers of updates, evenly spaced in their logarithm, the last one always among them."""
    return sorted({updates, *(int(n) for n in np.geomspace(1, updates, count).round())})
