"""Running cases: gate, warm-up, clocked training with evaluation off the clock, one row each."""

import os
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import numba
import numpy as np

from ebmbench import datasets
from ebmbench.datasets import Dataset
from ebmbench.errors import UserError
from ebmbench.evaluation.likelihood import base_rates, evaluate, mean_free_energy
from ebmbench.evaluation.mixture import baselines
from ebmbench.evaluation.samples import draw
from ebmbench.harness import gate, machine
from ebmbench.harness.spec import Case, Suite
from ebmbench.harness.table import SCHEMA_VERSION, Store
from ebmbench.kernels import api
from ebmbench.kernels.api import Backend
from ebmbench.models.rbm import RBM
from ebmbench.partition import BaseRates
from ebmbench.training.fit import Diverged, Fit, initial_model

EVALUATOR = "cpu"  # judges the models of every backend alike
SAMPLES = 64
_SLICE_S = 0.5  # how long the clock runs before the time limit is looked at
_SAMPLE_SWEEPS = 2_000


class _Timeout(Exception):
    """A case used up its clocked seconds."""


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
def _gate(backend: str) -> str | None:
    return gate.check(api.load(backend))


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
        again = row is not None
        if row is None:
            row, curve, model = _attempt(suite, case, key)
            store.add(row, curve, model)
        rows.append(row)
        progress.finished(number, case, row, again)
    return rows


def _key(case: Case) -> str:
    try:
        digest = load_dataset(case.dataset).digest
    except UserError:
        digest = "unavailable"
    parts = (case.canonical(), machine.code_version(digest), machine.machine_id())
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
    }
    curve: list[dict[str, Any]] = []
    model = None
    try:
        reason = _gate(case.backend)
        if reason:
            row |= {"status": "red", "reason": reason}
        else:
            model = _train(case, row, curve)
            row |= {"status": "done", "reason": None}
    except Diverged as error:
        row |= {"status": "diverged", "reason": str(error)}
    except _Timeout as error:
        row |= {"status": "timeout", "reason": str(error)}
    except UserError as error:
        row |= {"status": "unavailable", "reason": str(error)}
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
        "code_version": machine.code_version(data.digest),
        "device": k.describe(),
        "n_visible": data.n_visible,
        "n_train": len(data.train),
        "n_test": len(data.test),
        "ceiling": data.ceiling,
        **_baselines(case.dataset),
    }
    judge = _Judge(case, data)
    model = initial_model(data.train, case.hidden, case.seed)
    row["compile_s"] = _warm_up(k, case, data, model)

    started = perf_counter()
    fit = _fit(k, case, data, model)
    k.synchronize()
    row["put_s"] = perf_counter() - started
    row["updates"] = fit.steps

    curve.append(judge.look(fit, 0.0))
    clock = _Clock(k, fit, case.timeout_s)
    try:
        for update in _checkpoints(fit.steps, case.checkpoints):
            clock.advance_to(update)
            curve.append(judge.look(fit, clock.seconds))
    finally:
        row |= clock.summary()
        row |= {f"{name}": curve[-1][name] for name in judge.fields}
    return {
        "W": fit.model.W,
        "b": fit.model.b,
        "c": fit.model.c,
        "samples": draw(judge.k, fit.model, SAMPLES, _SAMPLE_SWEEPS, case.seed),
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
    """Numbers of updates, evenly spaced in their logarithm, the last one included."""
    return sorted({int(n) for n in np.geomspace(1, updates, count).round()})


class _Clock:
    """Runs a fit while the clock runs, and stops it at the time limit."""

    def __init__(self, k: Backend, fit: Fit, limit_s: float) -> None:
        self.k, self.fit, self.limit_s = k, fit, limit_s
        self.seconds = 0.0
        self.samples: list[float] = []  # seconds an update, a slice each, ...
        self.counts: list[int] = []  # ... and the updates of the slice

    def advance_to(self, update: int) -> None:
        """Clock the fit up to this number of updates."""
        while self.fit.done < update:
            if self.seconds > self.limit_s:
                raise _Timeout(
                    f"{self.limit_s:g} s were used up after {self.fit.done} of {self.fit.steps} updates"
                )
            pace = self.seconds / self.fit.done if self.fit.done else _SLICE_S
            count = min(max(1, int(_SLICE_S / max(pace, 1e-9))), update - self.fit.done)
            started = perf_counter()
            self.fit.advance(count)
            self.k.synchronize()
            spent = perf_counter() - started
            self.seconds += spent
            self.samples.append(spent / count)
            self.counts.append(count)

    def summary(self) -> dict[str, Any]:
        """The timing fields of a row."""
        if not self.samples:
            return {"train_s": self.seconds, "updates_done": self.fit.done}
        # Every update counts alike, though a slice of many stands for it.
        low, median, high = np.quantile(np.repeat(self.samples, self.counts), [0.25, 0.5, 0.75])
        return {
            "train_s": self.seconds,
            "updates_done": self.fit.done,
            "update_s": float(median),
            "update_s_low": float(low),
            "update_s_high": float(high),
            "samples": [{"process": os.getpid(), "update_s": self.samples, "updates": self.counts}],
            "threads": numba.get_num_threads(),
        }


class _Judge:
    """Evaluates a fit's model at a checkpoint, off the clock."""

    fields = ("log_likelihood", "log_likelihood_train", "log_z", "std_error")

    def __init__(self, case: Case, data: Dataset) -> None:
        self.case, self.data = case, data
        self.k = api.load(EVALUATOR)
        reason = _gate(EVALUATOR)
        if reason:
            raise UserError(f"the backend that judges is red: {reason}")
        self.base: BaseRates = base_rates(data.train, f"train split of {data.name}")

    def look(self, fit: Fit, seconds: float) -> dict[str, Any]:
        """One line of the learning curve."""
        case = self.case
        found = evaluate(
            self.k, fit.model, self.data.test, case.evaluate, case.evaluation, self.base, case.seed
        )
        train = -mean_free_energy(self.k, fit.model, self.data.train) - found.log_z.log_z
        return {
            "update": fit.done,
            "epoch": fit.done / fit.batches,
            "seconds": seconds,
            "log_likelihood": found.mean,
            "log_likelihood_train": train,
            "log_z": found.log_z.log_z,
            "std_error": found.log_z.std_error,
        }
