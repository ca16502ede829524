"""Pseudolikelihood and ratio matching: objectives over single flips of v (see `models.flips`).

With s = sigmoid(x), flipping bit i multiplies 1 + e**x by t = sigmoid(-x) + s e**(sign W_i): given
e**W and e**-W, one multiply-add a hidden unit, and D_i needs one logarithm of the product over them.
The same t gives sigmoid(x + sign W_i) = s e**(sign W_i) / t for the gradient. Nothing of the size
rows x n_visible x n_hidden is ever stored: a thread takes visible units and walks over the rows.
"""

import math

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.errors import NotFinite
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.simd import product
from ebmbench.kernels.cpu.statistics import padded_probability
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.scalar import exp, flip_value_and_weight

ALL_BITS = -1

_SPAN = 700.0  # a float64 holds products within e**+-this
_PARTS = 8  # shares of the visible units with sums of their own, whatever the number of threads
LARGEST_WEIGHT = 80.0  # e**+-W in float32


@jit(parallel=True)
def exponentials(W, up, down):
    """Up = e**W and down = e**-W, all float32 of one shape."""
    for i in prange(W.shape[0]):
        for j in range(W.shape[1]):
            up[i, j] = exp(W[i, j])
            down[i, j] = exp(-W[i, j])


@inner(forceinline=True)
def log_product(t, n, widest):
    """Log of the product of the first n factors, each within e**+-widest."""
    together = max(1, n if n * widest < _SPAN else int(_SPAN / widest))
    result = 0.0
    for first in range(0, n, together):
        result += math.log(product(t[first:], min(together, n - first)))
    return result


@inner
def _flip(s, q, e, scratch, b, sign, widest, squared, scale, row, change):
    """One bit of one row: adds its share of the gradient to row and change, returns (value, weight).

    s, q, e, row, change: float32 [n_hidden]; scratch: float32 [2, n_hidden]. A function of its own,
    because the loops vectorise only where the compiler sees plain arrays.
    """
    n = s.size
    t, flipped = scratch[0], scratch[1]
    for j in range(n):
        raised = s[j] * e[j]
        t[j] = q[j] + raised
        flipped[j] = raised / t[j]
    value, weight = flip_value_and_weight(squared, -sign * b - log_product(t, n, widest))
    a = np.float32(scale * weight)
    signed = np.float32(sign) * a
    for j in range(n):
        row[j] -= signed * flipped[j]
        change[j] += a * (flipped[j] - s[j])
    return scale * value, signed


@jit(parallel=True)
def _flip_gradient(W, up, down, b, s, q, v, bits, squared, n_hidden, gW, gb, changes):
    """Sums over rows; s and q are sigmoid(x) and sigmoid(-x), since 1 - s cancels where s is near 1.

    changes, [parts, B, padded], gets sum_i a_i (sigmoid(x + sign W_i) - s).
    """
    parts = changes.shape[0]
    n_visible = W.shape[0]
    values = np.zeros(parts)
    for part in prange(parts):
        scratch = np.empty((2, n_hidden), np.float32)
        for i in range(part, n_visible, parts):
            widest = np.float64(np.abs(W[i, :n_hidden]).max())
            row, up_i, down_i = gW[i, :n_hidden], up[i, :n_hidden], down[i, :n_hidden]
            bias = np.float64(b[i])
            for r in range(v.shape[0]):
                if bits[r] != ALL_BITS and bits[r] != i:
                    continue
                scale = 1.0 if bits[r] == ALL_BITS else np.float64(n_visible)
                sr, qr, cr = s[r, :n_hidden], q[r, :n_hidden], changes[part, r, :n_hidden]
                if v[r, i]:
                    value, signed = _flip(
                        sr, qr, down_i, scratch, bias, -1.0, widest, squared, scale, row, cr
                    )
                else:
                    value, signed = _flip(
                        sr, qr, up_i, scratch, bias, 1.0, widest, squared, scale, row, cr
                    )
                values[part] += value
                gb[i] -= signed
    return values.sum()


@jit(parallel=True)
def _add_changes(v, change, zero, gW, gc):
    """The flips' effect through all other units: W -= vᵀ change, c -= the sum of change over rows."""
    for i in prange(gW.shape[0]):
        index = np.empty(v.shape[0], np.int32)
        through = np.empty(zero.size, np.float32)
        add_rows(zero, change, v[:, i], index, through)
        for j in range(zero.size):
            gW[i, j] = (gW[i, j] - through[j]) / np.float32(v.shape[0])
    for r in range(v.shape[0]):
        for j in range(zero.size):
            gc[j] -= change[r, j]


def _job(squared: bool):
    def job(model, v, bits):
        if np.abs(model.W).max() > LARGEST_WEIGHT:
            raise NotFinite(f"a weight is beyond +-{LARGEST_WEIGHT:g}, where flips overflow")
        rows = len(v)
        up, down = np.empty_like(model.W), np.empty_like(model.W)
        launch(exponentials, model.W.size, model.W, up, down)
        s = padded_probability(model.W, model.c, v, model.n_hidden)
        q = padded_probability(model.W, model.c, v, model.n_hidden, -1.0)
        gb, gc = np.zeros_like(model.b), np.zeros_like(model.c)
        gW = aligned_zeros(*model.W.shape)
        chosen = np.full(rows, ALL_BITS, np.int64) if bits is None else np.asarray(bits, np.int64)
        changes = np.zeros((_PARTS, rows, model.c.size), np.float32)
        total = launch(
            _flip_gradient,
            rows * model.W.size,
            model.W,
            up,
            down,
            model.b,
            s,
            q,
            v,
            chosen,
            squared,
            model.n_hidden,
            gW,
            gb,
            changes,
        )
        change = aligned_zeros(rows, model.c.size)
        changes.sum(axis=0, out=change)
        zero = aligned_zeros(model.c.size)
        launch(_add_changes, layer_work(rows, *model.W.shape), v, change, zero, gW, gc)
        gradient = {"W": gW, "b": gb / np.float32(rows), "c": gc / np.float32(rows)}
        v_mean = np.zeros_like(model.b)
        v_mean[: model.n_visible] = v.mean(axis=0)
        return Phases(gradient, {"b": v_mean, "c": s.mean(axis=0)}), total / rows

    return job


JOBS = {"pseudolikelihood": _job(False), "ratio_matching": _job(True)}
