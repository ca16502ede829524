"""W's copies that products read, of rows that an update has just moved: transposed, and as integers.

The integers are those of `integers.laid_out` of W and of its transpose with one step for both, all made
of one look at a row while it is in the core's cache. Whether the step is still the one that W should have
is known when all rows were seen.
"""

from functools import partial, reduce
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import jit
from ebmbench.kernels.cpu.emit import (
    I32,
    I64,
    LANES,
    REALS,
    WORDS,
    are_contiguous,
    broadcast,
    emit_unary,
    load,
    opened,
    store,
)
from ebmbench.kernels.cpu.integers import (
    COLUMNS,
    GROUP,
    HALF,
    PLANES,
    UNITS,
    emit_integers,
    emit_rows,
    emit_words,
)
from ebmbench.kernels.cpu.threads import launch_shared, share
from ebmbench.kernels.cpu.transpose import transpose


class Copies(NamedTuple):
    """Wt: float32 [n_hidden, padded], or no rows; up, down: planes of W and its transpose, or none.

    inverse: 1 over the planes' step.
    """

    Wt: np.ndarray
    up: np.ndarray
    down: np.ndarray
    inverse: float


_EACH_WAY = ir.Constant(
    ir.VectorType(I32, 4 * LANES),
    [16 * lane + 4 * byte + word for lane in range(4) for word in range(4) for byte in range(4)],
)
_GROUPS = LANES // GROUP
_MANY_BYTES = ir.VectorType(ir.IntType(8), 4 * LANES)


def _larger(builder, one, other):
    return builder.select(builder.fcmp_ordered(">", one, other), one, other)


def _sum(builder, vectors):
    one, other, *rest = vectors
    together = builder.fadd(one, other)
    return _sum(builder, [*rest, together]) if rest else together


def _turned(builder, words):
    """Of a vector of words of 16 units, a byte for each of four rows: 16 bytes a row of four units."""
    moved = builder.bitcast(words, _MANY_BYTES)
    return builder.bitcast(builder.shuffle_vector(moved, moved, _EACH_WAY), WORDS)


def _lines(builder, parts):
    """Of four vectors of four parts each the vectors of first parts, second ones, ..."""
    for size in (2, 1):  # of what is exchanged: two parts of distant vectors, then one of neighbours
        moved = list(parts)
        for n in range(GROUP):
            if n & size:
                continue
            pair = parts[n], parts[n | size]
            for place, wanted in ((n, 0), (n | size, size)):
                lanes = [
                    4 * (part & ~size | wanted) + (LANES if part & size else 0) + lane
                    for part in range(4)
                    for lane in range(4)
                ]
                moved[place] = builder.shuffle_vector(*pair, ir.Constant(WORDS, lanes))
        parts = moved
    return parts


