"""What is done in sixteen rows at once, a vector each: loops over so few lanes do not become vectors."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.kernels.cpu.emit import I64, LANES, are_contiguous, broadcast, load, opened, splat, store

_WIDE = ir.VectorType(ir.DoubleType(), LANES)


def _lanes_of(builder, tile, unit):
    """The vector of a unit, an intp, in a tile."""
    place = builder.mul(unit, ir.Constant(I64, LANES))
    return load(builder, builder.gep(tile.data, [place]))


@intrinsic
def add_ends(typingctx, p, v, i, j, sums):
    """Sums += p_i v_j + p_j v_i; p, v: float32 [units, LANES]; i, j: intp; sums: float32 [LANES]."""
    if not are_contiguous(types.float32, p, v, ndim=2) or not are_contiguous(types.float32, sums, ndim=1):
        return None

    def codegen(context, builder, signature, args):
        p, v, i, j, sums = opened(context, builder, signature, args)
        one = builder.fmul(_lanes_of(builder, p, i), _lanes_of(builder, v, j))
        other = builder.fmul(_lanes_of(builder, p, j), _lanes_of(builder, v, i))
        total = builder.fadd(load(builder, sums.data), builder.fadd(one, other))
        store(builder, total, sums.data)
        return context.get_dummy_value()

    return types.void(p, v, types.intp, types.intp, sums), codegen


@intrinsic
def add_rise(typingctx, state, x, more, rises):
    """Rises += state (x / 2 + more), in float64; state, x: float32 [LANES]; rises: float64 [LANES]."""
    if not are_contiguous(types.float32, state, x, ndim=1):
        return None
    if not are_contiguous(types.float64, rises, ndim=1):
        return None

    def codegen(context, builder, signature, args):
        state, x, more, rises = opened(context, builder, signature, args)
        states, heard = (builder.fpext(load(builder, a.data), _WIDE) for a in (state, x))
        half = builder.fmul(heard, splat(_WIDE, 0.5))
        gain = builder.fmul(states, builder.fadd(half, broadcast(builder, more)))
        store(builder, builder.fadd(load(builder, rises.data, _WIDE, 8), gain), rises.data, 8)
        return context.get_dummy_value()

    return types.void(state, x, types.float64, rises), codegen
