"""What a model's parameters are rounded to before a backend gets them, by the name of the arithmetic.

The rounded model is a model like any other, so every backend serves it and the reference is exact for it.
"""

import numpy as np

from ebmbench.models.model import Array
from ebmbench.models.rbm import RBM, on_grid

ARITHMETICS = ("float", "grid", "bfloat16", "bfloat16x2")

TERMS = {"bfloat16": 1, "bfloat16x2": 2}
_BITS = 8  # of a bfloat16's significand, the hidden one counted
_LOWEST_EXPONENT = -125  # of `frexp`, for the smallest normal number, 2**-126


def rounded(model: RBM, arithmetic: str) -> RBM:
    """The model that a backend computes with in this arithmetic.

    grid: see `models.rbm.on_grid`. bfloat16, bfloat16x2: W is the sum of one or two bfloat16 terms, see
    `to_bfloat16`; the biases stay as they are.
    """
    if arithmetic == "grid":
        return on_grid(model)
    if arithmetic in TERMS:
        return RBM(to_bfloat16(model.W, TERMS[arithmetic]), model.b, model.c)
    return model


def to_bfloat16(values: Array, terms: int = 1) -> Array:
    """The sum of the first `terms` bfloat16 terms of float32 values, each the nearest to what is left.

    Ties go to the even significand. With 2**(e-1) <= |W| < 2**e and the 8 significant bits of a bfloat16
    the last bit is 2**(e-8), so one term is off by r, |r| <= 2**(e-9) <= 2**-8 |W|. Where r is 2**(e-9)
    itself, it is a bfloat16; else the last bit of its own rounding is at most 2**(e-17), so two terms are
    off by at most 2**(e-18) <= 2**-17 |W|. Both terms are multiples of the last bit of W, 2**(e-24), so
    their sum is exact in float32. Values below 2**-126 keep fewer bits.
    """
    left = values.astype(np.float32).astype(np.float64)
    total = np.zeros_like(left)
    for _ in range(terms):
        _, exponent = np.frexp(left)
        last_bit = np.ldexp(1.0, np.maximum(exponent, _LOWEST_EXPONENT) - _BITS)
        term = np.rint(left / last_bit) * last_bit
        total += term
        left -= term
    return total
