"""The clock: it runs while a fit trains, and stops at the time limit."""

import os
from time import perf_counter
from typing import Any

import numba

from ebmbench.harness.table import update_quartiles
from ebmbench.kernels.api import Backend
from ebmbench.training.fit import Fit

_SLICE_S = 0.5  # how long the clock runs before the time limit is looked at


class Timeout(Exception):
    """A case used up its clocked seconds."""


class Clock:
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
                raise Timeout(
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
