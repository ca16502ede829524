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
from ebmbench.kernels.cpu.threads import launch

UNITS, COLUMNS = 64, 32  # of a block of planes
PLANES = 3  # bytes of an integer, the first one the highest, each with its own sign
LARGEST = 0x7F7F00  # such an integer, and some to spare for rounding

_ROOM = 2.0**30  # for a sum of sizes, with a bit to spare for its own rounding
_LEAST_STEP = np.float32(2.0**-100)
_ONE_OVER = np.uint32(254 << 23)  # less the bits of a power of two: the bits of 1 over it
_MANTISSA, _EXPONENT = np.uint32(0x007FFFFF), np.uint32(0x7F800000)
_SIGNS = 0x808080  # of three bytes
_GROUP = 4  # units in a word


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


@intrinsic
def _sizes(typingctx, W, column, vectors, largest, total):
    """Of one or two vectors of W's columns the largest size and the sum of sizes, float32 [COLUMNS] each.

    Two at once, because memory comes two cache lines at a time. Where there is one, it is taken twice.
    """
    if not are_contiguous(types.float32, W, largest, total):
        return None
    n = types.intp

    def codegen(context, builder, signature, args):
        W, column, vectors, largest, total = opened(context, builder, signature, args)
        units, columns = (builder.extract_value(W.shape, axis) for axis in (0, 1))
        kind = ir.FunctionType(REALS, [REALS])
        absolute = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f32")
        two = builder.icmp_signed(">", vectors, ir.Constant(I64, 1))
        second = builder.select(two, ir.Constant(I64, LANES), ir.Constant(I64, 0))
        firsts = [builder.gep(W.data, [at]) for at in (column, builder.add(column, second))]
        nothing = ir.Constant(REALS, None)
        most, sums = ([cgutils.alloca_once_value(builder, nothing) for _ in firsts] for _ in range(2))
        with cgutils.for_range(builder, units) as loop:
            behind = builder.mul(loop.index, columns)
            for first, largest_so_far, sum_so_far in zip(firsts, most, sums, strict=True):
                size = builder.call(absolute, [load(builder, builder.gep(first, [behind]))])
                before = builder.load(largest_so_far)
                larger = builder.fcmp_ordered(">", size, before)
                builder.store(builder.select(larger, size, before), largest_so_far)
                builder.store(builder.fadd(builder.load(sum_so_far), size), sum_so_far)
        for found, out in ((most, largest), (sums, total)):
            for n, vector in enumerate(found):
                store(builder, builder.load(vector), builder.gep(out.data, [ir.Constant(I64, n * LANES)]))
        return context.get_dummy_value()

    return types.void(W, n, n, largest, total), codegen


@jit(forceinline=True)
def _steps(W, column, vectors, step, inverse):
    """Write the steps of one or two vectors of columns, and one over them, float32 [COLUMNS].

    NaN stands for the step of a column that is not finite.
    """
    largest, total = np.empty(COLUMNS, np.float32), np.empty(COLUMNS, np.float32)
    _sizes(W, column, vectors, largest, total)
    for j in range(LANES * vectors):
        least = max(largest[j] / np.float32(LARGEST), _LEAST_STEP, total[j] / np.float32(_ROOM))
        power = (bits32(least) + _MANTISSA) & _EXPONENT
        step[column + j] = float32(power) if total[j] < np.float32(np.inf) else np.float32(np.nan)
        inverse[j] = float32(_ONE_OVER - power)


def _emit_integers(builder, weights, inverse):
    """Weights in steps, rounded, ties away from 0."""
    number = builder.fmul(weights, inverse)
    half, below = splat(REALS, 0.5), splat(REALS, -0.5)
    positive = builder.fcmp_ordered(">=", number, ir.Constant(REALS, None))
    rounded = builder.fadd(number, builder.select(positive, half, below))
    kind = ir.FunctionType(WORDS, [REALS])  # to an integer, whatever NaN and what is too large become
    name = f"llvm.fptosi.sat.v{LANES}i32.v{LANES}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [rounded])


