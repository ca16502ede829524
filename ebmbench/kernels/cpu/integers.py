"""Weights as integers: sums of them are exact, so no order of adding them up can change a bit.

Weights are numbers of 23 bits and a sign times a step, a power of two. All of a matrix have one step, as
large as its largest weight needs (`common_step`); where that is large, or sums of so many of their size
would not fit 32 bits, each column has its own. That rounds a weight by at most 2**-23 of the largest, of
layers of 4,096 units 2**-21, or, in a column whose hundreds are of one size, 2**-30 of the sum of their
sizes; so a sum over units about as much as float32 additions would. Sums may be kept and changed by what
flips for as long as a chain walks, or be made anew by a matrix unit, for one chain or for many at once,
all with the same bits. On the `grid` the step is the grid's or a part of it, and nothing is rounded.
"""

import math
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import inner, jit
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
_LARGEST_COMMON = 16.0  # beyond which a few weights would leave too little of the others
SUM_SHIFT = 7  # bits that sums of sizes do without, so that 32 hold them; the same whatever their order
LARGEST_SUM = (2**31 - 2**22) >> SUM_SHIFT  # of sizes at the common step, with 127 a unit to spare
_FEW = 1024  # units whose weights may on average be a quarter of the largest
_ONE_OVER = np.uint32(254 << 23)  # less the bits of a power of two: the bits of 1 over it
_MANTISSA, _EXPONENT = np.uint32(0x007FFFFF), np.uint32(0x7F800000)
_SIGNS = 0x808080  # of three bytes
GROUP = 4  # units in a word
HALF = UNITS // GROUP * LANES  # words of half the columns of a block


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


@inner(allocates=True)
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


def emit_integers(builder, weights, inverse):
    """Weights in steps, rounded, ties to even; any number where it is NaN or does not fit."""
    kind = ir.FunctionType(WORDS, [REALS])
    name = f"llvm.lrint.v{LANES}i32.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [builder.fmul(weights, inverse)])


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
                numbers = emit_integers(builder, load(builder, builder.gep(W.data, [at])), factor)
                store(builder, numbers, builder.gep(listed.data, [at]))
        return context.get_dummy_value()

    return types.void(W, types.intp, types.intp, inverse, listed), codegen


def emit_rows(builder, W, column, group):
    """Vectors of weights of four units, 0 for units that do not exist."""
    units, columns = (builder.extract_value(W.shape, axis) for axis in (0, 1))
    found = []
    for member in range(GROUP):
        unit = builder.add(builder.mul(group, ir.Constant(I64, GROUP)), ir.Constant(I64, member))
        real = builder.icmp_signed("<", unit, units)
        row = builder.select(real, unit, ir.Constant(I64, 0))
        weights = load(builder, builder.gep(W.data, [builder.add(builder.mul(row, columns), column)]))
        found.append(builder.select(real, weights, ir.Constant(REALS, None)))
    return found


def emit_words(builder, numbers):
    """Of integers of four units: a vector of words for each plane, a unit's byte in each.

    Each byte has a sign of its own: what it is above 127 goes to the next one.
    """
    signs, words = splat(WORDS, _SIGNS), [ir.Constant(WORDS, None)] * PLANES
    for member, number in enumerate(numbers):
        number = builder.xor(builder.add(number, signs), signs)
        for plane in range(PLANES):
            shift = 8 * (PLANES - 1 - plane) - 8 * member
            moved = (builder.lshr if shift > 0 else builder.shl)(number, splat(WORDS, abs(shift)))
            words[plane] = builder.or_(
                words[plane], builder.and_(moved, splat(WORDS, 255 << (8 * member)))
            )
    return words


