"""The gradient of W as the two products it is: <v p(h|v)> over one set of rows minus over another.

A visible unit's row of it is the sum of the rows p(h|v) of the states that have the unit on: the product
with a batch's transpose, sparse as the batch is. Nobody need write it down: `update` forms it some rows
at a time and adds them to W at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.copies import of_all, sizes, write_copies
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.means import phase_means
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.pieces import WIDTH
from ebmbench.kernels.cpu.threads import launch_shared, layer_work, share
from ebmbench.kernels.cpu.transposed import count_together, fill, room, sum_up

TILE = LANES  # units: a cache line of a column of W
_TALL = 3  # tiles of a part at most: a row of Wt then takes three cache lines of it at once
PART = _TALL * TILE


@inner(forceinline=True)
def _tiles(units):
    return (units + TILE - 1) // TILE


@inner(forceinline=True)
def parts_of(threads, units):
    """Into how many parts of W's rows, each of whole tiles and not too many, the threads divide them."""
    tiles = _tiles(units)
    rounds = (tiles + threads * _TALL - 1) // (threads * _TALL)
    return min(tiles, threads * rounds)


@inner(forceinline=True)
def part(number, parts, units):
    """Which units part `number` has, from and to."""
    tiles = _tiles(units)
    return number * tiles // parts * TILE, min(units, (number + 1) * tiles // parts * TILE)


@inner(forceinline=True)
def _fill_both(plus, minus, low, high, columns, rooms):
    """Units [low, high) of both phases: what `fill` says of each, and how many to sum up together."""
    of_plus = fill(plus, low, high, columns, rooms[0])
    of_minus = fill(minus, low, high, columns, rooms[1])
    return (of_plus, of_minus), count_together(high - low, min(columns, WIDTH), of_plus or of_minus)


@inner(forceinline=True)
def _form(p_plus, p_minus, zero, rooms, at_once, some, first, last, out, to, other):
    """Columns [first, last) of the contrast's rows of some units, in those of out from `to` on.

    A phase without rows counts as zero: the exact gradient subtracts its own. other: float32 scratch, [at
    least so many units, at least so many columns].
    """
    sum_up(p_plus, zero, rooms[0], some, at_once[0], first, last, out, to)
    sum_up(p_minus, zero, rooms[1], some, at_once[1], first, last, other, 0)
    per_plus = np.float32(1.0 / max(p_plus.shape[0], 1))
    per_minus = np.float32(1.0 / max(p_minus.shape[0], 1))
    for n in range(some[1] - some[0]):
        one, two = out[n, to : to + last - first], other[n]
        for j in range(one.size):
            one[j] = one[j] * per_plus - two[j] * per_minus


@jit(parallel=True)
def write_contrast(threads, plus, minus, p_plus, p_minus, zero, W, upper):
    """Write the contrast to W; upper: what stands below the diagonal is left out, but for some of it."""
    units, columns = W.shape
    parts = parts_of(threads, units)
    for n in prange(parts):
        low, high = part(n, parts, units)
        rooms = room(plus, PART), room(minus, PART)
        other = np.empty((PART, min(columns, WIDTH)), np.float32)
        at_once, together = _fill_both(plus, minus, low, high, columns, rooms)
        for first in range(low if upper else 0, columns, WIDTH):
            last = min(columns, first + WIDTH)
            for begin in range(low, high, together):
                end = min(high, begin + together)
                some, rows = (begin - low, end - low), W[begin:end]
                _form(p_plus, p_minus, zero, rooms, at_once, some, first, last, rows, first, other)


@jit(parallel=True)
def climb_contrast(
    threads, plus, minus, p_plus, p_minus, zero, W, velocity, n_hidden, copies, rate, momentum, decay
):
    """Update W along the contrast, of which no more than a part's rows exist at a time; see `copies`.

    At 784 x 500 and a batch of 100 most of it is additions of the contrast, bound by the cache as in
    `pieces`. At 4096 x 4096 it is memory: W and its velocity are read and written and the transposed
    copy is written, 64 MiB each time; a gradient that is written down would add two times more.
    """
    units, columns = W.shape
    parts = parts_of(threads, units)
    largest, totals = sizes(threads, columns)
    for task in prange(threads):
        rooms = room(plus, PART), room(minus, PART)
        gradient = np.empty((PART, min(columns, WIDTH)), np.float32)
        other = np.empty_like(gradient)
        for n in range(*share(task, threads, parts)):
            low, high = part(n, parts, units)
            at_once, together = _fill_both(plus, minus, low, high, columns, rooms)
            for first in range(0, columns, WIDTH):
                last = min(columns, first + WIDTH)
                for begin in range(low, high, together):
                    end = min(high, begin + together)
                    some = begin - low, end - low
                    _form(p_plus, p_minus, zero, rooms, at_once, some, first, last, gradient, 0, other)
                    for i in range(begin, end):
                        w, v = W[i, first:last], velocity[i, first:last]
                        move(w, v, gradient[i - begin], rate, momentum, decay)
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
        launch_shared(write_contrast, self.work, *self.factors, W, False)

    def write_upper(self, W: np.ndarray) -> None:
        """Likewise all that stands above the diagonal, and some of what stands below."""
        launch_shared(write_contrast, self.work / 2, *self.factors, W, True)

    def climb(self, *moved: Any) -> tuple[float, float]:
        """Add it to a model's W: W, velocity, n_hidden, `Copies`, rate, momentum and decay.

        Returns what `copies.of_all` says of W.
        """
        return launch_shared(climb_contrast, self.work, *self.factors, *moved)
