"""Two systems that do the same work, compared: turns A B B A ... in a process, ratios with an interval.

A turn of one system is some pieces of work, as many as take about `turn_s`; a pair of turns gives one
ratio, and pairs change their order so that a drift of the machine cancels. Medians can differ from
process to process, by where memory happens to lie, so each process is a sample where there are several.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from time import perf_counter, sleep
from typing import Any, NamedTuple

import numba
import numpy as np
from scipy.special import stdtrit
from threadpoolctl import threadpool_limits

from ebmbench.compile import PACKAGE
from ebmbench.harness.clock import Timeout
from ebmbench.harness.measures import figure
from ebmbench.harness.tasks import Case

COVERAGE = 0.95
LEAST = 3  # samples of an interval
_REST_S = 0.2  # until the threads of the system before have stopped spinning
_MOST_PIECES = 10_000  # of one turn


class System(NamedTuple):
    """One of the two: run(n) does n pieces of work and waits for them.

    threads: whether threads of this processor work; blas: whether in NumPy's BLAS, which then gets one
    thread or all, whichever is faster here: on small products, or where others use the machine, threads
    that wait for each other cost more than they bring.
    """

    run: Callable[[int], Any]
    threads: bool = True
    blas: bool = False


class Turns(NamedTuple):
    """Seconds a piece of work, a turn each and in pairs, and how they came about.

    compile_s: what our first piece took beyond the second; blas_threads: of each system, 0 where none.
    """

    seconds: list[float]
    against_seconds: list[float]
    compile_s: float
    blas_threads: list[int]
    process: int


class _Warm(NamedTuple):
    """A system that is ready: the pieces of a turn, and as in `Turns`."""

    system: System
    pieces: int
    blas_threads: int
    compile_s: float

    def turn(self) -> float:
        """Seconds a piece."""
        sleep(_REST_S if self.system.threads else 0.0)
        with _blas(self.blas_threads):
            return _timed(self.system.run, self.pieces) / self.pieces


class Limit:
    """The wall time of a case, which runs from where this is made: over checks and warming up too."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._made = perf_counter()

    def check(self, when: str) -> None:
        """Raise `Timeout` where it is over."""
        if perf_counter() - self._made > self.limit_s:
            raise Timeout(f"{self.limit_s:g} s were used up {when}")


def take_turns(ours: System, theirs: System, turns: int, turn_s: float, limit: Limit) -> Turns:
    """Measure both in this process; the limit is looked at before each turn and each piece to warm up."""
    warm = [_warm(one, turn_s, limit) for one in (ours, theirs)]
    samples: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns):
        for place in (0, 1) if turn % 2 == 0 else (1, 0):
            limit.check(f"after {turn} of {turns} turns")
            samples[place].append(warm[place].turn())
    return Turns(*samples, warm[0].compile_s, [one.blas_threads for one in warm], os.getpid())


def _warm(system: System, turn_s: float, limit: Limit) -> _Warm:
    """Compile, choose the BLAS's threads, and find how many pieces a turn has."""
    every = numba.get_num_threads()
    choices = dict.fromkeys((every, 1)) if system.blas else [0]
    times: dict[int, float] = {}
    first = 0.0

    def timed(pieces: int) -> float:
        limit.check("before the first turn")
        return _timed(system.run, pieces)

    for threads in choices:
        with _blas(threads):
            first = first or timed(1)
            times[threads] = timed(1)
    best = min(times, key=times.__getitem__)
    pieces, seconds = 1, times[best]
    compile_s = max(0.0, first - next(iter(times.values())))
    with _blas(best):
        if seconds < turn_s:  # a single piece waits for the device by itself, so many take less each
            pieces = _pieces(turn_s, seconds)
            pieces = _pieces(turn_s, timed(pieces) / pieces)
    return _Warm(system, pieces, best, compile_s)


