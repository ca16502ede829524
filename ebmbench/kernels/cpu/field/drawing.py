"""How a unit is drawn in sixteen chains at once: as `cpu.drawing` draws sixteen units of one.

Floors of a unit with four neighbours in 16 chains, on a Zen 4 that does two operations on vectors a cycle
at 3.4 GHz: a quarter of Philox's 150 instructions, 17 of the comparison, and four multiply-adds with what
they read, 10 ns in all. Measured are 19: uniforms 7, neighbours 5, the comparison 7.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.compile import jit
from ebmbench.kernels.cpu.drawing import compare
from ebmbench.kernels.cpu.emit import LANES, REALS, are_contiguous, broadcast, load, opened, splat, store
from ebmbench.philox import four_uniforms
from ebmbench.scalar import between, sigmoid

PLACES = 16  # units whose uniforms are made before they are used; a multiple of 4
_BITS = ir.IntType(LANES)
_ALL = ir.Constant(_BITS, -1)


@jit(forceinline=True)
def draw_uniforms(u, place, chains, step, seed, stream):
    """The uniforms of places place, place + 1, ... of every lane's chain, u float32 [PLACES, LANES]."""
    low, high = np.uint32(step & np.uint64(0xFFFFFFFF)), np.uint32(step >> np.uint64(32))
    for four in range(0, PLACES, 4):
        group = np.uint32((place + four) // 4)
        one, two, three, last = u[four], u[four + 1], u[four + 2], u[four + 3]
        for lane in range(LANES):
            found = four_uniforms(group, chains[lane], low, high, np.uint32(seed), np.uint32(stream))
            one[lane], two[lane], three[lane], last[lane] = found


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
