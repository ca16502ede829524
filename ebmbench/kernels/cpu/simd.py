"""The one vector primitive: the sum of chosen rows of a matrix, held in registers.

A binary state picks rows of W; adding only those is a matrix product without the multiplications by
zero. Rows are added in ascending order into one accumulator a column, so the result depends neither
on how a batch is split nor on the number of threads. Written as LLVM vectors because a loop over
rows around a loop over columns would load and store its accumulators at every row.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16  # floats in a vector: one AVX-512 register, two AVX ones
_WIDE = 8  # vectors accumulated at once: enough to hide the latency of an addition


def _emit_sum_rows(context, builder, signature, args, vectors):
    start, matrix, index, count, column, out = args
    start_type, matrix_type, index_type, _, _, out_type = signature.args
    start, matrix, index, out = (
        context.make_array(t)(context, builder, value=v)
        for t, v in (
            (start_type, start),
            (matrix_type, matrix),
            (index_type, index),
            (out_type, out),
        )
    )
    vector = ir.VectorType(ir.FloatType(), LANES)

    def load(pointer, k):
        at = builder.gep(pointer, [ir.Constant(ir.IntType(64), k * LANES)])
        return builder.load(builder.bitcast(at, vector.as_pointer()), align=4)

    first = builder.gep(start.data, [column])
    sums = [cgutils.alloca_once_value(builder, load(first, k)) for k in range(vectors)]
    columns = builder.extract_value(matrix.shape, 1)
    base = builder.gep(matrix.data, [column])
    with cgutils.for_range(builder, count) as loop:
        row = builder.sext(builder.load(builder.gep(index.data, [loop.index])), ir.IntType(64))
        pointer = builder.gep(base, [builder.mul(row, columns)])
        for k, total in enumerate(sums):
            builder.store(builder.fadd(builder.load(total), load(pointer, k)), total)
    target = builder.gep(out.data, [column])
    for k, total in enumerate(sums):
        at = builder.gep(target, [ir.Constant(ir.IntType(64), k * LANES)])
        builder.store(builder.load(total), builder.bitcast(at, vector.as_pointer()), align=4)
    return context.get_dummy_value()


def _sum_rows(vectors):
    @intrinsic
    def sum_rows(typingctx, start, matrix, index, count, column, out):
        signature = types.void(start, matrix, index, types.intp, types.intp, out)

        def codegen(context, builder, signature, args):
            return _emit_sum_rows(context, builder, signature, args, vectors)

        return signature, codegen

    return sum_rows


sum_rows_wide = _sum_rows(_WIDE)
sum_rows_narrow = _sum_rows(1)
WIDE_COLUMNS = _WIDE * LANES
