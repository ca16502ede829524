"""Arrays that every training step makes: handed out again once nobody refers to them any more.

Memory that is new comes from the operating system a page at a time and cleared, and what is given back is
new the next time: filling two fresh arrays of 200 kB took 390 us where filling kept ones took 9.
"""

import math
from collections import defaultdict, deque
from typing import Any

import numpy as np

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector
_KEPT = 4  # arrays of each size that wait
_LARGEST = 1 << 25  # bytes of what is kept
_SIZES = 32  # that are known at once

# By size: memory and where in it an array begins. Its methods are atomic, so threads may share it.
_waiting: dict[int, deque[tuple[np.ndarray, int]]] = defaultdict(lambda: deque(maxlen=_KEPT))


class _Loan:
    """What an array of kept memory stands on: goes when the last array or view of it goes."""

    def __init__(self, kept: tuple[np.ndarray, int], shape: tuple[int, ...], typestr: str) -> None:
        self._kept, self._waiting = kept, _waiting[kept[0].size]
        self.__array_interface__ = {
            "data": (kept[1], False), "shape": shape, "typestr": typestr, "version": 3,
        }  # fmt: skip

    def __del__(self) -> None:
        self._waiting.append(self._kept)


def empty(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """An array that starts on a cache line, whose contents are whatever was there.

    Its memory is handed out again once neither it nor a slice or view of it is left.
    """
    dtype = np.dtype(dtype)
    size = dtype.itemsize * math.prod(shape) + _ALIGNMENT
    try:
        kept = _waiting[size].pop()
    except IndexError:
        kept = _begun(np.empty(size, np.uint8))
    if size > _LARGEST:
        first = kept[1] - kept[0].__array_interface__["data"][0]
        return kept[0][first : first + size - _ALIGNMENT].view(dtype).reshape(shape)
    if len(_waiting) > _SIZES:
        _waiting.clear()
    return np.asarray(_Loan(kept, shape, dtype.str))


def _begun(owner: np.ndarray) -> tuple[np.ndarray, int]:
    address = owner.__array_interface__["data"][0]
    return owner, address + -address % _ALIGNMENT
