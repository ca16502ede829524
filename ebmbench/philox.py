"""Random numbers for the kernels of every backend: Philox, and the uniforms that its words are."""

import numpy as np

from ebmbench.compile import jit

_U32 = np.uint32
_U64 = np.uint64
_F32 = np.float32

# Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2: multipliers and Weyl keys.
ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
_M0, _M1 = _U64(MULTIPLIERS[0]), _U64(MULTIPLIERS[1])
_W0, _W1 = _U32(WEYL[0]), _U32(WEYL[1])
_LOW = _U64(0xFFFFFFFF)
_SHIFT32 = _U64(32)


@jit(forceinline=True)
def philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10: four uint32 words of counter, two of key, four random uint32 words.

    Salmon, Moraes, Dror & Shaw 2011, section 5.3; known-answer vectors in tests/test_randomness.py.
    """
    for _ in range(ROUNDS):
        a = _M0 * _U64(c0)
        b = _M1 * _U64(c2)
        c0 = _U32(_U32(b >> _SHIFT32) ^ c1 ^ k0)
        c2 = _U32(_U32(a >> _SHIFT32) ^ c3 ^ k1)
        c1 = _U32(b & _LOW)
        c3 = _U32(a & _LOW)
        k0 = _U32(k0 + _W0)
        k1 = _U32(k1 + _W1)
    return c0, c1, c2, c3


@jit(forceinline=True)
def four_uniforms(group, chain, low, high, seed, stream):
    """The uniforms of units 4 group, ..., 4 group + 3 of a chain at step low + 2**32 high."""
    a, b, c, d = philox(group, chain, low, high, seed, stream)
    return unit_interval(a), unit_interval(b), unit_interval(c), unit_interval(d)


@jit(forceinline=True)
def unit_interval(word):
    """A uint32 as a float32 uniform, ((word >> 9) + 1/2) * 2**-23: exact, never 0 or 1."""
    return _F32(_F32(_F32(_U32(word >> _U32(9))) + _F32(0.5)) * _F32(2.0**-23))
