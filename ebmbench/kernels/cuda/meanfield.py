"""The posterior of a DBM's hidden layers by mean field: two products a sweep, their means in place.

What v gives to the odd layers does not change from sweep to sweep, so it is added up once and a sweep
starts from it. A sweep leaves a mark where a mean moved; only at every fifth the GPU is asked for it,
and with a tolerance of zero never.

Prediction for an H200 and 100 rows of a DBM of 784, 500 and 1,000 units: two products of 0.05e9
multiply-adds, 1.5 us each at the peak, but 64 small tiles of 32 slices and 128 of 16 (see `products`):
14 and 7 us a sweep. Ten sweeps and what comes before take 0.22 ms, and a look at the marks 20 us.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import as_float, blocks
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, parts, zeros
from ebmbench.kernels.cuda.products import layer, stage
from ebmbench.kernels.cuda.tile import BySize, Tile, at, loop
from ebmbench.scalar import LINEAR, probability

_LOOK = 5  # sweeps after which the GPU is asked whether anything moved
_NEVER = -1.0  # a tolerance that nobody looks at
_ZERO = np.float32(0.0)


@device
def _mean(means, r, k, rows, units):
    """Of rows whose first units are others'."""
    rows_of, skip = means
    if r < rows and k < units:
        return rows_of[r, skip + k]
    return _ZERO


@device
def _tie(block, k, j, units):
    """A weight of a block of a matrix."""
    matrix, top, left, columns = block
    if k < units and j < columns:
        return matrix[top + k, left + j]
    return _ZERO


class Means:
    """The kernel of one size of tile."""

    def __init__(self, tile: Tile) -> None:
        self.tile = tile
        tall, wide, threads = at(tile.rows), at(tile.columns), at(tile.threads)
        staged, sizes = (tile.rows, tile.columns + 1), (tile.height, tile.width)
        height, width = at(tile.height), at(tile.width)
        steps = loop(tile, _mean, _tie, True)
        accumulate, row_of, column_of = steps
        share, _ = stage(tile, steps)

        @kernel(
            "float32[:,::1], float32[::1], uint64, float32[:,::1], uint64, uint64, float32[:,::1], "
            "uint64, float32, int32[::1], uint64",
            tile.threads,
        )
        def _update(matrix, starts, pitch, means, skip, terms, out, shift, tolerance, moved, sweep):
            """Units from `shift` on of each row, from their inputs and `terms` units from `skip` on.

            Row r's inputs start at starts[pitch r + shift]. A mark where a mean moved by more than the
            tolerance, which is negative where nobody looks.
            """
            x = cuda.shared.array(staged, numba.float32)
            sums = cuda.local.array(sizes, numba.float32)
            row, column = at(cuda.blockIdx.x) * tall, at(cuda.blockIdx.y) * wide
            rows, columns = at(out.shape[0]), at(out.shape[1]) - shift
            for i in range(height):
                for j in range(width):
                    r, c = row + row_of(i), column + column_of(j)
                    inside = r < rows and c < columns
                    sums[i, j] = starts[pitch * r + shift + c] if inside else _ZERO
            ties = matrix, skip, shift, columns
            accumulate(sums, (means, skip), ties, row, rows, column, terms)
            share(sums, x)
            for e in range(at(cuda.threadIdx.x), tall * wide, threads):
                down, right = e // wide, e % wide
                r, j = row + down, column + right
                if r < rows and j < columns:
                    value = probability(x[down, right])
                    if tolerance >= _ZERO and not abs(value - out[r, shift + j]) <= tolerance:  # NaN too
                        moved[sweep] = 1
                    out[r, shift + j] = value

        self.update = _update


_sized = BySize(Means)


@kernel("rows[:,::1], float32[:,::1], float32[:,::1]")
def _join(v, others, rows):
    columns, first = at(rows.shape[1]), at(v.shape[1])
    for n in range(at(cuda.grid(1)), at(rows.size), at(cuda.gridsize(1))):
        r, i = n // columns, n % columns
        rows[r, i] = np.float32(v[r, i]) if i < first else others[r, i - first]


def join(v: Array, others: Array) -> Array:
    """v and the other means side by side, float32 [rows, units]."""
    rows = empty((len(v), v.shape[1] + others.shape[1]))
    _join(blocks(rows.size, _join.threads), v, as_float(others), rows)
    return rows


def mean_field(model, v: Array, others: Array, sweeps: int, tolerance: float):
    """See `Backend.mean_field`; two launches, and two for each sweep."""
    n, terms, hidden = v.shape[1], others.shape[1], model.n_hidden
    rows = join(v, others)
    if not terms:
        return rows, 1
    of_v = parts(empty(len(v) * hidden), {"odd": (len(v), hidden)})["odd"]
    layer(model.W, model.c, v, None, hidden, of_v, LINEAR)
    odd, moved = empty((len(v), hidden)), zeros(sweeps, np.int32)
    up, down = (_sized(len(v), columns) for columns in (hidden, terms))
    for sweep in range(sweeps):
        up.update(
            up.tile.grid(len(v), hidden), model.W, of_v.whole, hidden, rows, n, terms, odd, 0, _NEVER,
            moved, sweep,
        )  # fmt: skip
        down.update(
            down.tile.grid(len(v), terms), model.Wt, model.b, 0, odd, 0, hidden, rows, n,
            tolerance if tolerance > 0 else _NEVER, moved, sweep,
        )  # fmt: skip
        done = sweep + 1
        if tolerance > 0 and done % _LOOK == 0 and done < sweeps and not download(moved)[:done].all():
            break
    return rows, done


JOBS = {"mean_field": mean_field}
