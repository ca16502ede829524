"""The contrast of batches of states in a processor's matrix unit.

Each row of it is a product of states, transposed, with p(h|v) of both phases, the one positive and the
other negative, which become integers as W does (see `integers`) and are summed exactly: p is rounded by
2**-23 where the smaller phase has fewer than 512 rows and else by its rows times 2**-32, and that of a
larger phase by as many times more as it has more rows. Forming 16 rows of W's 4,096 columns for a batch
of 1,000 is 24,576 products of 16 cycles, where the rows of states of which an eighth is on would be a
million additions of vectors.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.contrast import Contrast, part
from ebmbench.kernels.cpu.copies import of_all, sizes, write_copies
from ebmbench.kernels.cpu.device import BINARY
from ebmbench.kernels.cpu.integers import COLUMNS, NONE, PLANES, UNITS, empty_planes, lay_rows
from ebmbench.kernels.cpu.means import phase_means
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.simd import fill
from ebmbench.kernels.cpu.threads import columns_of, launch_shared
from ebmbench.kernels.cpu.transpose import transpose_units

LEAST = 16  # rows of both phases from which on their transposes are worth it
_CACHED = 2**20  # bytes of integers that stay in a core's own cache
_MOST_UNEQUAL = 16  # phases: the larger one's integers have as many times fewer steps
_MOST_BITS = 22  # of an integer below 1


class Factors(NamedTuple):
    """States of both phases, uint8 [B, n_visible], p(h|v) of both as planes of `Integers`, their steps.

    A phase begins on a block of its own. steps: float32 [columns].
    """

    plus: np.ndarray
    minus: np.ndarray
    planes: np.ndarray
    steps: np.ndarray


@inner(forceinline=True)
def _blocks(rows):
    return (rows + UNITS - 1) // UNITS


@jit(parallel=True)
def _prepare(threads, plus, minus, p_plus, p_minus, b, b_mean, c, c_mean, factors, planes, step, steps):
    """Planes of p times the factors, their steps, `phase_means`: each thread has some of the columns."""
    columns = p_plus.shape[1]
    for n in prange(threads):
        left, right = columns_of(n, threads, columns, COLUMNS)
        inverse = np.empty(columns, np.float32)
        fill(inverse, np.float32(factors[0]))
        lay_rows(p_plus, left, right, inverse, planes, 0)
        fill(inverse, np.float32(factors[1]))
        lay_rows(p_minus, left, right, inverse, planes, _blocks(p_plus.shape[0]))
        phase_means(n, threads, plus, minus, p_plus, p_minus, b, b_mean, c, c_mean)
        for j in range(left, right):  # integers have no NaN
            steps[j] = step if c[j] == c[j] else np.float32(np.nan)


@inner
def _form(factors, zero, top, bottom, left, right, room, x):
    """Columns [left, right) of x[:bottom - top] = the contrast's rows of these units."""
    stride = factors.planes.shape[2] * UNITS
    states = room.states[: tiles.HEIGHT * stride].reshape(tiles.HEIGHT, stride)
    transpose_units(factors.plus, top, bottom, states, 0)
    transpose_units(factors.minus, top, bottom, states, _blocks(factors.plus.shape[0]) * UNITS)
    tiles.multiply_laid_out(
        zero, factors.steps, factors.planes, room.states, bottom - top, left, right, room.sums, x
    )


@inner(allocates=True)
def _scratch(factors):
    """How many columns to form at once, the room of `tiles`, a tile's rows and a row of zeros."""
    columns, rows = factors.steps.size, factors.planes.shape[2] * UNITS
    width = max(1, _CACHED // (PLANES * rows * COLUMNS)) * COLUMNS
    room = tiles.room(tiles.HEIGHT, rows)
    room.states[:] = 0  # also behind the rows of each phase
    return width, room, np.empty((tiles.HEIGHT, columns), np.float32), np.zeros(columns, np.float32)


@jit(parallel=True)
def _climb(threads, factors, W, velocity, n_hidden, copies, rate, momentum, decay):
    """As `contrast.climb_contrast`; columns come first, so that p's integers stay in the core's cache."""
    units, columns = W.shape
    largest, totals = sizes(threads, columns)
    for n in prange(threads):
        low, high = part(n, threads, units)
        width, room, x, zero = _scratch(factors)
        for left in range(0, columns, width):
            right = min(columns, left + width)
            for top in range(low, high, tiles.HEIGHT):
                bottom = min(high, top + tiles.HEIGHT)
                _form(factors, zero, top, bottom, left, right, room, x)
                for i in range(top, bottom):
                    w, v = W[i, left:right], velocity[i, left:right]
                    move(w, v, x[i - top, left:right], rate, momentum, decay)
                if right == columns:
                    write_copies(W, top, bottom, n_hidden, copies, largest[n], totals[n])
    return of_all(largest, totals)


@jit(parallel=True)
def _write(threads, factors, W):
    """As `contrast.write_contrast`."""
    units, columns = W.shape
    for n in prange(threads):
        low, high = part(n, threads, units)
        width, room, x, zero = _scratch(factors)
        for left in range(0, columns, width):
            right = min(columns, left + width)
            for top in range(low, high, tiles.HEIGHT):
                bottom = min(high, top + tiles.HEIGHT)
                _form(factors, zero, top, bottom, left, right, room, x)
                W[top:bottom, left:right] = x[: bottom - top, left:right]


@dataclass(eq=False)
class TiledContrast(Contrast):
    """A contrast of so many states that p's integers and the states' transposes are worth it."""

    planes: np.ndarray = field(default_factory=lambda: NONE.planes)
    steps: np.ndarray = field(default_factory=lambda: NONE.step)

    @staticmethod
    def serves(plus: np.ndarray, minus: np.ndarray, entries: int) -> bool:
        """Whether rows of both phases and W's entries are so many and the processor has such a unit."""
        fewest, most = sorted((len(plus), len(minus)))
        many = fewest >= LEAST and most <= _MOST_UNEQUAL * fewest
        return many and plus.dtype == minus.dtype == BINARY and tiles.worth(entries)

    @classmethod
    def with_means(cls, plus, minus, p_plus, p_minus, *biases: np.ndarray) -> Contrast:
        """See `Contrast`."""
        rows, columns = (len(plus), len(minus)), p_plus.shape[1]
        fewest = min(rows)
        # The sum of so many integers of at most 2**bits must fit 31 bits.
        bits = min(_MOST_BITS, 31 - fewest.bit_length())
        planes = empty_planes(sum(-(-n // UNITS) for n in rows) * UNITS, columns)
        factors = tuple(sign * 2.0**bits * fewest / n for sign, n in zip((1.0, -1.0), rows, strict=True))
        given = plus, minus, p_plus, p_minus
        work = 4 * sum(x.size for x in given)
        step, steps = np.float32(2.0**-bits / fewest), np.empty(columns, np.float32)
        launch_shared(_prepare, work, *given, *biases, factors, planes, step, steps)
        return cls(*given, planes=planes, steps=steps)

    @property
    def factors(self) -> tuple[Any, ...]:
        """What the kernels take: `Factors`."""
        return (Factors(self.plus, self.minus, self.planes, self.steps),)

    def write(self, W: np.ndarray) -> None:
        """See `Contrast`."""
        launch_shared(_write, self.work, *self.factors, W)

    def climb(self, *moved: Any) -> tuple[float, float]:
        """See `Contrast`."""
        return launch_shared(_climb, self.work, *self.factors, *moved)
