"""The gradient of W as the two products it is: <v p(h|v)> over one set of rows minus over another.

A visible unit's row of it is the sum of the rows p(h|v) of the states that have the unit on: the product
with a batch's transpose, sparse as the batch is. Nobody need write it down: `update` forms it a piece
at a time and adds it to W at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange, types
from numba.extending import overload

from ebmbench.compile import jit
from ebmbench.kernels.cpu.bits import lowest, word_of
from ebmbench.kernels.cpu.changes import list_rows
from ebmbench.kernels.cpu.copies import of_all, sizes, write_copies
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.gemm import block
from ebmbench.kernels.cpu.layers import DENSE
from ebmbench.kernels.cpu.means import phase_means
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.rows import add_listed, add_weighted
from ebmbench.kernels.cpu.simd import copy, fill
from ebmbench.kernels.cpu.threads import launch, launch_shared, layer_work, share

TILE = LANES  # visible units that are worked on together: a cache line of a column of W
TALL = 3  # tiles of a part at most: a row of Wt then takes three cache lines of it at once
WIDTH = 512  # columns at once, so that the rows of p that a tile adds up stay in a core's cache


@jit(forceinline=True)
def _tiles(units):
    return (units + TILE - 1) // TILE


@jit(forceinline=True)
def parts_of(threads, units):
    """Into how many parts of W's rows, each of whole tiles and not too many, the threads divide them."""
    tiles = _tiles(units)
    rounds = (tiles + threads * TALL - 1) // (threads * TALL)
    return min(tiles, threads * rounds)


@jit(forceinline=True)
def part(number, parts, units):
    """Which units part `number` has, from and to."""
    tiles = _tiles(units)
    return number * tiles // parts * TILE, min(units, (number + 1) * tiles // parts * TILE)


def pick(states, first, last, index, weight):
    """For each of the units [first, last): which rows it is on in, and its values there.

    index: int32 [TILE, at least 1 + B], each unit's number of rows and then the rows; weight: float32
    [TILE, at least B], untouched by binary states. Real states most of which are not 0 are not picked
    from: the number is -1. Compiled code only; the path is chosen by dtype.
    """
    raise NotImplementedError


@jit(forceinline=True)
def _pick_binary(states, first, last, index, weight):
    fill(index[:, 0], 0)
    whole = states.shape[0] // LANES * LANES if last - first == LANES else 0
    for r in range(0, whole, LANES):
        list_rows(states, r, first, index)
    for r in range(whole, states.shape[0]):
        word = word_of(states[r], first, last)
        while word != np.uint64(0):
            picked = index[lowest(word)]
            picked[0] += 1
            picked[picked[0]] = r
            word &= word - np.uint64(1)


@jit(forceinline=True)
def _pick_real(states, first, last, index, weight):
    fill(index[:, 0], 0)
    room = DENSE * states.shape[0] * (last - first)
    for r in range(states.shape[0]):
        word = word_of(states[r], first, last)
        while word != np.uint64(0):
            i = lowest(word)
            picked = index[i]
            weight[i, picked[0]] = states[r, first + i]
            picked[0] += 1
            picked[picked[0]] = r
            word &= word - np.uint64(1)
            room -= 1
        if room < 0:
            fill(index[:, 0], -1)
            return


def prepare(states, p, first_unit, last_unit, index, zero, first, last, sums):
    """Columns [first, last) of sums, float32 [TILE, at least last - first], where nothing was picked.

    Binary states are always picked from. Compiled code only.
    """
    raise NotImplementedError


@jit(forceinline=True)
def _prepare_real(states, p, first_unit, last_unit, index, zero, first, last, sums):
    if index[0, 0] < 0:
        block(
            states, first_unit, 1, states.shape[1], states.shape[0], p, first, zero, first, 0,
            sums, 0, last_unit - first_unit, last - first,
        )  # fmt: skip


def add_up(states, p, index, weight, sums, zero, first, last, out):
    """Columns [first, last) of out: the sum over a unit's picked rows of p (compiled code only).

    index, weight, sums: a unit's rows of those of `pick` and `prepare`.
    """
    raise NotImplementedError


@jit(forceinline=True)
def _add_up_binary(states, p, index, weight, sums, zero, first, last, out):
    add_listed(zero, p, index[1:], index[0], index, 0, first, last, out)


@jit(forceinline=True)
def _add_up_real(states, p, index, weight, sums, zero, first, last, out):
    if index[0] < 0:
        copy(sums, out[first:last])
    else:
        add_weighted(zero, p, index[1:], weight, index[0], first, last, out)


