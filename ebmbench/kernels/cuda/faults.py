"""What an error of the GPU means, in one sentence for a person.

Errors come as several types: Numba's own from the driver, CUDA's packages' from a launch or the linker.
All name the driver's result, such as CUDA_ERROR_OUT_OF_MEMORY, in their text, and that is what counts.
A kernel's fault shows in a later call, whichever it is.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from numba import cuda

from ebmbench.errors import LOST, DeviceError

# After these every further call on the same context fails, whatever it is.
_FATAL = {
    "ILLEGAL_ADDRESS", "LAUNCH_FAILED", "ILLEGAL_INSTRUCTION", "MISALIGNED_ADDRESS", "INVALID_PC",
    "INVALID_ADDRESS_SPACE", "HARDWARE_STACK_ERROR", "ECC_UNCORRECTABLE", "LAUNCH_TIMEOUT", "CONTAINED",
    "CONTEXT_IS_DESTROYED", "DEVICE_UNAVAILABLE", "ASSERT", "TENSOR_MEMORY_LEAK", "NVLINK_UNCORRECTABLE",
    "EXTERNAL_DEVICE", "UNKNOWN",
}  # fmt: skip
_lost: list[str] = []  # what was said when the context was lost
_kept: list[Any] = []  # what must not be finalised after that


class OutOfMemory(DeviceError):
    """The GPU's memory did not suffice; what was asked for was not begun."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors of the GPU into `DeviceError`, `OutOfMemory` where that is what is said."""
    check()
    try:
        yield
    except Exception as error:
        meant = explain(error)
        if meant is error:
            raise
        raise meant from error


def check() -> None:
    """Raise `DeviceError` where the context was lost before: the driver would only repeat itself."""
    if _lost:
        raise DeviceError(_lost[0])


def explain(error: Exception) -> Exception:
    """The `DeviceError` that an error of the GPU means; any other error as it is."""
    text = " ".join(str(error).split())
    named = re.search(r"CUDA_ERROR_(\w+)", text)
    if isinstance(error, DeviceError) or not named:
        return error
    name = named.group(1)
    if name == "OUT_OF_MEMORY":
        return OutOfMemory(f"the GPU's memory is full: {room()}; ask for fewer chains or a smaller batch")
    if name in _FATAL:
        _lost.append(
            f"the GPU's {LOST} ({named.group()}), and this process cannot use the GPU again: "
            "give the same command once more; a suite keeps its finished rows"
        )
        # What dies from now on would ask the driver to free it, and fail.
        with suppress(Exception):
            _kept.append(cuda.defer_cleanup())
            _kept[-1].__enter__()
        return DeviceError(_lost[0])
    return DeviceError(f"the GPU refused ({text})")


def room(row: int = 0) -> str:
    """How much of the GPU's memory is free, in words, and for how many rows of so many bytes."""
    try:
        memory = cuda.current_context().get_memory_info()
    except Exception:  # the driver is asked while it is in trouble
        return "its driver does not say how much is free"
    said = f"{memory.free / 2**30:.1f} of {memory.total / 2**30:.1f} GiB are free"
    return f"{said}, room for at most {memory.free // row}" if row else said
