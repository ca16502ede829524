"""Which units of a binary state are on: 64 bytes are compared at once and give the bits of a word.

Walking over the bits that are set takes a step a unit that is on; walking over the units would take
one a unit, which at an eighth of them on is several times as long.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.compile import jit

WORD = 64  # units whose states make a word


def _mask(width):
    @intrinsic
    def mask(typingctx, row, at):
        if (row.dtype, row.layout, row.ndim) != (types.uint8, "C", 1):
            return None  # the pointer below steps over neighbours in memory

        def codegen(context, builder, signature, args):
            array = context.make_array(signature.args[0])(context, builder, value=args[0])
            states = ir.VectorType(ir.IntType(8), width)
            pointer = builder.bitcast(builder.gep(array.data, [args[1]]), states.as_pointer())
            on = builder.icmp_unsigned(
                "!=", builder.load(pointer, align=1), ir.Constant(states, [0] * width)
            )
            word = builder.bitcast(on, ir.IntType(width))
            return word if width == WORD else builder.zext(word, ir.IntType(WORD))

        return types.uint64(row, types.intp), codegen

    return mask


_mask64, _mask16 = _mask(64), _mask(16)


@intrinsic
def lowest(typingctx, word):
    """The number of the lowest bit that is set; undefined for 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@jit(forceinline=True)
def word_of(row, first, last):
    """Bit i is set where row[first + i] is not 0, for the units before last, of which 64 have room."""
    if last - first >= 64:
        return _mask64(row, first)
    word = np.uint64(0)
    at = first
    while at + 16 <= last:
        word |= _mask16(row, at) << np.uint64(at - first)
        at += 16
    for i in range(at, last):
        word |= np.uint64(row[i] != 0) << np.uint64(i - first)
    return word
