"""Philox's words of 32 bits in vectors, as a processor multiplies them best.

A form says how: `counters`, the first words of `BLOCK` units' counters, and `in_order`, which makes
vectors of 16 words, as the units have them, of four words of each counter; `apart` and `together`, any
vector of 16 words as forms have it, and back; `spread`, a word in all places; `multiply`, the high and
the low half of products with a constant.
"""

from llvmlite import ir

from ebmbench.kernels.cpu.emit import I32, I64, LANES, WORDS, broadcast
from ebmbench.kernels.cpu.processor import ON_ARM

BLOCK = 4 * LANES  # units

_FEW = LANES // 2
_WIDE = ir.VectorType(I64, _FEW)


def _picked(builder, one, other, lanes):
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))


def _product(builder, word, factor):
    """Eight whole products; word: eight in the low halves, with nothing above them."""
    return builder.mul(word, ir.Constant(_WIDE, [factor] * _FEW))


class LowHalves:
    """Words in the low halves of 64 bits, where x86 multiplies them; eight counters a vector.

    The high half of a product is then a shift away, and what is left in a word's upper half is never
    looked at.
    """

    _LOW = ir.Constant(_WIDE, [0xFFFFFFFF] * _FEW)
    _UP = ir.Constant(_WIDE, [32] * _FEW)
    # Groups 0 to 7 of four units in the order in which interleaving halves leaves them side by side.
    _GROUPS = (0, 4, 1, 5, 2, 6, 3, 7)
    _EVEN = [n + (LANES - 1) * (n % 2) for n in range(LANES)]
    _HALVES = [[n - n % 2 + half + _FEW * (n % 2) for n in range(_FEW)] for half in (0, 1)]
    _LOWER = [2 * n for n in range(LANES)]

    @staticmethod
    def apart(builder, words):
        """Two vectors of eight."""
        for half in range(2):
            few = _picked(builder, words, words, [_FEW * half + n for n in range(_FEW)])
            yield builder.zext(few, _WIDE)

    @classmethod
    def together(cls, builder, vectors):
        """Of two vectors one."""
        return _picked(builder, *(builder.bitcast(vector, WORDS) for vector in vectors), cls._LOWER)

    @classmethod
    def counters(cls, builder, first):
        """Two vectors, from a vector of the first one's word."""
        for twin in range(2):
            lanes = [_FEW * twin + group for group in cls._GROUPS for _ in range(2)]
            yield builder.bitcast(builder.add(first, ir.Constant(WORDS, lanes)), _WIDE)

    @staticmethod
    def spread(builder, word):
        """In the upper halves as well."""
        return builder.bitcast(broadcast(builder, word), _WIDE)

    @classmethod
    def multiply(cls, builder, word, factor):
        """Both halves of the products; the low one has the high one above it."""
        product = _product(builder, builder.and_(word, cls._LOW), factor)
        return builder.lshr(product, cls._UP), product

    @classmethod
    def in_order(cls, builder, four):
        """Two vectors, of eight counters."""
        a, b, c, d = (builder.bitcast(word, WORDS) for word in four)
        front, back = (
            builder.bitcast(_picked(builder, one, other, cls._EVEN), _WIDE)
            for one, other in ((a, b), (c, d))
        )
        for places in cls._HALVES:
            yield builder.bitcast(_picked(builder, front, back, places), WORDS)


class SideBySide:
    """Words side by side, sixteen counters a vector, half of which ARM multiplies at a time."""

    _TWO = [LANES * (n % 2) + n // 2 for n in range(2 * LANES)]  # of two vectors in turns
    _FOUR = [2 * LANES * (n % 2) + n // 2 for n in range(4 * LANES)]

    @staticmethod
    def apart(builder, words):
        """As they are."""
        yield words

    @staticmethod
    def together(builder, vectors):
        """As they are."""
        return vectors[0]

    @staticmethod
    def counters(builder, first):
        """One vector, from a vector of the first one's word."""
        yield builder.add(first, ir.Constant(WORDS, list(range(LANES))))

    @staticmethod
    def spread(builder, word):
        """As it is."""
        return broadcast(builder, word)

    @staticmethod
    def multiply(builder, word, factor):
        """Both halves of the products: what stands in every second place of them."""
        products = []
        for half in range(2):
            part = _picked(builder, word, word, [_FEW * half + n for n in range(_FEW)])
            whole = _product(builder, builder.zext(part, _WIDE), factor)
            products.append(builder.bitcast(whole, WORDS))
        low, high = ([2 * n + place for n in range(LANES)] for place in (0, 1))
        return _picked(builder, *products, high), _picked(builder, *products, low)

    @classmethod
    def in_order(cls, builder, four):
        """Four vectors, of sixteen counters."""
        a, b, c, d = four
        even, odd = (_picked(builder, one, other, cls._TWO) for one, other in ((a, c), (b, d)))
        for first in range(0, 4 * LANES, LANES):
            yield _picked(builder, even, odd, cls._FOUR[first : first + LANES])


FORM = SideBySide if ON_ARM else LowHalves
