"""How many threads a piece of work is worth.

Work that is done within a tenth of a millisecond is left to one thread. On two idle cores a step of a
GAN of 64 units took 2.0, 1.6 and 1.5 ms with `_WORTH` at 200,000, 50,000 and 0. Libgomp's threads (see
`pool`) wait for each other, so beside another process that never rests every region may cost a time slice
of the scheduler: there it took 2.9, 4.5 and 8.1. Results do not depend on it: no kernel's bits depend on
threads.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba import types
from numba.extending import register_jitable

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.emit import LANES

_WORTH = 50_000  # units of work, each one to two nanoseconds: less than 0.1 ms
_LARGEST_GROUP = 64  # chains
_GROUP = 128  # rows that are multiplied together: sums of 512 units are 256 KiB
_SHARE = 512  # columns that are worth a thread of their own: see `split`
LINE = 64  # columns: states of as many are a cache line, which two threads had better not both write


# Numba's own functions of these names take fifteen times as long, and are asked at each launch.
_get_num_threads = types.ExternalFunction("get_num_threads", types.int32())
_set_num_threads = types.ExternalFunction("set_num_threads", types.void(types.int32))


@jit
def _count():
    return _get_num_threads()


@jit
def _use(threads):
    """Use so many threads from now on, and say how many were used before."""
    before = _get_num_threads()
    _set_num_threads(threads)
    return before


@cache
def _pool() -> tuple[Callable[..., int], ...]:
    """`_count` and `_use`, once Numba's pool is ready, which makes its functions known to compiled code.

    Not on import: a process that has libgomp's cannot fork and go on computing.
    """
    numba.get_num_threads()
    return _count, _use


def count_threads() -> int:
    """How many threads are used."""
    return _pool()[0]()


def launch(kernel: Callable[..., Any], work: float, *arguments: Any) -> Any:
    """`kernel(*arguments)` on all threads, or on one if `work` (see `layer_work`) is little."""
    if work >= _WORTH:
        return kernel(*arguments)
    _, use = _pool()
    before = use(1)
    try:
        return kernel(*arguments)
    finally:
        use(before)


def launch_shared(kernel: Callable[..., Any], work: float, *arguments: Any) -> Any:
    """`launch` of a kernel whose first argument is how many threads there are to share its work."""
    return launch(kernel, work, count_threads() if work >= _WORTH else 1, *arguments)


def group_size(chains: int, largest: int = _LARGEST_GROUP) -> int:
    """How many chains walk together: as many for each thread, and no more than fit a core's cache."""
    return _even_group(chains, count_threads(), largest)


def _even_group(rows: int, shares: int, largest: int) -> int:
    rounds = -(-rows // (shares * largest))
    return max(1, -(-rows // (shares * max(1, rounds))))


def split(rows: int, columns: int, worth: int = _SHARE, largest: int = _GROUP) -> tuple[int, int]:
    """Into how many shares of columns, and groups of how many rows, the threads divide a layer.

    A wide layer by columns: each entry of the matrix is then read by one thread alone and once for twice
    as many rows, which at 4096 x 4096 and 100 rows takes 0.85 of the time on two cores. At 784 x 500,
    which fits their caches, it takes 1.1 times as long.

    worth: columns that are worth a thread of their own; largest: rows of a group.
    """
    return _split(count_threads(), rows, columns, worth, largest)


@cache
def _split(threads: int, rows: int, columns: int, worth: int, largest: int) -> tuple[int, int]:
    across = max(n for n in range(1, threads + 1) if threads % n == 0 and n <= max(1, columns // worth))
    return across, _even_group(rows, threads // across, largest)


@inner(forceinline=True)
def share(number, shares, n):
    """Where the part begins and ends that is share `number` of n things."""
    return number * n // shares, (number + 1) * n // shares


@inner(forceinline=True)
def columns_of(number, shares, columns, width=LANES):
    """Likewise of columns, a multiple of so many each: `LINE` where states are written."""
    first, last = share(number, shares, (columns + width - 1) // width)
    return first * width, min(columns, last * width)


@inner(forceinline=True)
def count_pieces(rows, across, group):
    """How many pieces `split` makes of a layer."""
    return across * ((rows + group - 1) // group)


@inner(forceinline=True)
def piece(number, rows, columns, across, group, width=LANES):
    """Columns from and to, and rows from and to, of a piece; a thread gets those of a share first."""
    groups = (rows + group - 1) // group
    left, right = columns_of(number // groups, across, columns, width)
    top = number % groups * group
    return left, right, top, min(rows, top + group)


@inner(forceinline=True)
def limit(threads, work):
    """As `launch` decides, from now on (compiled code only): returns how many threads that is.

    What little work is, is part of the machine code.
    """
    used = threads if work >= _WORTH else 1
    _set_num_threads(used)
    return used


@register_jitable
def layer_work(rows: int, n_visible: int, n_hidden: int) -> float:
    """The work of one pass between two layers: a product of sparse states, and each unit once."""
    return rows * (n_visible * n_hidden / 64 + n_visible + n_hidden)
