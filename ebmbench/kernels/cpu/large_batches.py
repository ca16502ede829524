"""The contrast of a large batch of states in a processor's matrix unit.

Both phases are products of states, transposed, with p(h|v), which become integers as W does where chains
walk (see `integers`): rounded by at most 2**-22 of a column's largest or, from about 256 rows on, 2**-30
of a column's sum, and summed exactly. A row of 4,096 units of which an eighth is on takes 2.1 million
additions of vectors of 16 where chosen rows are added up; here it is 24,576 products of 16 cycles, and
what is left is to read W and to write it.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.contrast import TALL, Contrast, part
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.integers import COLUMNS, PLANES, laid_out
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.threads import launch, launch_shared
from ebmbench.kernels.cpu.transpose import transpose

LEAST = 256  # rows of each phase from which on p's integers and the states' transposes are worth it
_LINE = 64  # bytes: a cache line
_CACHED = 2**20  # bytes of both phases' integers that stay in a core's own cache
_ROWS = TALL * LANES  # of W that are transposed together


class Factors(NamedTuple):
    """States of both phases, uint8 [n_visible, B], and their p(h|v) as `Integers` laid out."""

    plus: np.ndarray
    minus: np.ndarray
    step_plus: np.ndarray
    step_minus: np.ndarray
    planes_plus: np.ndarray
    planes_minus: np.ndarray


@jit(parallel=True)
def _turn(states, turned):
    """Turned = the transpose of states, uint8; a cache line of each of turned's rows at a time."""
    rows, units = states.shape
    for block in prange((rows + _LINE - 1) // _LINE):
        transpose(states, block * _LINE, min(rows, (block + 1) * _LINE), units, turned)


def _turned(states: np.ndarray) -> np.ndarray:
    turned = np.empty(states.shape[::-1], np.uint8)
    launch(_turn, states.size, states, turned)
    return turned


@jit
def _form(factors, zero, top, bottom, left, right, room, x, y):
    """Columns [left, right) of x[:bottom - top] = the contrast's rows of these units; y: scratch."""
    plus, minus = factors.plus[top:bottom], factors.minus[top:bottom]
    tiles.multiply(zero, factors.step_plus, factors.planes_plus, plus, left, right, room, x)
    tiles.multiply(zero, factors.step_minus, factors.planes_minus, minus, left, right, room, y)
    per_plus, per_minus = np.float32(1.0 / plus.shape[1]), np.float32(1.0 / minus.shape[1])
    for r in range(bottom - top):
        one, two = x[r, left:right], y[r, left:right]
        for j in range(one.size):
            one[j] = one[j] * per_plus - two[j] * per_minus


@jit
def _scratch(factors, columns):
    """How many columns to form at once, the room of `tiles`, and two arrays of a tile's rows."""
    rows = max(factors.plus.shape[1], factors.minus.shape[1])
    width = max(1, _CACHED // (2 * PLANES * rows * COLUMNS)) * COLUMNS
    x, y = np.empty((tiles.HEIGHT, columns), np.float32), np.empty((tiles.HEIGHT, columns), np.float32)
    return width, tiles.room(tiles.HEIGHT, rows), x, y


@jit(parallel=True)
def _climb(threads, factors, zero, W, Wt, velocity, n_hidden, rate, momentum, decay):
    """As `contrast._climb`; columns come first, so that p's integers stay in the core's cache."""
    units, columns = W.shape
    for n in prange(threads):
        low, high = part(n, threads, units)
        width, room, x, y = _scratch(factors, columns)
        for left in range(0, columns, width):
            right = min(columns, left + width)
            for top in range(low, high, tiles.HEIGHT):
                bottom = min(high, top + tiles.HEIGHT)
                _form(factors, zero, top, bottom, left, right, room, x, y)
                for i in range(top, bottom):
                    w, v = W[i, left:right], velocity[i, left:right]
                    move(w, v, x[i - top, left:right], rate, momentum, decay)
        for top in range(low, high, _ROWS):
            transpose(W, top, min(high, top + _ROWS), n_hidden, Wt)


@jit(parallel=True)
def _write(threads, factors, zero, W):
    """As `contrast._write`."""
    units, columns = W.shape
    for n in prange(threads):
        low, high = part(n, threads, units)
        width, room, x, y = _scratch(factors, columns)
        for left in range(0, columns, width):
            right = min(columns, left + width)
            for top in range(low, high, tiles.HEIGHT):
                bottom = min(high, top + tiles.HEIGHT)
                _form(factors, zero, top, bottom, left, right, room, x, y)
                W[top:bottom, left:right] = x[: bottom - top, left:right]


class LargeContrast(Contrast):
    """A contrast of so many states that p's integers and the states' transposes are worth it."""

    @staticmethod
    def serves(plus: np.ndarray, minus: np.ndarray) -> bool:
        """Whether rows of both phases are so many and the processor has such a unit."""
        return all(x.dtype == np.uint8 and len(x) >= LEAST for x in (plus, minus)) and tiles.allowed()

    @property
    def factors(self) -> tuple[Any, ...]:
        """What the kernels take: `Factors` and a row of zeros."""
        plus, minus = (laid_out(p) for p in (self.p_plus, self.p_minus))
        of_p = plus.step, minus.step, plus.planes, minus.planes
        return Factors(_turned(self.plus), _turned(self.minus), *of_p), aligned_zeros(plus.step.size)

    def write(self, W: np.ndarray) -> None:
        """See `Contrast`."""
        launch_shared(_write, self.work, *self.factors, W)

    def climb(self, *moved: Any) -> None:
        """See `Contrast`."""
        launch_shared(_climb, self.work, *self.factors, *moved)
