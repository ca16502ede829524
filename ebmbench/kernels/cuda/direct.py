"""Launching a compiled kernel without Numba's look at every argument.

Numba asks of each argument of each launch what it is and how it lies in memory: some 5 us an array,
which is more than the GPU needs for the whole kernel in a training step. Here an array says it once,
and the rest is the same call of CUDA's own library that Numba makes.
"""

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from numba import types

_SCALARS = {
    types.boolean: ctypes.c_bool,
    types.int32: ctypes.c_int32,
    types.uint32: ctypes.c_uint32,
    types.int64: ctypes.c_int64,
    types.uint64: ctypes.c_uint64,
    types.float32: ctypes.c_float,
    types.float64: ctypes.c_double,
}


_refused: list[str] = []  # kernels that had to be launched by Numba


def refuse(kernel: str) -> None:
    """Note that a kernel could not be launched directly."""
    _refused.append(kernel)


def described() -> str:
    """How kernels are launched here, as far as any was."""
    return "by Numba" if _refused or parts() is None else "direct"


@cache
def parts() -> tuple[Any, ...] | None:
    """What a launch is made with: CUDA's own function, its configuration, and the stream.

    None where this version of Numba is built differently.
    """
    try:
        from cuda.core import LaunchConfig
        from numba.cuda import dispatcher
        from numba.cuda.cudadrv.driver import _to_core_stream  # type: ignore[attr-defined]

        LaunchConfig(grid=1, block=32, shmem_size=0)
        return dispatcher.launch, LaunchConfig, _to_core_stream(0)  # type: ignore[attr-defined]
    except (ImportError, AttributeError, TypeError):
        return None


def _laid_out(array: Any) -> tuple[int, ...]:
    """An array as a kernel takes it: no owner, size, bytes an element, address, shape, strides."""
    fields = (0, 0, array.size, array.dtype.itemsize, array.device_ctypes_pointer.value or 0)
    array.laid_out = (*fields, *array.shape, *array.strides)
    return array.laid_out


def launcher(compiled: Any, declared: tuple) -> Callable[..., None] | None:
    """(blocks, threads, shared, arguments) -> a launch; None where this Numba is built differently.

    compiled: Numba's dispatcher of one signature; declared: the types of its arguments.
    """
    found = parts()
    if found is None:
        return None
    launch, configuration, stream = found
    try:
        function = next(iter(compiled.overloads.values()))._codelibrary.get_cufunc().kernel
    except (AttributeError, StopIteration):
        return None
    kinds = [None if isinstance(kind, types.Array) else _SCALARS[kind] for kind in declared]

    @lru_cache(maxsize=256)
    def configured(blocks: int | tuple[int, int], threads: int, shared: int) -> Any:
        return configuration(grid=blocks, block=threads, shmem_size=shared)

    def call(blocks: int | tuple[int, int], threads: int, shared: int, arguments: tuple) -> None:
        values: list[Any] = []
        for kind, given in zip(kinds, arguments, strict=True):
            if kind is None:
                values += given.__dict__.get("laid_out") or _laid_out(given)
            else:
                values.append(kind(given))
        launch(stream, configured(blocks, threads, shared), function, *values)

    return call
