"""Functions of scalars that the kernels of every backend share, so that the maths is written once.

All are in plain IEEE operations without contraction: a CPU's vector lane, a CPU's
scalar unit and a GPU's thread give the same bits. The exponential is a polynomial because the C
library's does not vectorise inside a compiled loop.
"""

import math

import numpy as np

from ebmbench.compile import jit
from ebmbench.instructions import bits32, bits64, float32, float64, mul

_U32 = np.uint32
_U64 = np.uint64
_F32 = np.float32

_LOG2E = _F32(1.44269504088896341)
# ln 2 in two parts (Cody & Waite): n * _LN2_HI is exact for |n| < 2**15.
_LN2_HI = _F32(0.693359375)
_LN2_LO = _F32(-2.12194440e-4)
_ROUND = _F32(12582912.0)  # 1.5 * 2**23: adding it rounds a float32 to the nearest integer
_ROUND_BITS = _U32(0x4B400000)
_EXP_LOWEST = _F32(-87.0)
_EXP_HIGHEST = _F32(87.0)  # the inverse is a normal number too, as all of `sigmoid` are
_ONE = _F32(1.0)
_HALF = _F32(0.5)
_P0 = _F32(1.9875691500e-4)
_P1 = _F32(1.3981999507e-3)
_P2 = _F32(8.3334519073e-3)
_P3 = _F32(4.1665795894e-2)
_P4 = _F32(1.6666665459e-1)
_P5 = _F32(5.0000001201e-1)

_ROUND64 = 6755399441055744.0  # 1.5 * 2**52, as _ROUND
_ROUND64_BITS = _U64(0x4338000000000000)
_LN2_HI64 = 6.93145751953125e-1
_LN2_LO64 = 1.42860682030941723212e-6
_P064, _P164 = 1.26177193074810590878e-4, 3.02994407707441961300e-2
_Q064, _Q164, _Q264 = 3.00198505138664455042e-6, 2.52448340349684104192e-3, 2.27265548208155028766e-1

_LOG = tuple(
    _F32(x)
    for x in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
_SQRT_HALF_BITS = _U32(0x3F3504F3)  # of sqrt(1/2)
_MANTISSA = _U32(0x007FFFFF)


# Products of factors below this would soon be so small that a float32 loses its leading 1, and a
# processor takes a hundred times as long for such numbers.
TINY = _F32(2.0**-60)
_RAREST = _F32(-41.5)  # of which sigmoid is just above TINY

_TANH = tuple(
    _F32(x)
    for x in (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 0.133314422036, -0.333332819422)
)
_TANH_REACH = _F32(0.625)  # of its polynomial

# A run whose parameters grow beyond this has diverged: float32 pre-activations of that size no longer
# resolve what a unit contributes.
LARGEST_PARAMETER = 1e6
LARGEST_LOG = _F32(math.log(LARGEST_PARAMETER))  # likewise of a logarithm, on either side

# What a unit of a network makes of its pre-activation; compiled code knows them by their places here.
ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "leaky_relu")
LINEAR, SIGMOID, TANH, RELU, LEAKY_RELU = range(len(ACTIVATIONS))
LEAK = 0.2  # slope of a leaky unit that is off
_LEAK = _F32(LEAK)
_ZERO = _F32(0.0)


@jit(forceinline=True)
def normalised(x):
    """(m, n) with x = m 2**n and m in [1, 2), for a positive normal float32; for NaN m is NaN."""
    exponent = _U32(bits32(x) >> _U32(23))
    inverse = float32(_U32(_U32(_U32(254) - exponent) << _U32(23)))
    return _F32(x * inverse), np.int32(exponent) - np.int32(127)


@jit(forceinline=True)
def flip_value_and_weight(squared, d):
    """The objective of one flip and its derivative, as functions of D (see `models.flips`), float64.

    squared: ratio matching, rather than pseudolikelihood.
    """
    g = 1.0 / (1.0 + math.exp(d))  # sigmoid(-D)
    if squared:
        return -g * g, 2.0 * g * g * (1.0 - g)
    return -(max(-d, 0.0) + math.log1p(math.exp(-abs(d)))), g


@jit(forceinline=True)
def exp(x):
    """e**x for a float32, to 2 units in the last place; x is held to [-87, 87], NaN stays NaN.

    Cody-Waite reduction and the degree-5 polynomial of the Cephes library (Moshier 1989).
    """
    x = _EXP_LOWEST if x < _EXP_LOWEST else x
    x = _EXP_HIGHEST if x > _EXP_HIGHEST else x
    shifted = _F32(mul(x, _LOG2E) + _ROUND)
    n = _F32(shifted - _ROUND)
    r = _F32(_F32(x - mul(n, _LN2_HI)) - mul(n, _LN2_LO))
    p = _F32(mul(_P0, r) + _P1)
    p = _F32(mul(p, r) + _P2)
    p = _F32(mul(p, r) + _P3)
    p = _F32(mul(p, r) + _P4)
    p = _F32(mul(p, r) + _P5)
    p = _F32(mul(_F32(p * r), r) + r)
    p = _F32(p + _ONE)
    # 2**n, assembled in the exponent's bits; for NaN the bits are noise and p carries the NaN.
    scale = float32(_U32(_U32(bits32(shifted) - _ROUND_BITS + _U32(127)) << _U32(23)))
    return _F32(p * scale)


