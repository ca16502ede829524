"""Multiply-adds with one rounding, where the processor has them, for vectors and for single numbers."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.kernels.cpu.processor import FUSED


def multiply_add(builder, x, y, total):
    """total + x y, rounded once where the processor can."""
    if not FUSED:
        return builder.fadd(total, builder.fmul(x, y))
    kind = total.type
    suffix = f"v{kind.count}f32" if isinstance(kind, ir.VectorType) else "f32"
    function = ir.FunctionType(kind, [kind, kind, kind])
    fma = cgutils.get_or_insert_function(builder.module, function, f"llvm.fma.{suffix}")
    return builder.call(fma, [x, y, total])


@intrinsic
def fma(typingctx, x, y, total):
    """The same of three float32 in compiled code."""
    if {x, y, total} != {types.float32}:
        return None
    return types.float32(x, y, total), lambda context, builder, _, args: multiply_add(builder, *args)
