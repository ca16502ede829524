"""Jobs that sum over all states of a Boltzmann machine, in float64 and in Gray code.

One unit flips at a time, which changes the energy by its input and all inputs by its row of couplings.
"""

import math
from typing import Any

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.device import store
from ebmbench.kernels.cpu.enumerate import RESTART, block_bits, visit
from ebmbench.kernels.cpu.graph.device import get
from ebmbench.kernels.cpu.graph.statistics import moments
from ebmbench.kernels.cpu.threads import launch
from ebmbench.models.boltzmann import BoltzmannMachine, PairMoments
from ebmbench.models.enumerate import check_enumerable
from ebmbench.scalar import add_log


@inner(forceinline=True)
def _minus_energy(x, b, state):
    total = 0.0
    for i in range(b.size):
        total += 0.5 * state[i] * (x[i] + b[i])
    return total


@jit(parallel=True)
def _log_sums(S, b, bits):
    """Log of the sum over each block of 2**bits states, [blocks]."""
    out = np.empty(1 << (b.size - bits))
    for block in prange(out.size):
        state, x = np.zeros(b.size, np.uint8), np.empty_like(b)
        most, total = -np.inf, 0.0
        for t in range(1 << bits):
            visit(S, b, b, state, x, (block << bits) + t, t % RESTART == 0)
            log_p = _minus_energy(x, b, state)
            most, total = add_log(most, total, log_p)
        out[block] = most + math.log(total)
    return out


@jit(parallel=True)
def _expectations(S, b, bits, log_z, pairs):
    """Each block's share of <v_i v_j>, j <= i, which holds <v_i> on its diagonal."""
    for block in prange(pairs.shape[0]):
        state, x = np.zeros(b.size, np.uint8), np.empty_like(b)
        for t in range(1 << bits):
            visit(S, b, b, state, x, (block << bits) + t, t % RESTART == 0)
            p = math.exp(_minus_energy(x, b, state) - log_z)
            for i in range(b.size):
                if state[i]:
                    row = pairs[block, i]
                    for j in range(i + 1):
                        row[j] += p * state[j]


def log_z(model: BoltzmannMachine) -> float:
    """See `Backend.log_z`."""
    check_enumerable(model)
    n = model.n_visible
    blocks = launch(_log_sums, 2**n * n, model.square, model.b, block_bits(n))
    return float(np.logaddexp.reduce(blocks))


def _expected(model: Any) -> tuple[float, PairMoments]:
    """Log Z, and the model's expected v_i v_j above the diagonal and v_i."""
    total, n = log_z(model), model.n_visible
    bits = block_bits(n)
    pairs = np.zeros((1 << (n - bits), n, n))
    launch(_expectations, 2**n * n, model.square, model.b, bits, total, pairs)
    below = pairs.sum(axis=0)
    return total, PairMoments(np.triu(below.T, 1), np.diagonal(below))


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`."""
    log_z, expected = _expected(get(model))
    phases = moments(model, v, v[:0])
    vv, mean = store(model.square(expected.vv)), store(expected.v)
    phases.gradient["R"] -= vv
    phases.gradient["b"] -= mean
    phases.means["b"] += mean / np.float32(2.0)
    return phases, log_z


JOBS = {"exact_gradient": exact_gradient, "log_z": log_z}
