"""The gradient of a layer's W as the product it is, aᵀ x: of the layer below and of the deltas above.

Nobody need write it down: an optimiser forms a few rows of it at a time and moves W along them at once,
which spares the memory two of the seven numbers that Adam would move for each weight.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange, types
from numba.extending import overload

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.contrast import part, parts_of
from ebmbench.kernels.cpu.device import aligned_zeros, whole
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.layers import DENSE, count_on
from ebmbench.kernels.cpu.picking import TILE, WIDTH, add_up, pick, prepare, scratch
from ebmbench.kernels.cpu.threads import launch_shared, layer_work


def rows_of_gradient(a, x, zero, columns, top, bottom, rows):
    """The first columns of the gradient's rows of the units [top, bottom) (compiled code only).

    a: the units' states, float32 or uint8 of 0 and 1, [B, at least bottom]; x: [B, at least columns];
    zero: [at least columns]; rows: float32 [at least bottom - top, at least columns].
    """
    raise NotImplementedError


@inner
def _chosen(a, x, zero, columns, top, bottom, rows):
    index, weight, sums = scratch(a.shape[0])
    for low in range(top, bottom, TILE):
        high = min(bottom, low + TILE)
        pick(a, low, high, index, weight)
        for first in range(0, columns, WIDTH):
            last = min(columns, first + WIDTH)
            prepare(a, x, low, high, index, zero, first, last, sums)
            for i in range(low, high):
                n = i - low
                add_up(a, x, index[n], weight[n], sums[n], zero, first, last, rows[i - top])


@inner
def _real(a, x, zero, columns, top, bottom, rows):
    on = 0
    for r in range(a.shape[0]):
        on += count_on(a[r, top:bottom])
    if on > DENSE * a.shape[0] * (bottom - top):
        block(a, top, 1, a.shape[1], x.shape[0], x, 0, zero, 0, 0, rows, 0, bottom - top, columns)
    else:
        _chosen(a, x, zero, columns, top, bottom, rows)


@overload(rows_of_gradient, jit_options={"error_model": "numpy"})
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