@intrinsic
def lay_rows(typingctx, W, first, last, inverse, planes, block):
    """As `_list_rows`, as bytes, from a block on, laid out as `Integers` says; first: whole strips.

    Four rows of W at a time, so that memory is read in the order in which it lies; 0 behind them.
    """
    if not (are_contiguous(types.float32, W, inverse) and are_contiguous(types.uint32, planes)):
        return None
    n = types.intp

    def codegen(context, builder, signature, args):
        W, first, last, inverse, planes, block = opened(context, builder, signature, args)

        def times(number, constant):
            return builder.mul(number, ir.Constant(I64, constant))

        groups = ir.Constant(I64, UNITS // GROUP)
        units = builder.extract_value(W.shape, 0)
        blocks = builder.udiv(builder.add(units, ir.Constant(I64, UNITS - 1)), ir.Constant(I64, UNITS))
        plane_size = times(builder.extract_value(planes.shape, 2), 2 * HALF)
        before = times(block, 2 * HALF)
        with cgutils.for_range(builder, builder.mul(blocks, groups)) as loop:
            # A block's words of the other half lie between this block's and the next one's.
            line = builder.add(times(loop.index, LANES), times(builder.udiv(loop.index, groups), HALF))
            line = builder.add(before, line)
            with cgutils.for_range_slice(builder, first, last, ir.Constant(I64, LANES)) as (column, _):
                vector = builder.udiv(column, ir.Constant(I64, LANES))
                half = builder.and_(vector, ir.Constant(I64, 1))
                strip = builder.lshr(vector, ir.Constant(I64, 1))
                there = builder.add(line, times(half, HALF))
                there = builder.add(there, builder.mul(strip, times(plane_size, PLANES)))
                factor = load(builder, builder.gep(inverse.data, [column]))
                weights = emit_rows(builder, W, column, loop.index)
                numbers = [emit_integers(builder, four, factor) for four in weights]
                for word in emit_words(builder, numbers):
                    store(builder, word, builder.gep(planes.data, [there]))
                    there = builder.add(there, plane_size)
        return context.get_dummy_value()

    return types.void(W, n, n, inverse, planes, n), codegen


def common_step(largest: float, units: int) -> float:
    """The step that all weights of a matrix have, if sums fit; 0 where each column is to have its own.

    largest: the largest size of a weight; units: of the larger layer. The integers of larger layers have
    fewer bits: hundreds of weights of the largest's size do not add up to more.
    """
    if not largest <= _LARGEST_COMMON:
        return 0.0
    least = max(largest / LARGEST, float(_LEAST_STEP)) * 2.0 ** max(0, math.ceil(math.log2(units / _FEW)))
    mantissa, exponent = math.frexp(least)
    return 2.0 ** (exponent - 1 if mantissa == 0.5 else exponent)


@jit(parallel=True)
def _convert(threads, W, common, step, listed, planes):
    """Write the steps of W and its integers, in the form that has units; common: 0 for columns' own."""
    columns = W.shape[1]
    shares = (columns + COLUMNS - 1) // COLUMNS
    parts, inverse = min(threads, shares), np.empty(columns, np.float32)
    for n in prange(parts):
        begin, end = share(n, parts, shares)
        first, last = begin * COLUMNS, min(columns, end * COLUMNS)
        if common > 0:
            step[first:last] = np.float32(common)
            inverse[first:last] = np.float32(1.0 / common)
        else:
            _steps(W, first, last, step, inverse)
        if planes.shape[0] == 0:
            _list_rows(W, first, last, inverse, listed)
        else:
            lay_rows(W, first, last, inverse, planes, 0)


def _converted(W, common: float, form: Integers) -> Integers:
    launch_shared(_convert, 4 * W.size, W, common, *form)
    return form


def listed(W, common: float = 0.0, _into: Integers = NONE) -> Integers:
    """W, float32 [units, columns], for sums of chosen rows; common: see `common_step`."""
    step, numbers = np.empty(W.shape[1], np.float32), aligned_empty(*W.shape).view(np.int32)
    return _converted(W, common, NONE._replace(step=step, listed=numbers))


def empty_planes(units: int, columns: int) -> np.ndarray:
    """Room for the planes of `Integers` of a matrix."""
    shape = -(-columns // COLUMNS), PLANES, -(-units // UNITS), 2, UNITS // GROUP, LANES
    return aligned_empty(*shape).view(np.uint32)


def laid_out(W, common: float = 0.0, into: Integers = NONE) -> Integers:
    """W, float32 [units, columns], for a matrix unit; common: see `common_step`.

    into: such integers of a matrix of this shape, which are written over.
    """
    if into is NONE:
        into = NONE._replace(step=np.empty(W.shape[1], np.float32), planes=empty_planes(*W.shape))
    return _converted(W, common, into)
