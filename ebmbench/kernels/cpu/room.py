"""What a lack of memory means, in one sentence for a person: what did not fit, and what would."""

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

import psutil

from ebmbench.errors import DeviceError
from ebmbench.kernels.api import Backend

Key = TypeVar("Key")


def explained(backend: Backend) -> Backend:
    """The backend, whose functions raise `DeviceError` where memory does not suffice."""
    return Backend(backend.name, _each(backend.jobs), _each(backend.device), _each(backend.fused))


def _each(functions: Mapping[Key, Callable[..., Any]]) -> dict[Key, Callable[..., Any]]:
    return {name: _explaining(function) for name, function in functions.items()}


def _explaining(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except MemoryError as error:
            raise DeviceError(_sentence(error)) from error

    return call


def _sentence(error: MemoryError) -> str:
    """NumPy's errors, and those of `device`, name the array's shape and dtype; compiled code's do not."""
    memory = psutil.virtual_memory()
    free = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB are free"
    if len(error.args) != 2 or len(error.args[0]) < 2:
        return f"the memory is full: {free}; ask for fewer chains, a smaller batch or a smaller model"
    shape, dtype = error.args
    row = math.prod(shape[1:]) * dtype.itemsize
    return (
        f"the memory does not hold {shape[0]} rows of {row} bytes each: {free}, room for at most "
        f"{memory.available // row}; ask for fewer chains or a smaller batch"
    )
