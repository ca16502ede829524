"""What the intrinsics are written with: arrays opened, and vectors of LANES numbers for LLVM."""

from llvmlite import ir
from numba import types
from numba.core import cgutils

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


def broadcast(builder, number, lanes=LANES):
    """A vector of so many times a number."""
    nothing = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    lane = builder.insert_element(nothing, number, ir.Constant(I32, 0))
    return builder.shuffle_vector(lane, nothing, ir.Constant(ir.VectorType(I32, lanes), None))


def in_blocks(builder, count, size, body):
    """`body(at, None)` for each block of so many of `count` numbers, `body(at, left)` for what is left.

    size: a power of two. Where `count` is a multiple of 4 nothing is left: the last block begins within
    the one before, and must then find what that one found.
    """

    def constant(number):
        return ir.Constant(I64, number)

    whole = builder.and_(count, constant(-size))
    fours = builder.icmp_signed("==", builder.and_(count, constant(3)), constant(0))
    overlap = builder.and_(fours, builder.icmp_signed(">=", count, constant(size)))
    end = builder.select(overlap, count, whole)
    last = builder.sub(count, constant(size))
    with cgutils.for_range_slice(builder, constant(0), end, constant(size)) as (at, _):
        body(builder.select(builder.icmp_signed("<", at, last), at, last), None)
    with builder.if_then(builder.icmp_signed("<", end, count), likely=False):
        body(whole, builder.sub(count, whole))


def _copied(builder, source, target, left, behind):
    """Copy numbers from the pointer `source` to `target`: those of LANES that stand before `left`."""
    count = builder.sub(left, ir.Constant(I64, behind))
    few = builder.icmp_signed("<", count, ir.Constant(I64, LANES))
    with cgutils.for_range(builder, builder.select(few, count, ir.Constant(I64, LANES))) as loop:
        builder.store(builder.load(builder.gep(source, [loop.index])), builder.gep(target, [loop.index]))


def load_first(builder, pointer, left):
    """A vector of float32, of which the first `left` exist, all if None; 0 in place of the others."""
    if left is None:
        return load(builder, pointer)
    room = cgutils.alloca_once(builder, REALS)
    builder.store(ir.Constant(REALS, None), room)
    _copied(builder, pointer, builder.bitcast(room, pointer.type), left, 0)
    return builder.load(room)


def store_first(builder, vector, pointer, left, behind=0):
    """Write a vector `behind` the pointer, no further than `left` numbers from there, all if None."""
    pointer = builder.gep(pointer, [ir.Constant(I64, behind)])
    if left is None:
        store(builder, vector, pointer, 1 if vector.type == BYTES else 4)
        return
    room = cgutils.alloca_once_value(builder, vector)
    _copied(builder, builder.bitcast(room, pointer.type), pointer, left, behind)
