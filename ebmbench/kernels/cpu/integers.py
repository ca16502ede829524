"""Weights as integers: sums of them are exact, so no order of adding them up can change a bit.

A column's weights are numbers of 23 bits and a sign times its step, a power of two. That rounds each by
at most 2**-22 of the column's largest or, where hundreds are of one size, 2**-30 of the sum of their
sizes, so a sum over units about as much as float32 additions would. Sums may be kept and changed by what
flips for as long as a chain walks, or be made anew by a matrix unit, for one chain or for many at once,
all with the same bits. On the `grid` the step is the grid's or a part of it, and nothing is rounded.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import jit
from ebmbench.instructions import bits32, float32
from ebmbench.kernels.cpu.device import aligned_empty
from ebmbench.kernels.cpu.emit import (
    I64,
    LANES,
    REALS,
    WORDS,
    are_contiguous,
    load,
    opened,
    splat,
    store,
)
from ebmbench.kernels.cpu.threads import launch_shared, share

UNITS, COLUMNS = 64, 32  # of a block of planes
PLANES = 3  # bytes of an integer, the first one the highest, each with its own sign
LARGEST = 0x7F7F00  # such an integer, and some to spare for rounding

_ROOM = 2.0**30  # for a sum of sizes, with a bit to spare for its own rounding
_LEAST_STEP = np.float32(2.0**-100)
_ONE_OVER = np.uint32(254 << 23)  # less the bits of a power of two: the bits of 1 over it
_MANTISSA, _EXPONENT = np.uint32(0x007FFFFF), np.uint32(0x7F800000)
_SIGNS = 0x808080  # of three bytes
_GROUP = 4  # units in a word
_RANGE = ("<", 2.0**30), (">", -(2.0**30))  # of what is converted
_HALF = UNITS // _GROUP * LANES  # words of half the columns of a block


class Integers(NamedTuple):
    """A matrix [units, columns]: its columns' steps, float32, and its integers in one of two forms.

    listed: int32 [units, columns], for sums of chosen rows; or planes: uint32 [shares of columns, PLANES,
    blocks of units, 2, 16, 16], for a matrix unit: in a word a byte of each of four units, 16 such words
    of each of 16 columns, and twice as many columns. The other form has no units; without both there are
    no steps either.
    """

    step: np.ndarray
    listed: np.ndarray
    planes: np.ndarray


NONE = Integers(np.empty(0, np.float32), np.empty((0, 0), np.int32), np.empty((0,) * 6, np.uint32))


def emit_pre_activation(builder, bias, number, step):
    """bias + number * step of vectors, each operation rounded by itself."""
    return builder.fadd(bias, builder.fmul(builder.sitofp(number, REALS), step))


@intrinsic
def pre_activations(typingctx, bias, step, numbers, x):
    """X = bias + numbers * step; bias, step, x: float32 [columns], whole vectors; numbers: int32."""
    if not (are_contiguous(types.float32, bias, step, x) and are_contiguous(types.int32, numbers)):
        return None

    def codegen(context, builder, signature, args):
        bias, step, numbers, x = opened(context, builder, signature, args)
        zero, columns = ir.Constant(I64, 0), builder.extract_value(x.shape, 0)
        with cgutils.for_range_slice(builder, zero, columns, ir.Constant(I64, LANES)) as (at, _):

            def here(array, kind=REALS):
                return load(builder, builder.gep(array.data, [at]), kind)

            value = emit_pre_activation(builder, here(bias), here(numbers, WORDS), here(step))
            store(builder, value, builder.gep(x.data, [at]))
        return context.get_dummy_value()

    return types.void(bias, step, numbers, x), codegen


@jit
def _steps(W, first, last, step, inverse):
    """Write the steps of the columns [first, last) of W, and one over them; both float32 [columns].

    NaN stands for the step of a column that is not finite.
    """
    largest, total = np.zeros(last - first, np.float32), np.zeros(last - first, np.float32)
    for i in range(W.shape[0]):
        row = W[i, first:last]
        for j in range(row.size):
            size = abs(row[j])
            largest[j] = size if size > largest[j] else largest[j]
            total[j] += size
    for j in range(largest.size):
        least = max(largest[j] / np.float32(LARGEST), _LEAST_STEP, total[j] / np.float32(_ROOM))
        power = (bits32(least) + _MANTISSA) & _EXPONENT
        step[first + j] = float32(power) if total[j] < np.float32(np.inf) else np.float32(np.nan)
        inverse[first + j] = float32(_ONE_OVER - power)


def _emit_integers(builder, weights, inverse):
    """Weights in steps, rounded, ties away from 0."""
    number = builder.fmul(weights, inverse)
    half, below = splat(REALS, 0.5), splat(REALS, -0.5)
    positive = builder.fcmp_ordered(">=", number, ir.Constant(REALS, None))
    rounded = builder.fadd(number, builder.select(positive, half, below))
    # A conversion of NaN and of what is too large is not defined, and LLVM's own that is takes a number
    # at a time.
    fits = builder.and_(*(builder.fcmp_ordered(sign, rounded, splat(REALS, end)) for sign, end in _RANGE))
    return builder.fptosi(builder.select(fits, rounded, ir.Constant(REALS, None)), WORDS)


@intrinsic
def _list_rows(typingctx, W, first, last, inverse, listed):
    """The columns [first, last) of W as integers, `inverse` times as large; all [any, columns]."""
    if not (are_contiguous(types.float32, W, inverse) and are_contiguous(types.int32, listed)):
        return None

    def codegen(context, builder, signature, args):
        W, first, last, inverse, listed = opened(context, builder, signature, args)
        units, columns = (builder.extract_value(W.shape, axis) for axis in (0, 1))
        with cgutils.for_range(builder, units) as loop:
            row = builder.mul(loop.index, columns)
            with cgutils.for_range_slice(builder, first, last, ir.Constant(I64, LANES)) as (column, _):
                at = builder.add(row, column)
                factor = load(builder, builder.gep(inverse.data, [column]))
                numbers = _emit_integers(builder, load(builder, builder.gep(W.data, [at])), factor)
                store(builder, numbers, builder.gep(listed.data, [at]))
        return context.get_dummy_value()

    return types.void(W, types.intp, types.intp, inverse, listed), codegen


def _emit_words(builder, W, column, group, factor):
    """Of four units and a vector of columns: a vector of words for each plane, a unit's byte in each.

    Each byte has a sign of its own: what it is above 127 goes to the next one.
    """
    units, columns = (builder.extract_value(W.shape, axis) for axis in (0, 1))
    signs, words = splat(WORDS, _SIGNS), [ir.Constant(WORDS, None)] * PLANES
    for member in range(_GROUP):
        unit = builder.add(builder.mul(group, ir.Constant(I64, _GROUP)), ir.Constant(I64, member))
        real = builder.icmp_signed("<", unit, units)
        row = builder.select(real, unit, ir.Constant(I64, 0))
        weights = load(builder, builder.gep(W.data, [builder.add(builder.mul(row, columns), column)]))
        weights = builder.select(real, weights, ir.Constant(REALS, None))
        number = builder.xor(builder.add(_emit_integers(builder, weights, factor), signs), signs)
        for plane in range(PLANES):
            shift = 8 * (PLANES - 1 - plane) - 8 * member
            moved = (builder.lshr if shift > 0 else builder.shl)(number, splat(WORDS, abs(shift)))
            words[plane] = builder.or_(
                words[plane], builder.and_(moved, splat(WORDS, 255 << (8 * member)))
            )
    return words


@intrinsic
def _lay_rows(typingctx, W, first, last, inverse, planes):
    """As `_list_rows`, as bytes, laid out as `Integers` says; first: a multiple of COLUMNS.

    Four rows of W at a time, so that memory is read in the order in which it lies.
    """
    if not (are_contiguous(types.float32, W, inverse) and are_contiguous(types.uint32, planes)):
        return None
    n = types.intp

    def codegen(context, builder, signature, args):
        W, first, last, inverse, planes = opened(context, builder, signature, args)

        def times(number, constant):
            return builder.mul(number, ir.Constant(I64, constant))

        blocks = builder.extract_value(planes.shape, 2)
        plane_size = times(blocks, 2 * _HALF)
        with cgutils.for_range(builder, times(blocks, UNITS // _GROUP)) as loop:
            # A block's words of the other half lie between this block's and the next one's.
            block = builder.udiv(loop.index, ir.Constant(I64, UNITS // _GROUP))
            line = builder.add(times(loop.index, LANES), times(block, _HALF))
            with cgutils.for_range_slice(builder, first, last, ir.Constant(I64, LANES)) as (column, _):
                vector = builder.udiv(column, ir.Constant(I64, LANES))
                half = builder.and_(vector, ir.Constant(I64, 1))
                strip = builder.lshr(vector, ir.Constant(I64, 1))
                there = builder.add(line, times(half, _HALF))
                there = builder.add(there, builder.mul(strip, times(plane_size, PLANES)))
                factor = load(builder, builder.gep(inverse.data, [column]))
                for word in _emit_words(builder, W, column, loop.index, factor):
                    store(builder, word, builder.gep(planes.data, [there]))
                    there = builder.add(there, plane_size)
        return context.get_dummy_value()

    return types.void(W, n, n, inverse, planes), codegen


@jit(parallel=True)
def _convert(threads, W, step, listed, planes):
    """Write the steps of W and its integers, in the form that has units."""
    columns = W.shape[1]
    shares = (columns + COLUMNS - 1) // COLUMNS
    parts, inverse = min(threads, shares), np.empty(columns, np.float32)
    for n in prange(parts):
        begin, end = share(n, parts, shares)
        first, last = begin * COLUMNS, min(columns, end * COLUMNS)
        _steps(W, first, last, step, inverse)
        if planes.shape[0] == 0:
            _list_rows(W, first, last, inverse, listed)
        else:
            _lay_rows(W, first, last, inverse, planes)


def _converted(W, form: Integers) -> Integers:
    launch_shared(_convert, 4 * W.size, W, *form)
    return form


def listed(W) -> Integers:
    """W, float32 [units, columns], for sums of chosen rows."""
    step, numbers = np.empty(W.shape[1], np.float32), aligned_empty(*W.shape).view(np.int32)
    return _converted(W, NONE._replace(step=step, listed=numbers))


def laid_out(W) -> Integers:
    """W, float32 [units, columns], for a matrix unit."""
    units, columns = W.shape
    shape = -(-columns // COLUMNS), PLANES, -(-units // UNITS), 2, UNITS // _GROUP, LANES
    step, planes = np.empty(columns, np.float32), aligned_empty(*shape).view(np.uint32)
    return _converted(W, NONE._replace(step=step, planes=planes))
