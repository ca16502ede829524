"""Clocks: they run while the work is done, and stop it at the time limit."""

import os
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

import numba
import numpy as np

from ebmbench.harness.table import update_quartiles
from ebmbench.harness.trainer import Planned
from ebmbench.kernels.api import Backend

_SLICE_S = 0.5  # how long the clock runs before the time limit is looked at


T = TypeVar("T")


class Timeout(Exception):
    """A case used up its clocked seconds."""


class Clock:
    """Runs a trainer while the clock runs, and stops it at the time limit.

    seconds: what the clock shows, at first those of the limit that were used up before; stride: the
    trainer does multiples of so many updates.
    """

    def __init__(
        self, k: Backend, fit: Planned, limit_s: float, seconds: float = 0.0, stride: int = 1
    ) -> None:
        self.k, self.fit, self.limit_s, self.stride = k, fit, limit_s, stride
        self.seconds = self._began = seconds
        self.samples: list[float] = []  # seconds an update, a slice each, ...
        self.counts: list[int] = []  # ... and the updates of the slice

    def advance_to(self, update: int) -> None:
        """Clock the fit up to this number of updates."""
        while self.fit.done < update:
            if self.seconds > self.limit_s:
                raise Timeout(
                    f"{self.limit_s:g} s were used up after {self.fit.done} of {self.fit.steps} updates"
                )
            spent = self.seconds - self._began
            pace = spent / self.fit.done if self.fit.done else _SLICE_S
            strides = max(1, int(_SLICE_S / max(pace, 1e-9) / self.stride))
            count = min(strides * self.stride, update - self.fit.done)
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
        process = {"process": os.getpid(), "update_s": self.samples, "updates": self.counts}
        low, median, high = update_quartiles([process])
        return {
            "train_s": self.seconds,
            "updates_done": self.fit.done,
            "update_s": median,
            "update_s_low": low,
            "update_s_high": high,
            "samples": [process],
            "threads": numba.get_num_threads(),
        }


class Stopwatch:
    """Seconds of single pieces of work; the device is waited for before each reading.

    spent_s: seconds of the limit that other work used up before.
    """

    def __init__(self, k: Backend, limit_s: float, spent_s: float = 0.0) -> None:
        self.k, self.limit_s, self.spent_s = k, limit_s, spent_s
        self.samples: list[float] = []
        self._made = perf_counter()

    @property
    def seconds(self) -> float:
        """All that was clocked."""
        return sum(self.samples)

    def time(self, work: Callable[[], T]) -> T:
        """What the work returns, clocked; raises `Timeout` where the limit was passed before it."""
        if self.spent_s + self.seconds > self.limit_s:
            self._stop()
        self.k.synchronize()
        started = perf_counter()
        result = work()
        self.k.synchronize()
        self.samples.append(perf_counter() - started)
        return result

    def check(self) -> None:
        """Raise `Timeout` where as much wall time has passed since the watch was made."""
        if perf_counter() - self._made > self.limit_s:
            self._stop()

    def _stop(self) -> None:
        raise Timeout(f"{self.limit_s:g} s were used up after {len(self.samples)} pieces of work")

    def summary(self, name: str, per: int = 1) -> dict[str, Any]:
        """Quartiles of the samples as the row's fields name, name_low and name_high.

        per: how many of what is counted one sample holds.
        """
        seconds = np.array(self.samples) / per
        low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
        return {
            name: float(median),
            f"{name}_low": float(low),
            f"{name}_high": float(high),
            "samples": [{"process": os.getpid(), name: seconds.tolist()}],
            "threads": numba.get_num_threads(),
        }


def warm_up(k: Backend, work: Callable[[], Any]) -> float:
    """Seconds that work takes beyond its second time: compilation, or loading what is cached."""
    seconds = []
    for _ in range(2):
        started = perf_counter()
        work()
        k.synchronize()
        seconds.append(perf_counter() - started)
    return max(0.0, seconds[0] - seconds[1])
