"""Single machine instructions for which Numba has no name, on a CPU and on a GPU."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.compile import jit


def _reinterpret(source, target):
    """A compiled function that gives a number's bits another type of the same width."""

    @intrinsic
    def cast(typingctx, value):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), codegen

    return cast


bits32 = _reinterpret(types.float32, types.uint32)
float32 = _reinterpret(types.uint32, types.float32)
bits64 = _reinterpret(types.float64, types.uint64)
float64 = _reinterpret(types.uint64, types.float64)


@intrinsic
def _mul(typingctx, a, b):
    if a != b or a not in (types.float32, types.float64):
        return None

    def codegen(context, builder, signature, args):
        if not builder.module.triple.startswith("nvptx"):
            return builder.fmul(*args)
        kind = args[0].type
        name = f"llvm.nvvm.mul.rn.{'f' if a == types.float32 else 'd'}"
        rounded = builder.module.declare_intrinsic(name, (), ir.FunctionType(kind, [kind, kind]))
        return builder.call(rounded, args)

    return a(a, a), codegen


@jit(forceinline=True)
def mul(a, b):
    """a * b for two float32 or two float64, rounded by itself.

    A GPU's compiler turns a product and a sum into one fused operation, with one rounding instead of
    two, unless the product says that it is to be rounded. Wherever bits must not depend on the
    backend, a product that goes into a sum is therefore written so.
    """
    return _mul(a, b)


@intrinsic
def _quotient(typingctx, a, b):
    if a != b or a != types.float32:
        return None

    def codegen(context, builder, signature, args):
        if not builder.module.triple.startswith("nvptx"):
            return builder.fdiv(*args)
        kind = args[0].type
        function = ir.FunctionType(kind, [kind, kind])
        name = "llvm.nvvm.div.approx.ftz.f"
        return builder.call(builder.module.declare_intrinsic(name, (), function), args)

    return a(a, a), codegen


@jit(forceinline=True)
def quotient(a, b):
    """a / b for two float32 to 2 units in the last place, b within 2**+-126, 0 for a below 2**-126.

    On a GPU two instructions, where a division takes about ten; not for what must have the same bits
    on every backend.
    """
    return _quotient(a, b)