@intrinsic
def _lay_tile(typingctx, W, first, inverse, up, down, largest, totals):
    """16 rows of W from a multiple of 16 on as integers in both ways.

    W: float32 [units, columns]; up, down: planes of W and of its transpose; largest, totals: a share's of
    `sizes`, and changed to what these rows make of them.
    """
    reals = are_contiguous(types.float32, W, largest, totals)
    if not (reals and are_contiguous(types.uint32, up, down)):
        return None

    def codegen(context, builder, signature, args):
        W, first, inverse, up, down, largest, totals = opened(context, builder, signature, args)

        def constant(number):
            return ir.Constant(I64, number)

        def times(number, factor):
            return builder.mul(number, constant(factor))

        inverse = broadcast(builder, inverse)
        most, *sums = (
            cgutils.alloca_once_value(builder, ir.Constant(REALS, None)) for _ in range(1 + LANES)
        )
        columns = builder.extract_value(W.shape, 1)
        plane_up, plane_down = (
            times(builder.extract_value(planes.shape, 2), 2 * HALF) for planes in (up, down)
        )
        # Of `up` these units are lines of a block, of `down` they are half the columns of a strip.
        group = builder.udiv(first, constant(GROUP))
        block = builder.udiv(first, constant(UNITS))
        line_up = builder.add(times(group, LANES), times(block, HALF))
        half = builder.and_(builder.udiv(first, constant(LANES)), constant(1))
        strip = builder.udiv(first, constant(COLUMNS))
        start_down = builder.add(builder.mul(strip, times(plane_down, PLANES)), times(half, HALF))
        with cgutils.for_range_slice(builder, constant(0), columns, constant(LANES)) as (column, _):
            vector = builder.udiv(column, constant(LANES))
            half, strip = builder.and_(vector, constant(1)), builder.lshr(vector, constant(1))
            at = builder.add(line_up, times(half, HALF))
            at = builder.add(at, builder.mul(strip, times(plane_up, PLANES)))
            turned = [[] for _ in range(PLANES)]
            together = []
            for n in range(_GROUPS):
                rows = emit_rows(builder, W, column, builder.add(group, constant(n)))
                sizes = [emit_unary(builder, "fabs", row) for row in rows]
                together.append(_sum(builder, sizes))
                for size, total in zip(sizes, sums[GROUP * n : GROUP * (n + 1)], strict=True):
                    builder.store(builder.fadd(builder.load(total), size), total)
                    builder.store(_larger(builder, size, builder.load(most)), most)
                there = builder.add(at, constant(n * LANES))
                numbers = [emit_integers(builder, row, inverse) for row in rows]
                for plane, words in enumerate(emit_words(builder, numbers)):
                    store(builder, words, builder.gep(up.data, [there]))
                    there = builder.add(there, plane_up)
                    turned[plane].append(_turned(builder, words))
            # 16 columns are 4 lines of the other way's block of 64.
            there = builder.add(start_down, times(builder.lshr(vector, constant(2)), 2 * HALF))
            there = builder.add(there, times(builder.and_(vector, constant(3)), 4 * LANES))
            for parts in turned:
                for n, line in enumerate(_lines(builder, parts)):
                    place = builder.add(there, constant(n * LANES))
                    store(builder, line, builder.gep(down.data, [place]))
                there = builder.add(there, plane_down)
            place = builder.gep(totals.data, [column])
            total = builder.fadd(load(builder, place), _sum(builder, together))
            store(builder, total, place)

        def reduced(operation, room):
            vector = builder.load(room)
            found = builder.extract_element(vector, ir.Constant(I32, 0))
            for lane in range(1, LANES):
                found = operation(builder.extract_element(vector, ir.Constant(I32, lane)), found)
            return found

        found = [reduced(partial(_larger, builder), most)]
        found.append(reduce(partial(_larger, builder), [reduced(builder.fadd, room) for room in sums]))
        for n, number in enumerate(found):
            place = builder.gep(largest.data, [constant(n)])
            builder.store(_larger(builder, number, builder.load(place)), place)
        return context.get_dummy_value()

    return types.void(W, types.intp, types.float32, up, down, largest, totals), codegen


@jit
def write_copies(W, low, high, n_hidden, copies, largest, totals):
    """Rows [low, high) of W, low a multiple of 16, in each of the copies; with integers their `sizes`."""
    if copies.Wt.shape[0] > 0:
        transpose(W, low, high, n_hidden, copies.Wt)
    if copies.up.shape[0] > 0:
        inverse = np.float32(copies.inverse)
        for first in range(low, high, LANES):
            _lay_tile(W, first, inverse, copies.up, copies.down, largest, totals)


@jit
def sizes(shares, columns):
    """Of shares of W's rows, none yet: the largest of a weight and of a row's sum, and sums of columns.

    Both float32, [shares, 2] and [shares, columns].
    """
    return np.zeros((shares, 2), np.float32), np.zeros((shares, columns), np.float32)


@jit
def of_all(largest, totals):
    """The largest size of a weight, and that of all weights of a row or a column; NaN where one is."""
    weight, total, nothing = np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for n in range(largest.shape[0]):
        weight, total = max(weight, largest[n, 0]), max(total, largest[n, 1])
    for j in range(totals.shape[1]):
        column = np.float32(0.0)
        for n in range(totals.shape[0]):
            column += totals[n, j]
        total = max(total, column)
        nothing += column - column  # NaN where it is or the sum is infinite
    return weight, total + nothing


@jit(parallel=True)
def _measure(threads, W):
    largest, totals = sizes(threads, W.shape[1])
    for n in prange(threads):
        columns = totals[n]
        for i in range(*share(n, threads, W.shape[0])):
            row, total, most = W[i], np.float32(0.0), np.float32(0.0)
            for j in range(row.size):
                size = abs(row[j])
                columns[j] += size
                total += size
                most = size if size > most else most
            largest[n, 0], largest[n, 1] = max(largest[n, 0], most), max(largest[n, 1], total)
    return of_all(largest, totals)


def measured(W: np.ndarray) -> tuple[float, float]:
    """What `of_all` says of W, float32 [any, padded]."""
    return launch_shared(_measure, W.size, W)
