"""Arrays on the GPU: made, recycled and copied.

All work is in order on one stream, so memory that Python no longer refers to can be handed out again
while kernels that read it are still to run: the new owner's kernels run after them. Handing it out is
also what keeps a training step from asking the driver for memory, which waits for the whole GPU.
"""

import weakref
from collections import defaultdict
from typing import Any

import numpy as np
from numba import cuda
from numba.cuda.cudadrv.driver import CudaAPIError

from ebmbench.errors import DeviceError
from ebmbench.kernels.cuda.faults import OUT_OF_MEMORY, explained
from ebmbench.kernels.cuda.launch import SIMULATED

Array = Any  # an array on the device, C-contiguous

_free: dict[tuple, list[Array]] = defaultdict(list)


def empty(shape: tuple[int, ...] | int, dtype: Any = np.float32) -> Array:
    """An array whose contents are whatever was there; in the simulator NaN, or 255 in each byte.

    Raises `DeviceError` where the GPU's memory does not suffice, with what would fit.
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
    lent = type(owner)(shape=shape, strides=owner.strides, dtype=dtype, gpu_data=owner.gpu_data)
    weakref.finalize(lent, waiting.append, owner)
    return lent


def _allocate(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    with explained():
        try:
            return cuda.device_array(shape, dtype)
        except CudaAPIError as error:
            if OUT_OF_MEMORY not in str(error):
                raise
        for waiting in _free.values():
            waiting.clear()
        try:
            return cuda.device_array(shape, dtype)
        except CudaAPIError as error:
            if OUT_OF_MEMORY not in str(error):
                raise
            free, total = cuda.current_context().get_memory_info()
            raise too_large(shape, dtype.itemsize, free, total) from error


def too_large(shape: tuple[int, ...], itemsize: int, free: int, total: int) -> DeviceError:
    """What to say of an array that does not fit into so many free bytes."""
    per_row = int(np.prod(shape[1:])) * itemsize
    return DeviceError(
        f"the GPU's memory does not hold {shape[0]} rows of {per_row} bytes each: "
        f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB are free, room for {free // max(per_row, 1)}; "
        "ask for fewer chains or a smaller batch"
    )


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
