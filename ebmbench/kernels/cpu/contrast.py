"""The gradient of W as the two products it is: <v p(h|v)> over one set of rows minus over another.

A visible unit's row of it is the sum of the rows p(h|v) of the states that have the unit on: the product
with a batch's transpose, sparse as the batch is. Nobody need write it down: `update` forms it a piece
at a time and adds it to W at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.copies import of_all, sizes, write_copies
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros
from ebmbench.kernels.cpu.means import phase_means
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.picking import TILE, WIDTH, contrast_of_unit, pick_tile, prepare_tile
from ebmbench.kernels.cpu.threads import launch, launch_shared, layer_work, share

TALL = 3  # tiles of a part at most: a row of Wt then takes three cache lines of it at once


@inner(forceinline=True)
def _tiles(units):
    return (units + TILE - 1) // TILE


@inner(forceinline=True)
def parts_of(threads, units):
    """Into how many parts of W's rows, each of whole tiles and not too many, the threads divide them."""
    tiles = _tiles(units)
    rounds = (tiles + threads * TALL - 1) // (threads * TALL)
    return min(tiles, threads * rounds)


@inner(forceinline=True)
def part(number, parts, units):
    """Which units part `number` has, from and to."""
    tiles = _tiles(units)
    return number * tiles // parts * TILE, min(units, (number + 1) * tiles // parts * TILE)


@jit(parallel=True)
def write_contrast(plus, minus, p_plus, p_minus, zero, W, upper):
    """Write the contrast to W; upper: what stands below the diagonal is left out, but for some of it."""
    units, columns = W.shape
    for tile in prange(_tiles(units)):
        top, bottom = tile * TILE, min(units, (tile + 1) * TILE)
        picked = pick_tile(plus, minus, top, bottom)
        other = np.empty(columns, np.float32)
        for first in range(top if upper else 0, columns, WIDTH):
            last = min(columns, first + WIDTH)
            prepare_tile(plus, minus, p_plus, p_minus, picked, top, bottom, zero, first, last)
            for i in range(top, bottom):
                contrast_of_unit(
                    plus, minus, p_plus, p_minus, picked, i - top, zero, first, last, W[i], other
                )


@jit(parallel=True)
def climb_contrast(
    threads, plus, minus, p_plus, p_minus, zero, W, velocity, n_hidden, copies, rate, momentum, decay
):
    """Update W along the contrast, of which no more than a row exists at a time; see `copies`.

    At 784 x 500 and a batch of 100 most of it is additions of the contrast, bound by the cache as in
    `layers`. At 4096 x 4096 it is memory: W and its velocity are read and written and the transposed
    copy is written, 64 MiB each time; a gradient that is written down would add two times more.
    """
    units, columns = W.shape
    parts = parts_of(threads, units)
    largest, totals = sizes(threads, columns)
    for task in prange(threads):
        gradient, other = np.empty(columns, np.float32), np.empty(columns, np.float32)
        for n in range(*share(task, threads, parts)):
            low, high = part(n, parts, units)
            for top in range(low, high, TILE):
                bottom = min(high, top + TILE)
                picked = pick_tile(plus, minus, top, bottom)
                for first in range(0, columns, WIDTH):
                    last = min(columns, first + WIDTH)
                    prepare_tile(plus, minus, p_plus, p_minus, picked, top, bottom, zero, first, last)
                    for i in range(top, bottom):
                        contrast_of_unit(
                            plus, minus, p_plus, p_minus, picked, i - top, zero, first, last, gradient,
                            other,
                        )  # fmt: skip
                        w, v = W[i, first:last], velocity[i, first:last]
                        move(w, v, gradient[first:last], rate, momentum, decay)
            write_copies(W, low, high, n_hidden, copies, largest[task], totals[task])
    return of_all(largest, totals)


@jit(parallel=True)
def find_means(threads, plus, minus, p_plus, p_minus, b, b_mean, c, c_mean):
    """`phase_means` of all columns."""
    for n in prange(threads):
        phase_means(n, threads, plus, minus, p_plus, p_minus, b, b_mean, c, c_mean)


@dataclass(eq=False)
class Contrast:
    """A gradient of W from rows v and p(h|v), float32 [B, padded], of both phases.

    It refers to the rows it was made from, which nobody changes. NumPy makes an array of it, float32
    [n_visible, padded], which is the gradient from then on: to change the one is to change the other.
    """

    plus: np.ndarray
    minus: np.ndarray
    p_plus: np.ndarray
    p_minus: np.ndarray
    written: np.ndarray | None = None

    @classmethod
    def with_means(cls, plus, minus, p_plus, p_minus, *biases: np.ndarray) -> "Contrast":
        """The contrast of these rows, and what `phase_means` finds of them in the last four arrays."""
        rows = plus, minus, p_plus, p_minus
        launch_shared(find_means, plus.size + minus.size + p_plus.size + p_minus.size, *rows, *biases)
        return cls(*rows)

    @property
    def factors(self) -> tuple[np.ndarray, ...]:
        """What the kernels take: the rows of both phases, their p(h|v), and a row of zeros."""
        zero = aligned_zeros(self.p_plus.shape[1])
        return self.plus, self.minus, self.p_plus, self.p_minus, zero

    @property
    def work(self) -> float:
        """See `threads.launch`."""
        shape = self.plus.shape[1], self.p_plus.shape[1]
        return shape[0] * shape[1] + layer_work(len(self.plus) + len(self.minus), *shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """See the class."""
        if self.written is None:
            self.written = aligned_empty(self.plus.shape[1], self.p_plus.shape[1])
            self.write(self.written)
        return np.array(self.written, dtype, copy=copy)

    def write(self, W: np.ndarray) -> None:
        """Write it to W, float32 [n_visible, padded]."""
        launch(write_contrast, self.work, *self.factors, W, False)

    def write_upper(self, W: np.ndarray) -> None:
        """Likewise all that stands above the diagonal, and some of what stands below."""
        launch(write_contrast, self.work / 2, *self.factors, W, True)

    def climb(self, *moved: Any) -> tuple[float, float]:
        """Add it to a model's W: W, velocity, n_hidden, `Copies`, rate, momentum and decay.

        Returns what `copies.of_all` says of W.
        """
        return launch_shared(climb_contrast, self.work, *self.factors, *moved)
