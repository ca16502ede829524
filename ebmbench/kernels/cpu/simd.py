"""Vector primitives: the sum of chosen rows of a matrix, and reductions, held in registers.

A binary state picks rows of W; adding only those is a matrix product without the multiplications by
zero. Rows are added in ascending order into one accumulator a column, so the result depends neither
on how a batch is split nor on the number of threads. Written as LLVM vectors because a loop over
rows around a loop over columns would load and store its accumulators at every row, and a loop that
reduces is not vectorised at all without leave to reorder.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.emit import I64, LANES, are_contiguous, broadcast, load, opened, store
from ebmbench.kernels.cpu.fused import multiply_add
from ebmbench.kernels.cpu.processor import ON_ARM

# Vectors accumulated at once: enough to hide the latency of an addition, and nearly so for what is left.
# On ARM eight would take all 32 registers, and leave none for what is added, so there both are four. They
# take all 16 of AVX2, which adds from memory; with weights one is spilled, but four at once would take
# 1.1 times as long.
_WIDE, _HALF = 4 if ON_ARM else 8, 4
CACHE_LINE = 64  # bytes, of most processors, and of the widest vector


@jit(forceinline=True)
def before_line(numbers):
    """How many bytes of an array stand before its first cache line; NumPy's own ways to ask take 1 us."""
    return -numbers.ctypes.data % CACHE_LINE


@inner(forceinline=True)
def copy(source, target):
    """Target = source, of one dimension: slices take longer to assign, and far longer to compile."""
    for i in range(target.size):
        target[i] = source[i]


@inner(forceinline=True)
def fill(target, value):
    """All of target, of one dimension, = value."""
    for i in range(target.size):
        target[i] = value


@intrinsic
def address(typingctx, numbers):
    """Where an array begins, which must outlive this: nobody counts who refers to it."""
    if not are_contiguous(numbers.dtype, numbers) or numbers.dtype not in (types.float32, types.int32):
        return None

    def codegen(context, builder, signature, args):
        (array,) = opened(context, builder, signature, args)
        return builder.ptrtoint(array.data, I64)

    return types.intp(numbers), codegen


def _emit_sum_rows(context, builder, signature, args, vectors, lists):
    """Out = start + rows of matrix; lists: (numbers of rows, how many, what does them to the sums)."""
    start, matrix, column, out, place = args
    number = context.get_value_type(signature.args[1].dtype)
    vector = ir.VectorType(number, LANES)

    def at(pointer, k):
        return builder.gep(pointer, [ir.Constant(I64, k * LANES)])

    first = builder.gep(builder.inttoptr(start, number.as_pointer()), [place])
    sums = [
        cgutils.alloca_once_value(builder, load(builder, at(first, k), vector)) for k in range(vectors)
    ]
    columns = builder.extract_value(matrix.shape, 1)
    base = builder.gep(matrix.data, [column])
    for index, count, apply in lists:
        with cgutils.for_range(builder, count) as loop:
            row = builder.sext(builder.load(builder.gep(index.data, [loop.index])), I64)
            pointer = builder.gep(base, [builder.mul(row, columns)])
            add = apply(loop.index)
            for k, total in enumerate(sums):
                builder.store(add(builder.load(total), load(builder, at(pointer, k), vector)), total)
    target = builder.gep(out.data, [place])
    for k, total in enumerate(sums):
        store(builder, builder.load(total), at(target, k))
    return context.get_dummy_value()


def _sum_rows(vectors):
    @intrinsic
    def sum_rows(typingctx, start, matrix, up, rising, down, falling, column, out, place):
        """out = start + the rows `up` - the rows `down` of matrix, in so many vectors of columns.

        start: of `address`; place: which of start's and out's numbers the matrix's column is.
        """
        if matrix.dtype not in (types.float32, types.int32):
            return None
        if not are_contiguous(matrix.dtype, matrix, out):
            return None
        if not are_contiguous(types.int32, up, down):
            return None
        n = types.intp
        signature = types.void(n, matrix, up, n, down, n, n, out, n)

        def codegen(context, builder, signature, args):
            start, matrix, up, rising, down, falling, column, out, place = opened(
                context, builder, signature, args
            )
            real = signature.args[1].dtype == types.float32
            plus, minus = (builder.fadd, builder.fsub) if real else (builder.add, builder.sub)
            lists = (up, rising, lambda _: plus), (down, falling, lambda _: minus)
            given = start, matrix, column, out, place
            return _emit_sum_rows(context, builder, signature, given, vectors, lists)

        return signature, codegen

    return sum_rows


