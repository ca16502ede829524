"""The gradient of a layer's W as the product it is, aᵀ x: of the layer below and of the deltas above.

Nobody need write it down: an optimiser forms a few rows of it at a time and moves W along them at once,
which spares the memory two of the seven numbers that Adam would move for each weight.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange, types
from numba.extending import overload

from ebmbench.compile import jit
from ebmbench.kernels.cpu.contrast import TILE, WIDTH, add_up, pick
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros
from ebmbench.kernels.cpu.gemm import TALLEST, block
from ebmbench.kernels.cpu.threads import launch, layer_work


def rows_of_gradient(a, x, zero, top, bottom, rows):
    """The gradient's rows of the units [top, bottom) (compiled code only).

    a: the units' states, float32 or uint8 of 0 and 1, [B, at least bottom]; x: [B, columns]; zero: as
    many zeros; rows: float32 [at least bottom - top, columns]. For uint8 at most TILE units, as rows of x
    are added up where a unit is on.
    """
    raise NotImplementedError


@jit
def _dense(a, x, zero, top, bottom, rows):
    block(a, top, 1, a.shape[1], x.shape[0], x, 0, zero, 0, 0, rows, 0, bottom - top, x.shape[1])


@jit
def _chosen(a, x, zero, top, bottom, rows):
    index = np.empty((TILE, a.shape[0] + 1), np.int32)
    weight = np.empty((1, 1), np.float32)
    pick(a, top, bottom, index, weight)
    for first in range(0, x.shape[1], WIDTH):
        last = min(x.shape[1], first + WIDTH)
        for i in range(bottom - top):
            add_up(a, x, index[i], weight[0], zero, first, last, rows[i])


@overload(rows_of_gradient, jit_options={"error_model": "numpy"})
def _choose(a, x, zero, top, bottom, rows):
    path = _chosen if a.dtype == types.uint8 else _dense

    def call(a, x, zero, top, bottom, rows):
        path(a, x, zero, top, bottom, rows)

    return call


@jit(parallel=True)
def _write(a, x, zero, height, gradient):
    inputs = gradient.shape[0]
    for tile in prange((inputs + height - 1) // height):
        top, bottom = tile * height, min(inputs, (tile + 1) * height)
        rows_of_gradient(a, x, zero, top, bottom, gradient[top:bottom])


@dataclass(eq=False)
class Outer:
    """A gradient of W, [inputs, padded], from rows a [B, at least inputs] and x, float32 [B, padded].

    It refers to the rows it was made from, which nobody changes. NumPy makes an array of it.
    """

    a: np.ndarray
    x: np.ndarray
    inputs: int

    @property
    def factors(self) -> tuple[Any, ...]:
        """What the kernels take: a, x, a row of zeros, and how many of a's units to take at a time."""
        height = TILE if self.a.dtype == np.uint8 else 2 * TALLEST
        return self.a, self.x, aligned_zeros(self.x.shape[1]), height

    @property
    def work(self) -> float:
        """See `threads.launch`."""
        shape = self.inputs, self.x.shape[1]
        return shape[0] * shape[1] + layer_work(len(self.x), *shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The gradient, written down anew each time."""
        gradient = aligned_empty(self.inputs, self.x.shape[1])
        launch(_write, self.work, *self.factors, gradient)
        return gradient if dtype is None else gradient.astype(dtype, copy=False)
