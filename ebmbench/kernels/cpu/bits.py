"""Which of 16 neighbouring units of a state are on, or not 0, as the bits of a word.

Walking over the bits that are set takes a step a unit that is on; walking over the units would take one
a unit, which at an eighth of them on is five times as long.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.compile import jit
from ebmbench.kernels.cpu.simd import LANES


@intrinsic
def _whole_word(typingctx, row, first):
    if row.dtype not in (types.uint8, types.float32) or (row.ndim, row.layout) != (1, "C"):
        return None  # the pointer below steps over neighbours in memory
    vector = ir.VectorType(ir.IntType(8) if row.dtype == types.uint8 else ir.FloatType(), LANES)

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, value=args[0])
        pointer = builder.bitcast(builder.gep(array.data, [args[1]]), vector.as_pointer())
        states, none = builder.load(pointer, align=row.dtype.bitwidth // 8), ir.Constant(vector, None)
        differ = builder.icmp_unsigned if row.dtype == types.uint8 else builder.fcmp_unordered
        on = differ("!=", states, none)
        return builder.zext(builder.bitcast(on, ir.IntType(LANES)), ir.IntType(64))

    return types.uint64(row, types.intp), codegen


@intrinsic
def lowest(typingctx, word):
    """The number of the lowest bit that is set; undefined for 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@jit(forceinline=True)
def word_of(row, first, last):
    """Bit i is set where unit first + i, before last, is not 0; at most 16 units.

    row: uint8 or float32 [units].
    """
    if last - first == LANES:
        return _whole_word(row, first)
    word = np.uint64(0)
    for i in range(last - first):
        word |= np.uint64(row[first + i] != 0) << np.uint64(i)
    return word