@jit(forceinline=True)
def exp64(x):
    """e**x for a float64, to 2 units in the last place; x is held to [-708, 709], NaN stays NaN.

    Cody-Waite reduction and the rational approximation of the Cephes library (Moshier 1989).
    """
    x = -708.0 if x < -708.0 else x
    x = 709.0 if x > 709.0 else x
    shifted = mul(x, 1.4426950408889634) + _ROUND64
    n = shifted - _ROUND64
    r = (x - mul(n, _LN2_HI64)) - mul(n, _LN2_LO64)
    square = r * r
    p = r * (mul(mul(_P064, square) + _P164, square) + 1.0)
    q = mul(mul(mul(_Q064, square) + _Q164, square) + _Q264, square) + 2.0
    scale = float64((bits64(shifted) - _ROUND64_BITS + _U64(1023)) << _U64(52))
    return (1.0 + mul(2.0, p / (q - p))) * scale


@jit(forceinline=True)
def softplus64(x):
    """log(1 + e**x) for a float64."""
    return max(x, 0.0) + math.log1p(exp64(-abs(x)))


@jit(forceinline=True)
def sigmoid(x):
    """1 / (1 + e**-x) for a float32."""
    return _F32(_ONE / _F32(_ONE + exp(_F32(-x))))


@jit(forceinline=True)
def probability(x):
    """`sigmoid`, but no smaller than `TINY`, for what becomes a factor of products."""
    return sigmoid(_RAREST if x < _RAREST else x)


@jit(forceinline=True)
def settled(x, least):
    """X, or 0 where its size is below `least`, both float32; NaN stays."""
    return _ZERO if abs(x) < least else x


@jit(forceinline=True)
def tanh(x):
    """Hyperbolic tangent of a float32, to 2 units in the last place (Cephes library, Moshier 1989)."""
    square = _F32(x * x)
    p = _TANH[0]
    for c in _TANH[1:]:
        p = _F32(mul(p, square) + c)
    near = _F32(mul(_F32(p * square), x) + x)
    far = _F32(_ONE - _F32(_F32(2.0) / _F32(exp(_F32(abs(x) + abs(x))) + _ONE)))
    far = _F32(-far) if x < _ZERO else far
    return far if abs(x) > _TANH_REACH else near


@jit(forceinline=True)
def activate(activation, x):
    """What a unit makes of its pre-activation, a float32; activation: its place in `ACTIVATIONS`."""
    if activation == SIGMOID:
        return probability(x)
    if activation == TANH:
        return tanh(x)
    if activation == LINEAR:
        return x
    off = _LEAK if activation == LEAKY_RELU else _ZERO
    return _F32(off * x) if x <= _ZERO else x  # NaN stays


@jit(forceinline=True)
def slope(activation, a):
    """The derivative by the pre-activation of a unit that made it the float32 a."""
    if activation == SIGMOID:
        return _F32(a * _F32(_ONE - a))
    if activation == TANH:
        return _F32(_ONE - mul(a, a))
    if activation == LINEAR:
        return _ONE
    off = _LEAK if activation == LEAKY_RELU else _ZERO
    return _ONE if a > _ZERO else off


@jit(forceinline=True)
def log(x):
    """Natural logarithm of a positive normal float32, to 2 units in the last place.

    Cephes library (Moshier 1989): x = m 2**e with m in [sqrt(1/2), sqrt(2)), a polynomial in m - 1.
    """
    bits = _U32(bits32(x) - _SQRT_HALF_BITS)
    # The exponent, taken from 127 above so that no sign is lost; exact in float32.
    e = _F32(_F32(_U32(_U32(bits + _U32(0x3F800000)) >> _U32(23))) - _F32(127.0))
    m = float32(_U32(_U32(bits & _MANTISSA) + _SQRT_HALF_BITS))
    z = _F32(m - _ONE)
    p = _LOG[0]
    for c in _LOG[1:]:
        p = _F32(mul(p, z) + c)
    square = _F32(z * z)
    p = mul(_F32(p * z), square)
    p = _F32(p + mul(e, _LN2_LO))
    p = _F32(p - mul(_HALF, square))
    return _F32(_F32(z + p) + mul(e, _LN2_HI))


@jit(forceinline=True)
def add_log(most, total, weight):
    """A sum of exponentials, e**most times total, with one more."""
    if weight > most:
        return weight, total * exp64(most - weight) + 1.0
    return most, total + exp64(weight - most)


@jit(forceinline=True)
def logit(u):
    """The log odds of probability u, for u of `unit_interval`: u < sigmoid(x) where logit(u) < x."""
    return _F32(log(u) - log(_F32(_ONE - u)))


@jit(forceinline=True)
def between(rest, base, beta, x):
    """The path from base to x: (1 - beta) base + beta x, rest = 1 - beta."""
    return _F32(mul(rest, base) + mul(beta, x))
