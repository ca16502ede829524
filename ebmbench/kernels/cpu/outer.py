"""The gradient of a layer's W as the product it is, aᵀ x: of the layer below and of the deltas above.

Nobody need write it down: an optimiser forms a few rows of it at a time and moves W along them at once,
which spares the memory two of the seven numbers that Adam would move for each weight.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange, types

from ebmbench.compile import inner, jit, overload
from ebmbench.kernels.cpu.contrast import part, parts_of
from ebmbench.kernels.cpu.device import aligned_zeros, whole
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.layers import DENSE, count_on
from ebmbench.kernels.cpu.threads import launch_shared, layer_work
from ebmbench.kernels.cpu.transposed import fill, room, sum_up


def rows_of_gradient(a, x, zero, columns, top, bottom, rows):
    """The first columns of the gradient's rows of the units [top, bottom) (compiled code only).

    a: the units' states, float32 or uint8 of 0 and 1, [B, at least bottom]; x: [B, at least columns];
    zero: [at least columns]; rows: float32 [at least bottom - top, at least columns].
    """
    raise NotImplementedError


@inner(allocates=True)
def _chosen(a, x, zero, columns, top, bottom, rows):
    some = room(a, bottom - top)
    at_once = fill(a, top, bottom, columns, some)
    sum_up(x, zero, some, (0, bottom - top), at_once, 0, columns, rows, 0)


@inner
def _real(a, x, zero, columns, top, bottom, rows):
    on = 0
    for r in range(a.shape[0]):
        on += count_on(a[r, top:bottom])
    if on > DENSE * a.shape[0] * (bottom - top):
        block(a, top, 1, a.shape[1], x.shape[0], x, 0, zero, 0, 0, rows, 0, bottom - top, columns)
    else:
        _chosen(a, x, zero, columns, top, bottom, rows)


@overload(rows_of_gradient)
def _choose(a, x, zero, columns, top, bottom, rows):
    path = _chosen if a.dtype == types.uint8 else _real

    def call(a, x, zero, columns, top, bottom, rows):
        path(a, x, zero, columns, top, bottom, rows)

    return call


@jit(parallel=True)
def _write(threads, a, x, zero, columns, gradient):
    inputs = gradient.shape[0]
    parts = parts_of(threads, inputs)
    for n in prange(parts):
        top, bottom = part(n, parts, inputs)
        rows_of_gradient(a, x, zero, columns, top, bottom, gradient[top:bottom])


@dataclass(eq=False)
class Outer:
    """A gradient of W, [inputs, `apart`], from rows a [B, at least inputs] and x, float32 [B, `apart`].

    It refers to the rows it was made from, which nobody changes. NumPy makes an array of it.
    """

    a: np.ndarray
    x: np.ndarray
    zero: np.ndarray
    inputs: int
    outputs: int

    @property
    def factors(self) -> tuple[Any, ...]:
        """What the kernels take: a, x, a row of zeros and the columns of whole vectors."""
        return self.a, self.x, self.zero, whole(self.outputs)

    @property
    def work(self) -> float:
        """See `threads.launch`."""
        return self.inputs * self.outputs + layer_work(len(self.x), self.inputs, self.outputs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The gradient, written down anew each time."""
        gradient = aligned_zeros(self.inputs, self.x.shape[1])
        launch_shared(_write, self.work, *self.factors, gradient)
        return gradient if dtype is None else gradient.astype(dtype, copy=False)
