"""How many threads a piece of work is worth.

Threads that wait for each other spin, so on a machine that is also used by others every parallel
region may cost a time slice of the scheduler. Work that is done within a tenth of a millisecond is
therefore left to one thread. On two idle cores a step of a GAN of 64 units took 2.0, 1.6 and 1.5 ms with
`_WORTH` at 200,000, 50,000 and 0; beside another process that never rests 2.9, 4.5 and 8.1: who has the
machine to himself gains, and who shares it loses. Results do not depend on it: no kernel's bits depend
on threads.
"""

from collections.abc import Callable
from typing import Any

import numba

_WORTH = 50_000  # units of work, each one to two nanoseconds: less than 0.1 ms
_LARGEST_GROUP = 64  # chains


def launch(kernel: Callable[..., Any], work: float, *arguments: Any) -> Any:
    """`kernel(*arguments)` on all threads, or on one if `work` (see `layer_work`) is little."""
    if work >= _WORTH:
        return kernel(*arguments)
    threads = numba.get_num_threads()
    if threads == 1:
        return kernel(*arguments)
    numba.set_num_threads(1)
    try:
        return kernel(*arguments)
    finally:
        numba.set_num_threads(threads)


def launch_shared(kernel: Callable[..., Any], work: float, *arguments: Any) -> Any:
    """`launch` of a kernel whose first argument is how many threads there are to share its work."""
    return launch(kernel, work, numba.get_num_threads() if work >= _WORTH else 1, *arguments)


def group_size(chains: int, largest: int = _LARGEST_GROUP) -> int:
    """How many chains walk together: as many for each thread, and no more than fit a core's cache."""
    threads = numba.get_num_threads()
    rounds = -(-chains // (threads * largest))
    return max(1, -(-chains // (threads * max(1, rounds))))


def layer_work(rows: int, n_visible: int, n_hidden: int) -> float:
    """The work of one pass between two layers: a product of sparse states, and each unit once."""
    return rows * (n_visible * n_hidden / 64 + n_visible + n_hidden)
