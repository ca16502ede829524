"""Jobs that sum over all states of h, v integrated in closed form, in float64.

Without v the hidden units are a Boltzmann machine, log p(h) = const + bias.h + h.Jh / 2 with
bias = c + Wᵀ B b and J = Wᵀ B W, B = diag(precision); the moments of v follow from those of h. States
follow each other in Gray code.
"""

import math

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.enumerate import RESTART, block_bits, visit
from ebmbench.kernels.cpu.gaussian.device import get
from ebmbench.kernels.cpu.gaussian.statistics import moments
from ebmbench.kernels.cpu.threads import launch
from ebmbench.models.enumerate import check_enumerable
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.scalar import add_log


@inner(forceinline=True)
def _log_weight(linear, state, field):
    """bias.h + h.Jh / 2 of a state, given bias.h and Jh."""
    pairs = 0.0
    for j in range(state.size):
        pairs += state[j] * field[j]
    return linear + 0.5 * pairs


@jit(parallel=True)
def _log_sums(J, bias, bits):
    """Log of the sum over each block of 2**bits states, [blocks]."""
    out = np.empty(1 << (bias.size - bits))
    for block in prange(out.size):
        state, field, none = np.zeros(bias.size, np.uint8), np.empty_like(bias), np.zeros_like(bias)
        linear, most, total = 0.0, -np.inf, 0.0
        for t in range(1 << bits):
            afresh = t % RESTART == 0
            change = visit(J, bias, none, state, field, (block << bits) + t, afresh)
            linear = change if afresh else linear + change
            log_p = _log_weight(linear, state, field)
            most, total = add_log(most, total, log_p)
        out[block] = most + math.log(total)
    return out


@jit(parallel=True)
def _expectations(J, bias, bits, log_sum, hh):
    """Each block's share of <h_j h_k>, whose diagonal is <h>: hh, [blocks, n_hidden, n_hidden]."""
    for block in prange(hh.shape[0]):
        state, field, none = np.zeros(bias.size, np.uint8), np.empty_like(bias), np.zeros_like(bias)
        linear = 0.0
        for t in range(1 << bits):
            afresh = t % RESTART == 0
            change = visit(J, bias, none, state, field, (block << bits) + t, afresh)
            linear = change if afresh else linear + change
            p = math.exp(_log_weight(linear, state, field) - log_sum)
            for j in range(bias.size):
                if state[j]:
                    for k in range(bias.size):
                        hh[block, j, k] += p * state[k]


def _hidden_machine(model: GaussianRBM) -> tuple[np.ndarray, np.ndarray, int]:
    """J and bias of the hidden units' law, and the bits of a block; einsum, since BLAS has threads."""
    scaled = model.precision[:, None] * model.W
    J = np.einsum("ij,ik->jk", scaled, model.W)
    return J, model.c + np.einsum("ij,i->j", scaled, model.b), block_bits(model.n_hidden)


def _log_sum(J, bias, bits) -> float:
    return float(np.logaddexp.reduce(launch(_log_sums, 2**bias.size * bias.size, J, bias, bits)))


def _log_z(model: GaussianRBM, log_sum: float) -> float:
    return log_sum + float(0.5 * np.log(2.0 * np.pi / model.precision).sum())


def log_z(model: GaussianRBM) -> float:
    """See `Backend.log_z`."""
    check_enumerable(model)
    return _log_z(model, _log_sum(*_hidden_machine(model)))


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`."""
    host = get(model)
    check_enumerable(host)
    J, bias, bits = _hidden_machine(host)
    log_sum = _log_sum(J, bias, bits)
    shares = np.zeros((1 << (bias.size - bits), bias.size, bias.size))
    launch(_expectations, 2**bias.size * bias.size**2, J, bias, bits, log_sum, shares)
    hh = shares.sum(axis=0)
    h = np.diag(hh).copy()
    through = np.einsum("ij,jk->ik", host.W, hh)
    vh = host.b[:, None] * h + through
    squares = 0.5 * (1.0 / host.precision + (host.W * through).sum(axis=1))
    expected = vh, host.b + np.einsum("ij,j->i", host.W, h), squares, h
    return moments(model, v, v[:0], expected), _log_z(host, log_sum)


JOBS = {"exact_gradient": exact_gradient, "log_z": log_z}
