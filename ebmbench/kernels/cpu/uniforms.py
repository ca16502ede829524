"""Philox and its uniforms for 64 units at a time, in vectors (see `randomness` for the specification).

With AVX-512 a vector of eight counters, 32 units, takes ten rounds of six instructions, 30 cycles; the
latencies of one are 70. On ARM four counters take twelve instructions a round: four products, four picks
of their halves, four "exclusive or". Of the 572 for 64 units 440 are such, as the first round multiplies
one word for all, and 28 read or write what was spilled.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import inner
from ebmbench.kernels.cpu.emit import (
    I32,
    I64,
    LANES,
    REALS,
    WORDS,
    are_contiguous,
    broadcast,
    in_blocks,
    opened,
    splat,
    store,
    store_first,
)
from ebmbench.kernels.cpu.processor import AVX512
from ebmbench.kernels.cpu.words import BLOCK, FORM
from ebmbench.philox import MULTIPLIERS, ROUNDS, WEYL

# Vectors of counters go through the rounds side by side, so that a processor's next step need not await
# the last, where registers hold two of them; elsewhere one by one: 7.9 ns for 16 units, not 9.3.
_TOGETHER = AVX512
_ONE_BITS, _LESS = splat(WORDS, 0x3F800000), splat(REALS, 1.0 - 2.0**-24)


def _philox(builder, form, counters, seed, stream):
    """Four words of each counter; counters: a list of vectors of four words."""
    for n in range(ROUNDS):
        keys = [
            form.spread(builder, builder.add(key, ir.Constant(I32, n * step % 2**32)))
            for key, step in zip((seed, stream), WEYL, strict=True)
        ]
        following = []
        for c0, c1, c2, c3 in counters:
            (a, a_low), (b, b_low) = (
                form.multiply(builder, c, factor) for c, factor in zip((c0, c2), MULTIPLIERS, strict=True)
            )
            c0, c2 = (
                builder.xor(builder.xor(high, low), key)
                for high, low, key in zip((b, a), (c1, c3), keys, strict=True)
            )
            following.append((c0, b_low, c2, a_low))
        counters = following
    return counters


def _rounds(builder, form, counters, seed, stream):
    """`_philox` of all counters, side by side or one vector after the other."""
    groups = [counters] if _TOGETHER else [[one] for one in counters]
    return [four for group in groups for four in _philox(builder, form, group, seed, stream)]


def _unit_interval(builder, words):
    """As `philox.unit_interval`: 1 + 2**-23 m less 1 - 2**-24, both exact, is (m + 1/2) 2**-23."""
    bits = builder.or_(builder.lshr(words, splat(WORDS, 9)), _ONE_BITS)
    return builder.fsub(builder.bitcast(bits, REALS), _LESS)


def emit_uniforms(builder, unit, words, form=FORM):
    """Vectors: the uniforms of `BLOCK` units from one on, an i64 and a multiple of 4.

    words: chain, the step's low and high half, seed and stream, i32; form: a class of `cpu.words`.
    """
    chain, low, high, seed, stream = words
    first = broadcast(builder, builder.trunc(builder.lshr(unit, ir.Constant(I64, 2)), I32))
    same = [form.spread(builder, word) for word in (chain, low, high)]
    drawn = _rounds(builder, form, [(c, *same) for c in form.counters(builder, first)], seed, stream)
    return [_unit_interval(builder, some) for four in drawn for some in form.in_order(builder, four)]


def emit_lanes(builder, group, chains, words, form=FORM):
    """Vectors: the uniforms of four units in 16 chains.

    group: a fourth of the first unit's number, i32; chains: a vector of their numbers; words: the step's
    low and high half, seed and stream, i32; form: a class of `cpu.words`.
    """
    low, high, seed, stream = words
    group, low, high = (form.spread(builder, word) for word in (group, low, high))
    counters = [(group, some, low, high) for some in form.apart(builder, chains)]
    drawn = _rounds(builder, form, counters, seed, stream)
    together = [form.together(builder, vectors) for vectors in zip(*drawn, strict=True)]
    return [_unit_interval(builder, some) for some in together]


def write_uniforms(builder, pointer, count, unit, words):
    """As `emit_uniforms`, of `count` units and what a whole block ends with, to where there is room."""
    step = ir.Constant(I64, BLOCK)
    with cgutils.for_range_slice(builder, ir.Constant(I64, 0), count, step) as (at, _):
        for n, u in enumerate(emit_uniforms(builder, builder.add(unit, at), words)):
            store(builder, u, builder.gep(pointer, [builder.add(at, ir.Constant(I64, n * LANES))]))


@intrinsic
def _fill(typingctx, out, first, chain, low, high, seed, stream):
    if not are_contiguous(types.float32, out, ndim=1):
        return None
    word = types.uint32
    signature = types.void(out, types.intp, word, word, word, word, word)

    def codegen(context, builder, signature, args):
        out, first, *words = opened(context, builder, signature, args)

        def block(at, left):
            for n, u in enumerate(emit_uniforms(builder, builder.add(first, at), words)):
                store_first(builder, u, builder.gep(out.data, [at]), left, n * LANES)

        in_blocks(builder, builder.extract_value(out.shape, 0), BLOCK, block)
        return context.get_dummy_value()

    return signature, codegen


@inner(forceinline=True)
def words_of(chain, step, seed, stream):
    """What `emit_uniforms` takes, from what a `Key` has."""
    low, high = np.uint32(step & np.uint64(0xFFFFFFFF)), np.uint32(step >> np.uint64(32))
    return np.uint32(chain), low, high, np.uint32(seed), np.uint32(stream)


@inner(forceinline=True)
def fill_uniforms(out, chain, step, seed, stream, first=0):
    """Write the uniforms of units first, first + 1, ... of one chain; first: a multiple of 4."""
    _fill(out, first, *words_of(chain, step, seed, stream))