@intrinsic
def _list_rows(typingctx, W, column, inverse, place, listed):
    """A vector of W's columns as integers; their factors stand from a place in `inverse` on."""
    if not (are_contiguous(types.float32, W, inverse) and are_contiguous(types.int32, listed)):
        return None

    def codegen(context, builder, signature, args):
        W, column, inverse, place, listed = opened(context, builder, signature, args)
        units, columns = (builder.extract_value(W.shape, axis) for axis in (0, 1))
        factor = load(builder, builder.gep(inverse.data, [place]))
        with cgutils.for_range(builder, units) as loop:
            at = builder.add(builder.mul(loop.index, columns), column)
            numbers = _emit_integers(builder, load(builder, builder.gep(W.data, [at])), factor)
            store(builder, numbers, builder.gep(listed.data, [at]))
        return context.get_dummy_value()

    return types.void(W, types.intp, inverse, types.intp, listed), codegen


@intrinsic
def _lay_rows(typingctx, W, column, inverse, at, planes, place):
    """A vector of W's columns as bytes, laid out from a place in the planes on; see `Integers`.

    Their factors stand from `at` in `inverse` on. Each byte has a sign of its own: what it is above 127
    goes to the next one.
    """
    if not (are_contiguous(types.float32, W, inverse) and are_contiguous(types.uint32, planes)):
        return None
    n = types.intp

    def codegen(context, builder, signature, args):
        W, column, inverse, at, planes, place = opened(context, builder, signature, args)
        units, columns = (builder.extract_value(W.shape, axis) for axis in (0, 1))
        blocks = builder.extract_value(planes.shape, 2)
        factor, signs = load(builder, builder.gep(inverse.data, [at])), splat(WORDS, _SIGNS)
        plane_size = builder.mul(blocks, ir.Constant(I64, 2 * UNITS // _GROUP * LANES))
        with cgutils.for_range(builder, builder.mul(blocks, ir.Constant(I64, UNITS // _GROUP))) as loop:
            numbers = []
            for n in range(_GROUP):
                unit = builder.add(builder.mul(loop.index, ir.Constant(I64, _GROUP)), ir.Constant(I64, n))
                real = builder.icmp_signed("<", unit, units)
                row = builder.select(real, unit, ir.Constant(I64, 0))
                entry = builder.add(builder.mul(row, columns), column)
                weights = load(builder, builder.gep(W.data, [entry]))
                weights = builder.select(real, weights, ir.Constant(REALS, None))
                number = builder.add(_emit_integers(builder, weights, factor), signs)
                numbers.append(builder.xor(number, signs))
            # A block's words of the other half lie between this block's and the next one's.
            block = builder.udiv(loop.index, ir.Constant(I64, UNITS // _GROUP))
            line = builder.add(loop.index, builder.mul(block, ir.Constant(I64, UNITS // _GROUP)))
            there = builder.add(place, builder.mul(line, ir.Constant(I64, LANES)))
            for plane in range(PLANES):
                word = None
                for member, number in enumerate(numbers):
                    shift = 8 * (PLANES - 1 - plane) - 8 * member
                    mask = splat(WORDS, 255 << (8 * member))
                    moved = (builder.lshr if shift > 0 else builder.shl)(number, splat(WORDS, abs(shift)))
                    part = builder.and_(moved, mask)
                    word = part if word is None else builder.or_(word, part)
                store(builder, word, builder.gep(planes.data, [there]))
                there = builder.add(there, plane_size)
        return context.get_dummy_value()

    return types.void(W, n, inverse, n, planes, n), codegen


@jit(parallel=True)
def _convert(W, step, listed, planes):
    """Write the steps of W and its integers, in the form that has units."""
    columns, half = W.shape[1], planes.shape[4] * planes.shape[5]
    for share in prange((columns + COLUMNS - 1) // COLUMNS):
        first, inverse = share * COLUMNS, np.empty(COLUMNS, np.float32)
        vectors = min(COLUMNS, columns - first) // LANES
        _steps(W, first, vectors, step, inverse)
        for n in range(vectors):
            if planes.shape[0] == 0:
                _list_rows(W, first + n * LANES, inverse, n * LANES, listed)
            else:
                place = (share * PLANES * planes.shape[2] * 2 + n) * half
                _lay_rows(W, first + n * LANES, inverse, n * LANES, planes, place)


def _converted(W, form: Integers) -> Integers:
    launch(_convert, 4 * W.size, W, *form)
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
