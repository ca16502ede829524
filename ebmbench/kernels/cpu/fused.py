"""Multiply-adds with one rounding, where the processor has them, for vectors and for single numbers."""

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic


def _features() -> set[str]:
    """What Numba compiles for, as LLVM calls it."""
    given = vars(numba.config)["CPU_FEATURES"]
    names = get_host_cpu_features() if given is None else given
    return {name[1:] for name in names.split(",") if name.startswith("+")}


FEATURES = _features()
ON_ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
FUSED = ON_ARM or bool({"fma", "avx512f"} & FEATURES)


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
