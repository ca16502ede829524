"""Running cases: from an attempt to a row, whatever happens."""

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from ebmbench.errors import LOST, DeviceError, Unavailable, UserError
from ebmbench.harness import gate, machine, tasks
from ebmbench.harness.clock import Timeout
from ebmbench.harness.gate import Red
from ebmbench.harness.neighbours import Watch
from ebmbench.harness.spec import Suite
from ebmbench.harness.table import SCHEMA_VERSION, Store
from ebmbench.harness.tasks import Case
from ebmbench.kernels import api
from ebmbench.training.fit import Diverged


@dataclass
class Progress:
    """What a caller may show while a suite runs: called before and after every case."""

    started: Callable[[int, Case], None] = lambda number, case: None
    finished: Callable[[int, Case, dict[str, Any], bool], None] = lambda n, case, row, again: None


def run(suite: Suite, folder: Path, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Run a suite's cases and return their rows; those that a former run finished are not repeated.

    Those that failed then are tried last: one that takes the device from its process takes it from all
    that follow, which are `unavailable` and not failures of their own.

    Raises `UserError` where the folder cannot be written, and `Unavailable` before anything is done
    where the suite needs a backend that is not to be had.
    """
    if suite.needs and api.load(suite.needs).name != suite.needs:
        raise Unavailable(f"suite {suite.name} needs a GPU, and Numba's simulator is none")
    progress = progress or Progress()
    keys = [_key(case) for case in suite.cases]
    store = Store(folder, keys)
    try:
        return _finished(suite, keys, store, progress)
    finally:
        store.close()


def _finished(suite: Suite, keys: list[str], store: Store, progress: Progress) -> list[dict[str, Any]]:
    """The rows of a suite's cases, those that the store has not yet run and added to it."""
    rows: dict[int, dict[str, Any]] = {}
    lost: set[str] = set()  # what was said of devices that were lost
    for number in sorted(range(len(keys)), key=lambda n: keys[n] in store.failed):
        key, case = keys[number], suite.cases[number]
        progress.started(number, case)
        row = store.finished.get(key)
        if row is not None and not _same_inputs(case, row):
            row = None  # the user's file has changed
        again = row is not None
        if row is None:
            row, curve, arrays = _attempt(suite, case, key)
            if row["reason"] in lost:
                row["status"] = "unavailable"
            elif row["status"] == "failed" and LOST in row["reason"]:
                lost.add(row["reason"])
            store.add(row, curve, arrays)
        rows[number] = row
        progress.finished(number, case, row, again)
    return [rows[number] for number in range(len(keys))]


def _same_inputs(case: Case, row: dict[str, Any]) -> bool:
    """Whether a finished row still tells of its case: what is not here now is no reason for doubt."""
    try:
        return case.inputs().items() <= row.items()
    except Unavailable:
        return True
    except UserError:
        return False


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
        "task": case.task,
        **case.facts(),
        "machine": machine.machine_id(),
        "code_version": machine.code_version(),
        "dataset_digest": None,  # until the data are there
    }
    curve: list[dict[str, Any]] = []
    arrays = None
    try:
        # The reference's BLAS gets one thread: its small products gain nothing from more, and threads
        # that spin while they wait make it many times slower on a machine that others use too.
        with threadpool_limits(limits=1, user_api="blas"):
            k = api.load(case.backend)
            row |= {"backend": k.name, "device": k.describe()}
            row |= case.inputs()
            row["compile_s"] = gate.demand(case.backend, case.kinds)
            threads = numba.get_num_threads() if case.user_code else 1
            with threadpool_limits(limits=threads, user_api="blas"):
                watch = Watch()
                try:
                    arrays = tasks.known()[case.task].run(case, row, curve)
                finally:
                    row["others_cores"] = watch.cores()
        row |= {"status": "done", "reason": None}
    except Diverged as error:
        row |= {"status": "diverged", "reason": str(error)}
    except Timeout as error:
        row |= {"status": "timeout", "reason": str(error)}
    except Unavailable as error:
        row |= {"status": "unavailable", "reason": str(error)}
    except Red as error:
        row |= {"status": "red", "reason": str(error)}
    except SystemExit as end:  # of the user's code: it must not end the run
        row |= {"status": "failed", "reason": f"the program was ended with status {end.code}"}
    except (DeviceError, UserError) as error:
        row |= {"status": "failed", "reason": str(error)}
    except Exception as error:  # a case must not take the others with it
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} (in {Path(where.filename).name}:{where.lineno})"
        row |= {"status": "failed", "reason": reason, "traceback": traceback.format_exc()}
    if row["backend"] != case.backend:  # it is simulated: what its seconds say is of no hardware
        row, curve = _without_times(row), [_without_times(point) for point in curve]
    return row, [{"key": key, "attempt": row["attempt"], **point} for point in curve], arrays


# Fields that a clock had a part in: train_s, update_s_low, ess_per_s, seconds_to_target, samples, ...
_TIMED = re.compile(
    r"(.+_s|.+_per_ns|seconds|seconds_to_target|samples|fraction|sweeps_a_turn)(_low|_high)?"
)


def _without_times(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row, or of a point of its curve, that no clock had a part in."""
    return {
        name: value for name, value in fields.items() if name == "timeout_s" or not _TIMED.fullmatch(name)
    }
