"""How a unit is drawn in sixteen chains at once: as `cpu.drawing` draws sixteen units of one.

Floors of a unit with four neighbours in 16 chains, on a Zen 4 that does two operations on vectors a cycle
at 3.4 GHz: a quarter of Philox's 150 instructions, 17 of the comparison, and four multiply-adds with what
they read, 10 ns in all. Measured are 19: uniforms 7, neighbours 5, the comparison 7.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.drawing import compare
from ebmbench.kernels.cpu.emit import (
    I64,
    LANES,
    REALS,
    WORDS,
    are_contiguous,
    broadcast,
    load,
    opened,
    splat,
    store,
)
from ebmbench.kernels.cpu.uniforms import emit_lanes, words_of
from ebmbench.scalar import between, sigmoid

PLACES = 16  # units whose uniforms are made before they are used; a multiple of 4
_BITS = ir.IntType(LANES)
_ALL = ir.Constant(_BITS, -1)


@intrinsic
def _four(typingctx, u, at, group, chains, low, high, seed, stream):
    if not (are_contiguous(types.float32, u, ndim=2) and are_contiguous(types.uint32, chains, ndim=1)):
        return None
    word = types.uint32

    def codegen(context, builder, signature, args):
        u, at, group, chains, *words = opened(context, builder, signature, args)
        found = emit_lanes(builder, group, load(builder, chains.data, WORDS), words)
        for n, uniforms in enumerate(found):
            place = builder.mul(builder.add(at, ir.Constant(I64, n)), ir.Constant(I64, LANES))
            store(builder, uniforms, builder.gep(u.data, [place]))
        return context.get_dummy_value()

    return types.void(u, types.intp, word, chains, word, word, word, word), codegen


@inner(forceinline=True)
def draw_uniforms(u, place, chains, step, seed, stream):
    """The uniforms of places place, place + 1, ... of every lane's chain, u float32 [PLACES, LANES].

    place: a multiple of 4; chains: uint32 [LANES].
    """
    _, low, high, seed, stream = words_of(chains[0], step, seed, stream)
    for at in range(0, PLACES, 4):
        _four(u, at, np.uint32((place + at) // 4), chains, low, high, seed, stream)


@intrinsic
def _draw_lanes(typingctx, u, rest, base, beta, x, state):
    """As `draw`, and whether some lane is too close to tell, which is then off."""
    if not are_contiguous(types.float32, u, rest, beta, x, state, ndim=1) or base != types.float32:
        return None

    def codegen(context, builder, signature, args):
        u, rest, base, beta, x, state = opened(context, builder, signature, args)
        uniforms, base_share, share, heard = (load(builder, a.data) for a in (u, rest, beta, x))
        rested = builder.fmul(base_share, broadcast(builder, base))
        on, off = compare(builder, uniforms, builder.fadd(rested, builder.fmul(share, heard)))
        store(builder, builder.select(on, splat(REALS, 1.0), splat(REALS, 0.0)), state.data)
        known = builder.bitcast(builder.or_(on, off), _BITS)
        return builder.icmp_unsigned("!=", known, _ALL)

    return types.boolean(u, rest, base, beta, x, state), codegen


@jit(forceinline=True)
def draw(u, rest, base, beta, x, state):
    """A unit is on, 1 in state and not 0, where u < sigmoid(rest base + beta x); all float32 [LANES]."""
    if _draw_lanes(u, rest, base, beta, x, state):
        for lane in range(LANES):
            p = sigmoid(between(rest[lane], base, beta[lane], x[lane]))
            state[lane] = np.float32(u[lane] < p)
