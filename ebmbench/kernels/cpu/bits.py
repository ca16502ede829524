"""Which of 16 neighbouring units of a state are on, or not 0, as the bits of a word.

Walking over the bits that are set takes a step a unit that is on; walking over the units would take one
a unit, which at an eighth of them on is five times as long.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.compile import inner
from ebmbench.kernels.cpu.emit import BYTES, I64, LANES, REALS, are_contiguous, load, opened


@intrinsic
def _whole_word(typingctx, row, first):
    bytewise = are_contiguous(types.uint8, row, ndim=1)
    if not (bytewise or are_contiguous(types.float32, row, ndim=1)):
        return None
    kind = BYTES if bytewise else REALS

    def codegen(context, builder, signature, args):
        row, first = opened(context, builder, signature, args)
        states = load(builder, builder.gep(row.data, [first]), kind, 1 if bytewise else 4)
        differ = builder.icmp_unsigned if bytewise else builder.fcmp_unordered
        on = differ("!=", states, ir.Constant(kind, None))
        return builder.zext(builder.bitcast(on, ir.IntType(LANES)), I64)

    return types.uint64(row, types.intp), codegen


@intrinsic
def lowest(typingctx, word):
    """The number of the lowest bit that is set; undefined for 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@inner(forceinline=True)
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
