"""How much of the processors other programs took while a case ran, which its seconds suffer from."""

import os
import time
from typing import NamedTuple

import psutil

_LEAST_S = 0.25  # systems count in hundredths of a second
_IDLE = {"idle", "iowait", "guest", "guest_nice"}  # guests' time is in user's, too


class _Taken(NamedTuple):
    """Seconds: of the clock, of all programs on the processors that this one may use, and of its own."""

    clock: float
    all: float
    own: float


class Watch:
    """Looks on from when it is made."""

    def __init__(self) -> None:
        self._start = _taken()

    def cores(self) -> float | None:
        """Cores that other programs kept busy since then; None of less than a quarter of a second."""
        now, start = _taken(), self._start
        passed = now.clock - start.clock
        if passed < _LEAST_S:
            return None
        return round(max(0.0, (now.all - start.all) - (now.own - start.own)) / passed, 2)


def _taken() -> _Taken:
    """As it stands now; the processes that this one has started are its own."""
    me = psutil.Process()
    own = sum(me.cpu_times()[:4])  # user and system, also of children that have ended
    for child in me.children(recursive=True):
        try:
            own += sum(child.cpu_times()[:4])
        except psutil.Error:  # it has just ended
            continue
    cores = psutil.cpu_times(percpu=True)
    if hasattr(os, "sched_getaffinity"):
        cores = [cores[n] for n in os.sched_getaffinity(0) if n < len(cores)]
    busy = sum(getattr(core, name) for core in cores for name in core._fields if name not in _IDLE)
    return _Taken(time.monotonic(), busy, own)