def _pieces(turn_s: float, seconds: float) -> int:
    return int(np.clip(turn_s / max(seconds, 1e-9), 1, _MOST_PIECES))


def _blas(threads: int) -> Any:
    """Limits the BLAS while it lasts, to one thread where it plays no part."""
    return threadpool_limits(limits=max(1, threads), user_api="blas")


def _timed(run: Callable[[int], Any], pieces: int) -> float:
    started = perf_counter()
    run(pieces)
    return perf_counter() - started


def in_processes(case: Case, count: int) -> list[dict[str, Any]]:
    """What `measure(case)` of the case's task returns in each of so many processes, one after the other.

    Raises `Timeout` where one takes longer than the case's limit, `RuntimeError` with the end of what
    it said where one fails.
    """
    given = json.dumps({"task": case.task, "case": asdict(case)})
    said = [in_a_process(["ebmbench.harness.worker"], case.timeout_s, given=given) for _ in range(count)]
    return [json.loads(text.splitlines()[-1]) for text in said]


def in_a_process(
    module: Sequence[str], limit_s: float, variables: Mapping[str, str] | None = None, given: str = ""
) -> str:
    """What a module of this package with its arguments prints, run in a process of its own.

    variables: of its environment, beside those of this process; given: its standard input. Raises as
    `in_processes` does.
    """
    # A BLAS shall choose its kernels for this processor, whatever the shell says.
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    # The same package as here, wherever the user stands (-P: nothing of that folder is imported).
    places = [str(PACKAGE.parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", *module], input=given, capture_output=True, text=True,
            check=False, env=environment | dict(variables or {}), timeout=limit_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Timeout(f"{limit_s:g} s were used up in a process of its own") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing was said"]
        raise RuntimeError(f"a process of its own ended with status {done.returncode}: {said[-1]}")
    return done.stdout


def summary(processes: Sequence[Turns]) -> dict[str, Any]:
    """The fields of a row: quartiles of both systems' seconds, and the ratio theirs to ours.

    ratio: the geometric mean over pairs of turns, above 1 where ours is faster; ratio_low, ratio_high:
    the ends of its interval at `COVERAGE`, see `_interval`, or NaN where samples are too few for one.
    """
    against, ours = (np.array([one[place] for one in processes]) for place in (1, 0))
    ratios = np.log(against / ours)  # [processes, turns]
    low, high = _interval(ratios.mean(axis=1) if len(ratios) > 1 else ratios[0])
    return {
        **_quartiles("seconds", [one.seconds for one in processes]),
        **_quartiles("against_seconds", [one.against_seconds for one in processes]),
        "ratio": float(np.exp(ratios.mean())),
        "ratio_low": float(np.exp(low)),
        "ratio_high": float(np.exp(high)),
        "samples": [
            {name: value for name, value in one._asdict().items() if name != "compile_s"}
            for one in processes
        ],
        "threads": numba.get_num_threads(),
    }


def _interval(samples: np.ndarray) -> tuple[float, float]:
    """Student's interval of a mean, as a bootstrap of so few is too narrow: of 4 it holds 87 %."""
    if len(samples) < LEAST:
        return float("nan"), float("nan")
    spread = samples.std(ddof=1) / np.sqrt(len(samples))
    reach = float(stdtrit(len(samples) - 1, (1 + COVERAGE) / 2) * spread)
    return float(samples.mean()) - reach, float(samples.mean()) + reach


def told(row: Mapping[str, Any]) -> str:
    """A row's interval in words; a dash where there is none."""
    low, high = (figure(row[name], ".3g") for name in ("ratio_low", "ratio_high"))
    return f"[{low}]" if low == high == figure(None, "") else f"[{low}, {high}]"


def _quartiles(name: str, seconds: Sequence[Sequence[float]]) -> dict[str, float]:
    low, median, high = np.quantile(np.concatenate(seconds), [0.25, 0.5, 0.75])
    return {name: float(median), f"{name}_low": float(low), f"{name}_high": float(high)}
