"""Arrays on the GPU: made, recycled and copied.

All work is in order on one stream, so memory that Python no longer refers to can be handed out again
while kernels that read it are still to run: the new owner's kernels run after them. Handing it out is
also what keeps a training step from asking the driver for memory, which waits for the whole GPU.
"""

import ctypes
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numba import cuda

from ebmbench.errors import DeviceError
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.faults import OutOfMemory, check, explain, explained, room

Array = Any  # an array on the device, C-contiguous
T = TypeVar("T")

_free: dict[tuple, list[Array]] = defaultdict(list)


def empty(shape: tuple[int, ...] | int, dtype: Any = np.float32) -> Array:
    """An array whose contents are whatever was there; in the simulator NaN, or 255 in each byte.

    Its memory is handed out again once neither it nor a slice or view of it is left. Raises
    `DeviceError` where the GPU's memory does not suffice, with what would fit.
    """
    shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    dtype = np.dtype(dtype)
    if SIMULATED:
        return cuda.to_device(
            np.full(int(np.prod(shape)) * dtype.itemsize, 255, np.uint8).view(dtype).reshape(shape)
        )
    if 0 in shape:
        return _allocate(shape, dtype)
    waiting = _free[shape, dtype.str]
    owner = waiting.pop() if waiting else _allocate(shape, dtype)
    memory = owner.gpu_data
    # Slices and views refer to this pointer, so it, and not the array, is what outlives them all.
    pointer = cuda.MemoryPointer(
        memory.context, memory.device_pointer, memory.size, finalizer=lambda: waiting.append(owner)
    )
    return type(owner)(shape=shape, strides=owner.strides, dtype=dtype, gpu_data=pointer)


def parts(whole: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Views of an array of one dimension, side by side, as vectors and matrices.

    Each has that array as its attribute `whole`.
    """
    found, first = {}, 0
    for name, shape in shapes.items():
        last = first + math.prod(shape)
        if SIMULATED:
            found[name] = whole[first:last].reshape(shape)
        else:
            memory, size = whole.gpu_data, whole.dtype.itemsize
            address = ctypes.c_void_p(memory.device_pointer_value + first * size)
            pointer = cuda.MemoryPointer(memory.context, address, (last - first) * size, owner=memory)
            strides = (size * shape[-1], size)[-len(shape) :]
            found[name] = type(whole)(shape=shape, strides=strides, dtype=whole.dtype, gpu_data=pointer)
        found[name].whole = whole
        first = last
    return found


def _allocate(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    try:
        return with_room(cuda.device_array, shape, dtype)
    except OutOfMemory as error:
        row = max(1, int(np.prod(shape[1:])) * dtype.itemsize)
        raise DeviceError(
            f"the GPU's memory does not hold {shape[0]} rows of {row} bytes each: {room(row)}; "
            "ask for fewer chains or a smaller batch"
        ) from error


def with_room(work: Callable[..., T], *arguments: Any) -> T:
    """What work returns; where memory does not suffice, once more with all that waits given back."""
    check()
    try:
        return work(*arguments)
    except Exception as error:
        meant = explain(error)
        if meant is error:
            raise
        if not isinstance(meant, OutOfMemory):
            raise meant from error
    for waiting in _free.values():
        waiting.clear()
    with explained():
        return work(*arguments)


def zeros(shape: tuple[int, ...] | int, dtype: Any = np.float32) -> Array:
    """An array of zeros."""
    out = empty(shape, dtype)
    if out.size:
        with explained():
            _clear(out)
    return out


def _clear(out: Array) -> None:
    if SIMULATED:
        out[...] = 0
    else:
        out.gpu_data.memset(0, out.nbytes)


def upload(values: np.ndarray, dtype: Any = None) -> Array:
    """A copy of a host array on the device."""
    values = np.ascontiguousarray(values, dtype)
    out = empty(values.shape, values.dtype)
    if values.size:
        with explained():
            out.copy_to_device(values)
    return out


def download(array: Array) -> np.ndarray:
    """A copy on the host; waits for all work before."""
    with explained():
        return array.copy_to_host()
