"""NVIDIA's driver, asked directly what GPUs there are: no package is needed, and nothing is imported.

It is the CUDA driver API by ctypes, so that a look takes no longer than the driver takes to start, and a
machine without one pays nothing. https://docs.nvidia.com/cuda/cuda-driver-api
"""

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# Numbers of CUdevice_attribute.
_CLOCK, _MULTIPROCESSORS, _MEMORY_CLOCK, _MAJOR, _MINOR = 13, 16, 36, 75, 76


class Gpu(NamedTuple):
    """memory: bytes; clock and memory_clock: the highest, MHz, 0 where the driver does not say."""

    name: str
    memory: int
    compute_capability: tuple[int, int]
    multiprocessors: int
    clock: int
    memory_clock: int


class Driver(NamedTuple):
    """error: what kept it from starting, in its own words; cuda: the newest CUDA version it supports.

    gpus: those that this process may use (CUDA_VISIBLE_DEVICES), the one that is used first; release:
    the driver's own version, where the system tells it.
    """

    error: str | None
    cuda: tuple[int, int] | None
    gpus: tuple[Gpu, ...]
    release: str | None


@cache
def driver() -> Driver | None:
    """What the driver says, asked once a process; None where there is none."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        text = str(error)
        if sys.platform == "win32" or text.startswith(f"{_LIBRARY}: cannot open"):
            return None
        return Driver(text, None, (), None)
    return ask(library)


def ask(library: Any) -> Driver:
    """What a driver's library says."""
    number = ctypes.c_int()
    cuda = None
    try:
        if library.cuDriverGetVersion(ctypes.byref(number)) == 0:
            cuda = number.value // 1000, number.value % 1000 // 10
        failed = library.cuInit(0) or library.cuDeviceGetCount(ctypes.byref(number))
        if failed:
            return Driver(_words(library, failed), cuda, (), _release())
        gpus = tuple(_gpu(library, n) for n in range(number.value))
    except AttributeError as error:  # no driver of NVIDIA's, whatever it is called
        return Driver(str(error), cuda, (), None)
    return Driver(None, cuda, gpus, _release())


def memory_used(library: Any = None) -> int | None:
    """Bytes in use on the GPU whose context is current in this thread, by whomever; None without one."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    try:
        library = library or ctypes.CDLL(_LIBRARY)
        failed = library.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
    except (OSError, AttributeError):
        return None
    return None if failed else total.value - free.value


def _gpu(library: Any, number: int) -> Gpu:
    device, value = ctypes.c_int(), ctypes.c_int()
    memory, name = ctypes.c_size_t(), ctypes.create_string_buffer(256)
    library.cuDeviceGet(ctypes.byref(device), number)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)

    def attribute(which: int) -> int:
        failed = library.cuDeviceGetAttribute(ctypes.byref(value), which, device)
        return 0 if failed else value.value

    return Gpu(
        name.value.decode(errors="replace"),
        memory.value,
        (attribute(_MAJOR), attribute(_MINOR)),
        attribute(_MULTIPROCESSORS),
        attribute(_CLOCK) // 1000,
        attribute(_MEMORY_CLOCK) // 1000,
    )


def _words(library: Any, error: int) -> str:
    """An error's name and what the driver says of it: "CUDA_ERROR_NO_DEVICE: no CUDA-capable ..."."""
    found = []
    for ask_for in (library.cuGetErrorName, library.cuGetErrorString):
        text = ctypes.c_char_p()
        ask_for(error, ctypes.byref(text))
        found += [text.value.decode(errors="replace")] if text.value else []
    return ": ".join(found) or f"error {error}"


def _release() -> str | None:
    """The version of the kernel's module on Linux, such as 570.86.15."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return None
    return next((word for word in text.split() if word.count(".") and word[0].isdigit()), None)
