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

from ebmbench.compile import inner, jit
from ebmbench.instructions import bits32, float32
from ebmbench.kernels.cpu.emit import (
    I32,
    I64,
    LANES,
    WORDS,
    are_contiguous,
    broadcast,
    load,
    opened,
    splat,
    store,
)
from ebmbench.kernels.cpu.integers import (
    COLUMNS,
    GROUP,
    HALF,
    LARGEST_SUM,
    PLANES,
    SUM_SHIFT,
    UNITS,
    common_step,
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
    return builder.select(builder.icmp_unsigned(">", one, other), one, other)


def _sum(builder, vectors):
    one, other, *rest = vectors
    together = builder.add(one, other)
    return _sum(builder, [*rest, together]) if rest else together


def _size(builder, number):
    """Of integers, without the bits that sums do without."""
    negative = builder.icmp_signed("<", number, ir.Constant(WORDS, None))
    size = builder.select(negative, builder.neg(number), number)
    return builder.lshr(size, splat(WORDS, SUM_SHIFT))


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
    words = are_contiguous(types.uint32, up, down, largest, totals)
    if not (words and are_contiguous(types.float32, W)):
        return None

    def codegen(context, builder, signature, args):
        W, first, inverse, up, down, largest, totals = opened(context, builder, signature, args)

        def constant(number):
            return ir.Constant(I64, number)

        def times(number, factor):
            return builder.mul(number, constant(factor))

        inverse = broadcast(builder, inverse)
        most, *sums = (
            cgutils.alloca_once_value(builder, ir.Constant(WORDS, None)) for _ in range(1 + LANES)
        )
        # Vectors of nothing but padding may lie behind the transpose's last block.
        columns, end = builder.extract_value(W.shape, 1), builder.extract_value(down.shape, 2)
        end = times(end, UNITS)
        columns = builder.select(builder.icmp_signed("<", columns, end), columns, end)
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
                there = builder.add(at, constant(n * LANES))
                numbers = [emit_integers(builder, row, inverse) for row in rows]
                sizes = [_size(builder, number) for number in numbers]
                together.append(_sum(builder, sizes))
                for size, total in zip(sizes, sums[GROUP * n : GROUP * (n + 1)], strict=True):
                    builder.store(builder.add(builder.load(total), size), total)
                for row in rows:  # in the order of their bits, in which NaN comes last
                    bits = builder.and_(builder.bitcast(row, WORDS), splat(WORDS, 0x7FFFFFFF))
                    builder.store(_larger(builder, bits, builder.load(most)), most)
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
            total = builder.add(load(builder, place, WORDS), _sum(builder, together))
            store(builder, total, place)

        def reduced(operation, room):
            vector = builder.load(room)
            found = builder.extract_element(vector, ir.Constant(I32, 0))
            for lane in range(1, LANES):
                found = operation(builder.extract_element(vector, ir.Constant(I32, lane)), found)
            return found

        found = [reduced(partial(_larger, builder), most)]
        found.append(reduce(partial(_larger, builder), [reduced(builder.add, room) for room in sums]))
        for n, number in enumerate(found):
            place = builder.gep(largest.data, [constant(n)])
            builder.store(_larger(builder, number, builder.load(place)), place)
        return context.get_dummy_value()

    return types.void(W, types.intp, types.float32, up, down, largest, totals), codegen


@inner
def write_copies(W, low, high, n_hidden, copies, largest, totals):
    """Rows [low, high) of W, low a multiple of 16, in each of the copies; with integers their `sizes`."""
    if copies.Wt.shape[0] > 0:
        transpose(W, low, high, n_hidden, copies.Wt)
    if copies.up.shape[0] > 0:
        inverse = np.float32(copies.inverse)
        for first in range(low, high, LANES):
            _lay_tile(W, first, inverse, copies.up, copies.down, largest, totals)


@inner(allocates=True)
def sizes(shares, columns):
    """Of shares of W's rows, none yet: the largest of a weight and of a row's sum, and sums of columns.

    uint32, [shares, 2] and [shares, columns]: a weight's size as its bits, sums in steps, without their
    last `SUM_SHIFT` bits. So neither depends on how rows are shared.
    """
    return np.zeros((shares, 2), np.uint32), np.zeros((shares, columns), np.uint32)


@inner
def of_all(largest, totals):
    """The largest size of a weight, NaN where one is, and the largest sum of a row or a column."""
    weight, total = np.uint32(0), np.uint32(0)
    for n in range(largest.shape[0]):
        weight, total = max(weight, largest[n, 0]), max(total, largest[n, 1])
    for j in range(totals.shape[1]):
        column = np.uint32(0)
        for n in range(totals.shape[0]):
            column += totals[n, j]
        total = max(total, column)
    return float32(weight), total


@jit(parallel=True)
def _find_largest(threads, W):
    largest = np.zeros(threads, np.uint32)
    for n in prange(threads):
        for i in range(*share(n, threads, W.shape[0])):
            row, most = W[i], np.uint32(0)
            for j in range(row.size):
                most = max(most, np.uint32(bits32(row[j]) & np.uint32(0x7FFFFFFF)))
            largest[n] = max(largest[n], most)
    return float32(largest.max())


@jit(parallel=True)
def _add_sizes(threads, W, inverse):
    largest, totals = sizes(threads, W.shape[1])
    for n in prange(threads):
        columns = totals[n]
        for i in range(*share(n, threads, W.shape[0])):
            row, total = W[i], np.uint32(0)
            for j in range(row.size):
                size = np.uint32(abs(np.rint(np.float32(row[j] * inverse)))) >> np.uint32(SUM_SHIFT)
                columns[j] += size
                total += size
            largest[n, 1] = max(largest[n, 1], total)
    return of_all(largest, totals)


def step_of(W: np.ndarray) -> float:
    """The common step of W, float32 [any, padded], 0 where its columns have their own."""
    step = common_step(launch_shared(_find_largest, W.size, W), max(W.shape))
    if step > 0:
        _, total = launch_shared(_add_sizes, W.size, W, np.float32(1.0 / step))
        if total > LARGEST_SUM:
            return 0.0
    return step
