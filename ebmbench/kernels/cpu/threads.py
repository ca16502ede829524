"""How many threads a piece of work is worth, and how long they wait awake for the next.

Threads that wait for each other spin, so on a machine that is also used by others every parallel
region may cost a time slice of the scheduler. Work that is done within a fraction of a millisecond
is therefore left to one thread. Results do not depend on it: no kernel's bits depend on threads.
"""

import importlib
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba

_WORTH = 200_000  # units of work, each one to two nanoseconds: about 0.3 ms
_LARGEST_GROUP = 64  # chains
# Turns of libgomp's waiting loop, some 0.2 ms: the regions of a training step lie within a tenth of that.
# Its own choice is 5 ms, in which a thread without work keeps a core from whoever has some.
_SPINS = "10000"
_CHOSEN_BY_USER = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"


def _load_pool() -> None:
    """Load the libgomp of Numba's threads with our setting, unless the user has chosen one.

    It reads its settings when it is loaded, so they are set for that moment alone: other libraries bring
    a libgomp of their own, and other processes need not know. Threads start with the first work.
    """
    ours = not any(name in os.environ for name in _CHOSEN_BY_USER)
    if ours:
        os.environ["GOMP_SPINCOUNT"] = _SPINS
    with suppress(ImportError):  # Numba then has another pool
        importlib.import_module("numba.np.ufunc.omppool")
    if ours:
        del os.environ["GOMP_SPINCOUNT"]


_load_pool()


def launch(kernel: Callable[..., Any], work: float, *arguments: Any) -> Any:
    """`kernel(*arguments)` on all threads, or on one if `work` (see `layer_work`) is little."""
    threads = numba.get_num_threads()
    if threads == 1 or work >= _WORTH:
        return kernel(*arguments)
    numba.set_num_threads(1)
    try:
        return kernel(*arguments)
    finally:
        numba.set_num_threads(threads)


def group_size(chains: int, largest: int = _LARGEST_GROUP) -> int:
    """How many chains walk together: as many for each thread, and no more than fit a core's cache."""
    threads = numba.get_num_threads()
    rounds = -(-chains // (threads * largest))
    return max(1, -(-chains // (threads * max(1, rounds))))


def layer_work(rows: int, n_visible: int, n_hidden: int) -> float:
    """The work of one pass between two layers: a product of sparse states, and each unit once."""
    return rows * (n_visible * n_hidden / 64 + n_visible + n_hidden)
