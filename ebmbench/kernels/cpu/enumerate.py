"""Jobs that sum over all states of the smaller layer, in float64.

States follow each other in Gray code: one unit flips at a time, so the other layer's pre-activations
change by one row of weights. Blocks of states are independent and start afresh, which bounds both
the memory and the drift of the sums.
"""

import math

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.device import get
from ebmbench.kernels.cpu.simd import copy
from ebmbench.kernels.cpu.statistics import SOFTPLUS_BLOCK, moments, sum_softplus
from ebmbench.kernels.cpu.threads import launch
from ebmbench.models.enumerate import Moments, check_enumerable
from ebmbench.models.rbm import RBM
from ebmbench.scalar import add_log, exp64

RESTART = 1 << 14  # states after which the sums are formed afresh


@inner(forceinline=True)
def visit(W, small, large, state, x, number, afresh):
    """Move (state, x) to Gray state `number`; returns small.state where afresh, else its change."""
    if afresh:
        code = number ^ (number >> 1)
        linear = 0.0
        copy(large, x)
        for i in range(small.size):
            state[i] = (code >> i) & 1
            if state[i]:
                linear += small[i]
                for j in range(x.size):
                    x[j] += W[i, j]
        return linear
    unit = 0
    while (number >> unit) & 1 == 0:
        unit += 1
    sign = 1.0 - 2.0 * state[unit]
    state[unit] = 1 - state[unit]
    for j in range(x.size):
        x[j] += sign * W[unit, j]
    return sign * small[unit]


@jit(parallel=True)
def _log_sums(W, small, large, bits):
    """Log of the sum over each block of 2**bits states, [blocks]."""
    out = np.empty(1 << (small.size - bits))
    for block in prange(out.size):
        state = np.zeros(small.size, np.uint8)
        x = np.empty_like(large)
        scratch = np.empty((2, SOFTPLUS_BLOCK))
        linear, most, total = 0.0, -np.inf, 0.0
        for t in range(1 << bits):
            afresh = t % RESTART == 0
            change = visit(W, small, large, state, x, (block << bits) + t, afresh)
            linear = change if afresh else linear + change
            log_p = linear + sum_softplus(x, x.size, 1.0, scratch)
            most, total = add_log(most, total, log_p)
        out[block] = most + math.log(total)
    return out


@jit(parallel=True)
def _expectations(W, small, large, bits, log_z, products, smalls, larges):
    """Each block's share of <small large>, <small> and <large>."""
    for block in prange(smalls.shape[0]):
        state = np.zeros(small.size, np.uint8)
        x = np.empty_like(large)
        scratch = np.empty((2, SOFTPLUS_BLOCK))
        share = np.empty(x.size)
        linear = 0.0
        for t in range(1 << bits):
            afresh = t % RESTART == 0
            change = visit(W, small, large, state, x, (block << bits) + t, afresh)
            linear = change if afresh else linear + change
            p = math.exp(linear + sum_softplus(x, x.size, 1.0, scratch) - log_z)
            for j in range(x.size):
                share[j] = p / (1.0 + exp64(-x[j]))
                larges[block, j] += share[j]
            for i in range(small.size):
                if state[i]:
                    smalls[block, i] += p
                    row = products[block, i]
                    for j in range(x.size):
                        row[j] += share[j]


def block_bits(n: int) -> int:
    """Bits of a block's states: 16 blocks for the threads to share."""
    return max(n - 4, 0)


def log_z(model: RBM) -> float:
    """See `Backend.log_z`."""
    check_enumerable(model)
    small = model if model.n_visible <= model.n_hidden else model.transposed
    bits = block_bits(small.n_visible)
    work = 2**small.n_visible * small.n_hidden
    blocks = launch(_log_sums, work, small.W, small.b, small.c, bits)
    return float(np.logaddexp.reduce(blocks))


def _expected(model: RBM) -> tuple[float, Moments]:
    """Log Z and the model's expected v h, v and h."""
    if model.n_visible > model.n_hidden:
        total, m = _expected(model.transposed)
        return total, Moments(m.vh.T, m.h, m.v)
    total = log_z(model)
    bits = block_bits(model.n_visible)
    blocks = 1 << (model.n_visible - bits)
    shares = Moments(*(np.zeros((blocks, *x.shape)) for x in (model.W, model.b, model.c)))
    work = 2**model.n_visible * model.n_hidden
    launch(_expectations, work, model.W, model.b, model.c, bits, total, *shares)
    return total, Moments(*(share.sum(axis=0) for share in shares))


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`."""
    log_z, expected = _expected(get(model))
    phases = moments(model, v, v[:0])
    phases.gradient["W"] = np.asarray(phases.gradient["W"])
    for name, value in zip(("W", "b", "c"), expected, strict=True):
        phases.gradient[name][..., : value.shape[-1]] -= value
    for name, value in (("b", expected.v), ("c", expected.h)):
        phases.means[name][: value.size] += value / 2
    return phases, log_z


JOBS = {"exact_gradient": exact_gradient, "log_z": log_z}
