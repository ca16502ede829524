"""The normal law, one unit at a time, as `scalar`: its variates, and what becomes of two such laws."""

import math

import numpy as np

from ebmbench.compile import jit
from ebmbench.instructions import mul
from ebmbench.scalar import log

_F32 = np.float32
_ONE, _HALF = _F32(1.0), _F32(0.5)

# Wichura 1988, algorithm AS 241, PPND7: numerators and denominators, highest power first.
_CENTRAL = _F32(0.180625), _F32(0.425)
_A = _F32(5.9109374720e1), _F32(1.5929113202e2), _F32(5.0434271938e1), _F32(3.3871327179e0)
_B = _F32(6.7187563600e1), _F32(7.8757757664e1), _F32(1.7895169469e1), _ONE
_C = _F32(1.7023821103e-1), _F32(1.3067284816e0), _F32(2.7568153900e0), _F32(1.4234372777e0)
_D = _F32(1.2021132975e-1), _F32(7.3700164250e-1), _ONE
_TAIL = _F32(1.6)


@jit(forceinline=True)
def normal(u):
    """The standard normal variate whose distribution function is u, for u of `unit_interval`.

    Rational approximations of AS 241 (Wichura 1988), whose tail ends at 2**-24; both are computed and
    one is chosen, so that a loop over units has no branch.
    """
    q = _F32(u - _HALF)  # exact, as is 1 - u
    r = _F32(_CENTRAL[0] - mul(q, q))
    top, bottom = _A[0], _B[0]
    for a in _A[1:]:
        top = _F32(mul(top, r) + a)
    for b in _B[1:]:
        bottom = _F32(mul(bottom, r) + b)
    central = _F32(q * _F32(top / bottom))
    p = u if q < _F32(0.0) else _F32(_ONE - u)
    r = _F32(_F32(math.sqrt(_F32(-log(p)))) - _TAIL)
    top, bottom = _C[0], _D[0]
    for c in _C[1:]:
        top = _F32(mul(top, r) + c)
    for d in _D[1:]:
        bottom = _F32(mul(bottom, r) + d)
    tail = _F32(top / bottom)
    tail = _F32(-tail) if q < _F32(0.0) else tail
    return tail if abs(q) > _CENTRAL[1] else central


@jit(forceinline=True)
def normal_about(mean, spread, u):
    """The normal variate of this mean and standard deviation that `normal` gives for u, float32."""
    return _F32(mean + mul(_F32(spread), normal(u)))


@jit(forceinline=True)
def normal_of_both(one_mean, one_precision, mean, precision):
    """Mean and standard deviation, float32, of the product of two normal densities of float64."""
    centre = (mul(one_precision, one_mean) + mul(precision, mean)) / (one_precision + precision)
    return _F32(centre), _F32(1.0 / math.sqrt(one_precision + precision))


@jit(forceinline=True)
def normal_between(base_mean, base_precision, mean, precision, beta):
    """Mean and standard deviation, float32, of a unit on the path (1 - beta) E_base + beta E.

    Both ends are normal; all but the results and the end's own mean and precision in float64.
    """
    old, new = mul(1.0 - beta, base_precision), mul(beta, np.float64(precision))
    return normal_of_both(base_mean, old, np.float64(mean), new)


@jit(forceinline=True)
def quadratic(x, mean, precision):
    """The energy precision (x - mean)**2 / 2 of a normal unit, float64."""
    away = x - mean
    return 0.5 * precision * away * away
