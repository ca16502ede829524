"""What the intrinsics are written with: arrays opened, and vectors of LANES numbers for LLVM."""

from llvmlite import ir
from numba import types

LANES = 16  # floats in a vector: one AVX-512 register, two AVX ones

I32, I64 = ir.IntType(32), ir.IntType(64)
REALS, WORDS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(I32, LANES)
BYTES = ir.VectorType(ir.IntType(8), LANES)


def are_contiguous(dtype, *arrays, ndim=None):
    """Whether these arguments are arrays, of so many dimensions, whose pointers step over neighbours."""
    return all(
        isinstance(a, types.Array) and (a.dtype, a.layout) == (dtype, "C") and ndim in (None, a.ndim)
        for a in arrays
    )


def opened(context, builder, signature, args):
    """The arguments as the compiler's structures, arrays opened."""
    return [
        context.make_array(t)(context, builder, value=v) if isinstance(t, types.Array) else v
        for t, v in zip(signature.args, args, strict=True)
    ]


def load(builder, pointer, kind=REALS, align=4):
    """The vector that stands there; align: bytes, those of a number."""
    return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=align)


def store(builder, vector, pointer, align=4):
    """Write a vector there; align: as for `load`."""
    builder.store(vector, builder.bitcast(pointer, vector.type.as_pointer()), align=align)


def splat(kind, number):
    """A vector of so many times a constant."""
    return ir.Constant(kind, [number] * LANES)


def broadcast(builder, number):
    """A vector of so many times a number."""
    kind = ir.VectorType(number.type, LANES)
    nothing = ir.Constant(kind, ir.Undefined)
    lane = builder.insert_element(nothing, number, ir.Constant(I32, 0))
    return builder.shuffle_vector(lane, nothing, ir.Constant(WORDS, None))
