"""Philox and its uniforms for 64 units at a time, in vectors (see `randomness` for the specification).

Words stand in the low halves of 64 bits, where a processor multiplies them: the high half of a product
is then a shift away, and what is left in a word's upper half is never looked at. A vector of eight
counters, 32 units, takes ten rounds of six instructions, 30 cycles; the latencies of one are 70.
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
from ebmbench.philox import MULTIPLIERS, ROUNDS, WEYL

BLOCK = 4 * LANES  # units

_TWINS = 2  # vectors of counters a block: a processor's next step then need not await the last
_TOGETHER = AVX512  # elsewhere registers hold but one: 7.9 ns for 16 units, not 9.3
_WIDE = ir.VectorType(I64, LANES // 2)
_LOW = ir.Constant(_WIDE, [0xFFFFFFFF] * _WIDE.count)
_HALF = ir.Constant(_WIDE, [32] * _WIDE.count)
_FACTORS = [ir.Constant(_WIDE, [factor] * _WIDE.count) for factor in MULTIPLIERS]
# Groups 0 to 7 of four units in the order in which interleaving halves leaves them side by side.
_GROUPS = [
    ir.Constant(WORDS, [8 * twin + group for group in (0, 4, 1, 5, 2, 6, 3, 7) for _ in range(2)])
    for twin in range(_TWINS)
]
_EVEN_WORDS = ir.Constant(WORDS, [n + (LANES - 1) * (n % 2) for n in range(LANES)])
_HALVES = [
    ir.Constant(ir.VectorType(I32, 8), [n - n % 2 + half + 8 * (n % 2) for n in range(8)])
    for half in (0, 1)
]
_ONE_BITS, _LESS = splat(WORDS, 0x3F800000), splat(REALS, 1.0 - 2.0**-24)


def _words(builder, word):
    """A word of 32 bits in all places, in the upper halves as well."""
    return builder.bitcast(broadcast(builder, word), _WIDE)


def _philox(builder, counters, seed, stream):
    """Four words of each counter, in the low halves; counters: a list of vectors of four words."""
    for n in range(ROUNDS):
        keys = [
            _words(builder, builder.add(key, ir.Constant(I32, n * step % 2**32)))
            for key, step in zip((seed, stream), WEYL, strict=True)
        ]
        following = []
        for c0, c1, c2, c3 in counters:
            a, b = (
                builder.mul(builder.and_(c, _LOW), factor)
                for c, factor in zip((c0, c2), _FACTORS, strict=True)
            )
            c0, c2 = (
                builder.xor(builder.xor(builder.lshr(product, _HALF), low), key)
                for product, low, key in zip((b, a), (c1, c3), keys, strict=True)
            )
            following.append((c0, b, c2, a))
        counters = following
    return counters


def _unit_interval(builder, words):
    """As `philox.unit_interval`: 1 + 2**-23 m less 1 - 2**-24, both exact, is (m + 1/2) 2**-23."""
    bits = builder.or_(builder.lshr(words, splat(WORDS, 9)), _ONE_BITS)
    return builder.fsub(builder.bitcast(bits, REALS), _LESS)


def emit_uniforms(builder, unit, words):
    """Vectors: the uniforms of `BLOCK` units from one on, an i64 and a multiple of 4.

    words: chain, the step's low and high half, seed and stream, i32.
    """
    chain, low, high, seed, stream = words
    first = broadcast(builder, builder.trunc(builder.lshr(unit, ir.Constant(I64, 2)), I32))
    same = [_words(builder, word) for word in (chain, low, high)]
    counters = [(builder.bitcast(builder.add(first, groups), _WIDE), *same) for groups in _GROUPS]
    groups = [counters] if _TOGETHER else [[one] for one in counters]
    drawn = [four for group in groups for four in _philox(builder, group, seed, stream)]
    found = []
    for four in drawn:
        a, b, c, d = (builder.bitcast(word, WORDS) for word in four)
        front, back = (
            builder.bitcast(builder.shuffle_vector(one, other, _EVEN_WORDS), _WIDE)
            for one, other in ((a, b), (c, d))
        )
        for places in _HALVES:
            together = builder.shuffle_vector(front, back, places)
            found.append(_unit_interval(builder, builder.bitcast(together, WORDS)))
    return found


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
