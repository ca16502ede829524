"""What a device can do at most, measured: bytes copied a second, and operations of matrix products.

No kernel runs much faster than its floor: the larger of its operations over the one and its bytes over
the other. One that does fewer operations than the plain algorithm, that does them in a matrix unit, or
whose bytes stay in a cache, may.
"""

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from ebmbench.errors import Unavailable

_COPIED = {"cpu": 2**28, "cuda": 2**31}  # bytes of the array that is copied, beyond every cache
_SIZES = {"float32": {"cpu": 2048, "cuda": 8192}, "bfloat16": {"cuda": 8192}}  # of square matrices
_REPEATS = 5


class Ceilings(NamedTuple):
    """Of one device: bytes read and written a second, operations a second; None where not to be had.

    An operation is a multiplication or an addition. by: the library that copied and multiplied.
    """

    copy: float | None
    float32: float | None
    bfloat16: float | None
    by: str


def measure(backend: str, threads: int = 0) -> Ceilings:
    """Of the device of a backend, once a process; `Unavailable` where nothing can be measured.

    threads: of the processor, as many as Numba uses where it is 0; a GPU has none to choose.
    """
    return _of_gpu() if backend == "cuda" else _of_processor(threads or numba.get_num_threads())


def _best(run: Callable[[], Any], wait: Callable[[], Any], amount: float) -> float:
    """Amount a second at the fastest of some runs, after one that warmed up."""
    seconds = []
    for _ in range(1 + _REPEATS):
        wait()
        started = perf_counter()
        run()
        wait()
        seconds.append(perf_counter() - started)
    return amount / min(seconds[1:])


@cache
def _of_processor(threads: int) -> Ceilings:
    source = np.ones(_COPIED["cpu"] // 4, np.float32)
    parts = list(
        zip(np.array_split(np.zeros_like(source), threads), np.array_split(source, threads), strict=True)
    )
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(lambda part: np.copyto(*part), parts))

        copied = _best(copy, lambda: None, 2.0 * source.nbytes)
    n = _SIZES["float32"]["cpu"]
    a, b = (np.random.default_rng(seed).random((n, n), np.float32) for seed in (0, 1))
    out = np.empty_like(a)
    with threadpool_limits(limits=threads, user_api="blas"):
        rate = _best(lambda: np.matmul(a, b, out=out), lambda: None, 2.0 * n**3)
    on = "1 thread" if threads == 1 else f"{threads} threads"
    return Ceilings(copied, rate, None, f"NumPy {np.__version__}, {on}")


@cache
def _of_gpu() -> Ceilings:
    for library in (_torch, _cupy, _numba):
        found = library()
        if found:
            return found
    raise Unavailable("neither torch, CuPy nor numba-cuda can measure a GPU here")


def _torch() -> Ceilings | None:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    wait = torch.cuda.synchronize

    def copied() -> float:
        source = torch.ones(_COPIED["cuda"] // 4, device="cuda")
        out = torch.empty_like(source)
        return _best(lambda: out.copy_(source), wait, 2.0 * _COPIED["cuda"])

    def multiplied(precision: str) -> float:
        n = _SIZES[precision]["cuda"]
        a, b = (torch.randn(n, n, device="cuda").to(getattr(torch, precision)) for _ in range(2))
        out = torch.empty_like(a)
        return _best(lambda: torch.mm(a, b, out=out), wait, 2.0 * n**3)

    by = f"torch {torch.__version__}"
    found = Ceilings(copied(), multiplied("float32"), multiplied("bfloat16"), by)
    torch.cuda.empty_cache()  # the kernels need the memory
    return found


def _cupy() -> Ceilings | None:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError:
        return None
    wait = cupy.cuda.runtime.deviceSynchronize

    def copied() -> float:
        source = cupy.ones(_COPIED["cuda"] // 4, cupy.float32)
        out = cupy.empty_like(source)
        return _best(lambda: cupy.copyto(out, source), wait, 2.0 * _COPIED["cuda"])

    def multiplied() -> float:
        n = _SIZES["float32"]["cuda"]
        a, b = (cupy.random.random((n, n), dtype=cupy.float32) for _ in range(2))
        out = cupy.empty_like(a)
        return _best(lambda: cupy.matmul(a, b, out=out), wait, 2.0 * n**3)

    found = Ceilings(copied(), multiplied(), None, f"CuPy {cupy.__version__}")
    cupy.get_default_memory_pool().free_all_blocks()
    return found


def _numba() -> Ceilings | None:
    """Copies alone: Numba has no matrix product of its own to compare with."""
    try:
        cuda = importlib.import_module("numba.cuda")
    except ImportError:
        return None
    if not cuda.is_available():
        return None
    source, out = (cuda.device_array(_COPIED["cuda"] // 4, np.float32) for _ in range(2))
    copied = _best(lambda: out.copy_to_device(source), cuda.synchronize, 2.0 * _COPIED["cuda"])
    return Ceilings(copied, None, None, "numba-cuda")
