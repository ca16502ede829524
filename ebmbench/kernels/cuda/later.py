"""A number that the GPU may still be computing."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Later(NDArrayOperatorsMixin):
    """What `fetch` returns, a float, for whom it may concern: only who looks at it waits, once.

    Training does not: it would wait for the GPU at every update.
    """

    def __init__(self, fetch: Callable[[], float]) -> None:
        self._fetch = fetch

    @cached_property
    def _value(self) -> float:
        return self._fetch()

    def __float__(self) -> float:
        return self._value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._value, dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **given: Any) -> Any:
        plain = (float(x) if isinstance(x, Later) else x for x in inputs)
        return getattr(ufunc, method)(*plain, **given)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __format__(self, form: str) -> str:
        return format(self._value, form)

    def __repr__(self) -> str:
        return repr(self._value)