def _sum_weighted_rows(vectors):
    @intrinsic
    def sum_weighted_rows(typingctx, start, matrix, index, weight, count, column, out, place):
        """out = start + the rows `index` of matrix times their weights; the rest as in `sum_rows`."""
        if not are_contiguous(types.float32, matrix, weight, out):
            return None
        if not are_contiguous(types.int32, index):
            return None
        n = types.intp
        signature = types.void(n, matrix, index, weight, n, n, out, n)

        def codegen(context, builder, signature, args):
            start, matrix, index, weight, count, column, out, place = opened(
                context, builder, signature, args
            )

            def weighted(number):
                factor = broadcast(builder, builder.load(builder.gep(weight.data, [number])))
                return lambda total, row: multiply_add(builder, factor, row, total)

            given = start, matrix, column, out, place
            return _emit_sum_rows(context, builder, signature, given, vectors, [(index, count, weighted)])

        return signature, codegen

    return sum_weighted_rows


sum_rows_wide = _sum_rows(_WIDE)
sum_rows_half = _sum_rows(_HALF)
sum_rows_narrow = _sum_rows(1)
sum_weighted_rows_wide = _sum_weighted_rows(_WIDE)
sum_weighted_rows_half = _sum_weighted_rows(_HALF)
sum_weighted_rows_narrow = _sum_weighted_rows(1)
WIDE_COLUMNS, HALF_COLUMNS = _WIDE * LANES, _HALF * LANES

_LANES64 = 8
_DEPTH = 4  # vectors that a reduction keeps, to hide the latency of an operation
STRIDE = _LANES64 * _DEPTH  # numbers of a reduction at a time; others follow one by one


def _reduce_strides(operation, neutral):
    """values (float32 or float64) and a multiple of STRIDE -> their reduction as a float64."""

    @intrinsic
    def reduce(typingctx, values, count):
        reals = types.float32, types.float64
        if not any(are_contiguous(element, values, ndim=1) for element in reals):
            return None
        element = values.dtype

        def codegen(context, builder, signature, args):
            array, count = opened(context, builder, signature, args)
            wide = ir.VectorType(ir.DoubleType(), _LANES64)
            loaded = ir.VectorType(context.get_value_type(element), _LANES64)
            apply = getattr(builder, operation)
            start = ir.Constant(wide, [neutral] * _LANES64)
            totals = [cgutils.alloca_once_value(builder, start) for _ in range(_DEPTH)]
            step = ir.Constant(I64, STRIDE)
            with cgutils.for_range_slice(builder, ir.Constant(I64, 0), count, step) as (at, _):
                for k, total in enumerate(totals):
                    pointer = builder.gep(array.data, [builder.add(at, ir.Constant(I64, k * _LANES64))])
                    vector = load(builder, pointer, loaded, element.bitwidth // 8)
                    if element == types.float32:
                        vector = builder.fpext(vector, wide)
                    builder.store(apply(builder.load(total), vector), total)
            whole = builder.load(totals[0])
            for total in totals[1:]:
                whole = apply(whole, builder.load(total))
            result = ir.Constant(ir.DoubleType(), neutral)
            for lane in range(_LANES64):
                value = builder.extract_element(whole, ir.Constant(ir.IntType(32), lane))
                result = apply(result, value)
            return result

        return types.float64(values, types.intp), codegen

    return reduce


_multiply_strides = _reduce_strides("fmul", 1.0)
_add_strides = _reduce_strides("fadd", 0.0)


@inner(forceinline=True)
def product(values, n):
    """The product of the first n values, float32 or float64, as a float64."""
    strides = n - n % STRIDE
    result = _multiply_strides(values, strides)
    for j in range(strides, n):
        result *= np.float64(values[j])
    return result


@jit(forceinline=True)
def total(values, n):
    """The sum of the first n values, float32 or float64, as a float64."""
    strides = n - n % STRIDE
    result = _add_strides(values, strides)
    for j in range(strides, n):
        result += np.float64(values[j])
    return result