@overload(pick, jit_options={"error_model": "numpy"})
def _choose_pick(states, first, last, index, weight):
    path = _pick_binary if states.dtype == types.uint8 else _pick_real

    def call(states, first, last, index, weight):
        path(states, first, last, index, weight)

    return call


@overload(prepare, jit_options={"error_model": "numpy"})
def _choose_prepare(states, p, first_unit, last_unit, index, zero, first, last, sums):
    def nothing(states, p, first_unit, last_unit, index, zero, first, last, sums):
        pass

    def call(states, p, first_unit, last_unit, index, zero, first, last, sums):
        _prepare_real(states, p, first_unit, last_unit, index, zero, first, last, sums)

    return nothing if states.dtype == types.uint8 else call


@overload(add_up, jit_options={"error_model": "numpy"})
def _choose_add_up(states, p, index, weight, sums, zero, first, last, out):
    path = _add_up_binary if states.dtype == types.uint8 else _add_up_real

    def call(states, p, index, weight, sums, zero, first, last, out):
        path(states, p, index, weight, sums, zero, first, last, out)

    return call


@jit(forceinline=True)
def scratch(rows):
    """Index, weight and sums of a tile, for so many rows."""
    return (
        np.empty((TILE, rows + 1), np.int32),
        np.empty((TILE, rows), np.float32),
        np.empty((TILE, WIDTH), np.float32),
    )


@jit(forceinline=True)
def pick_tile(plus, minus, first, last):
    """What `pick` finds in both phases, for `contrast_of_unit`."""
    of_plus, of_minus = scratch(plus.shape[0]), scratch(minus.shape[0])
    pick(plus, first, last, of_plus[0], of_plus[1])
    pick(minus, first, last, of_minus[0], of_minus[1])
    return of_plus, of_minus


@jit(forceinline=True)
def prepare_tile(plus, minus, p_plus, p_minus, picked, first_unit, last_unit, zero, first, last):
    """What `contrast_of_unit` needs of these columns in both phases."""
    of_plus, of_minus = picked
    prepare(plus, p_plus, first_unit, last_unit, of_plus[0], zero, first, last, of_plus[2])
    prepare(minus, p_minus, first_unit, last_unit, of_minus[0], zero, first, last, of_minus[2])


@jit(forceinline=True)
def contrast_of_unit(plus, minus, p_plus, p_minus, picked, unit, zero, first, last, row, other):
    """Columns [first, last) of the contrast's row of a tile's unit; other: scratch, as long as row.

    A phase without rows counts as zero: the exact gradient subtracts its own.
    """
    (index_plus, weight_plus, sums_plus), (index_minus, weight_minus, sums_minus) = picked
    per_plus = np.float32(1.0 / max(plus.shape[0], 1))
    per_minus = np.float32(1.0 / max(minus.shape[0], 1))
    add_up(plus, p_plus, index_plus[unit], weight_plus[unit], sums_plus[unit], zero, first, last, row)
    add_up(
        minus, p_minus, index_minus[unit], weight_minus[unit], sums_minus[unit], zero, first, last, other
    )
    one, two = row[first:last], other[first:last]
    for j in range(one.size):
        one[j] = one[j] * per_plus - two[j] * per_minus


@jit(parallel=True)
def _write(plus, minus, p_plus, p_minus, zero, W):
    units, columns = W.shape
    for tile in prange(_tiles(units)):
        top, bottom = tile * TILE, min(units, (tile + 1) * TILE)
        picked = pick_tile(plus, minus, top, bottom)
        other = np.empty(columns, np.float32)
        for first in range(0, columns, WIDTH):
            last = min(columns, first + WIDTH)
            prepare_tile(plus, minus, p_plus, p_minus, picked, top, bottom, zero, first, last)
            for i in range(top, bottom):
                contrast_of_unit(
                    plus, minus, p_plus, p_minus, picked, i - top, zero, first, last, W[i], other
                )


@jit(parallel=True)
def _climb(
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
def _means(threads, plus, minus, p_plus, p_minus, b, b_mean, c, c_mean):
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
        launch_shared(_means, plus.size + minus.size + p_plus.size + p_minus.size, *rows, *biases)
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
        launch(_write, self.work, *self.factors, W)

    def climb(self, *moved: Any) -> tuple[float, float]:
        """Add it to a model's W: W, velocity, n_hidden, `Copies`, rate, momentum and decay.

        Returns what `copies.of_all` says of W.
        """
        return launch_shared(_climb, self.work, *self.factors, *moved)
