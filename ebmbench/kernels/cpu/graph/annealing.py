"""Annealing and parallel tempering of a Boltzmann machine, whose sweeps draw unit after unit."""

import numpy as np
from numba import prange
from scipy.special import expit

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cpu.device import store
from ebmbench.kernels.cpu.graph.gibbs import inputs, stretches, sweep, sweep_work
from ebmbench.kernels.cpu.graph.statistics import minus_energy
from ebmbench.kernels.cpu.tempering import exchange
from ebmbench.kernels.cpu.threads import launch
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.randomness import SWAPS, Key, states


@inner
def _rise(x, b, base, state, term):
    """How log f rises along the path: -E(v) - base.v."""
    rise = minus_energy(x, b, state, term)
    for i in range(state.size):
        rise -= np.float64(base[i]) * np.float64(state[i])
    return rise


@inner
def _sweep_between(W, base, beta, odds, state, x, chain, step, seed, stream):
    """A sweep at beta, float64, between base rates and the model."""
    rest, near = np.float32(1.0 - beta), np.float32(beta)
    sweep(W, base, rest, near, False, odds, state, x, chain, step, seed, stream)


@jit(parallel=True)
def _anneal(W, b, base, betas, state, x, first, last, log_weights, seed, stream, step, chain):
    """From betas[first - 1] to betas[last - 1]."""
    for r in prange(state.shape[0]):
        odds, term = np.empty_like(base), np.empty(state.shape[1])
        for k in range(first, last):
            log_weights[r] += (betas[k] - betas[k - 1]) * _rise(x[r], b, base, state[r], term)
            if k < betas.size - 1:
                now = step + np.uint64(k)
                _sweep_between(W, base, betas[k], odds, state[r], x[r], chain + r, now, seed, stream)


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    if isinstance(start, int):
        start = states(np.tile(expit(base).astype(np.float32), (start, 1)), key)
    state, log_weights = start.astype(np.float32), np.zeros(len(start))
    work = sweep_work(model, len(state), len(betas))
    for first, last in stretches(1, len(betas)):
        launch(
            _anneal, work, model.W, model.b, store(base), betas, state, inputs(model, state), first, last,
            log_weights, key.seed, int(key.stream), np.uint64(key.step), key.chain,
        )  # fmt: skip
    return Annealed(log_weights, state.astype(np.uint8))


@jit(parallel=True)
def _ladders(W, b, base, betas, state, x, first, last, order, counts, seed, stream, step, chain):
    """Order gets, for each temperature of each ladder, the row that ends there."""
    rungs = betas.size
    for ladder in prange(counts.shape[0]):
        slots = slice(ladder * rungs, (ladder + 1) * rungs)
        v, sums, row = state[slots], x[slots], chain + ladder * rungs
        odds, term = np.empty_like(base), np.empty(state.shape[1])
        u, rises = np.empty(-(-rungs // 4) * 4, np.float32), np.empty(rungs)
        place = np.arange(rungs)  # the slot that stands at each temperature
        for t in range(first, last):
            now = step + np.uint64(t)
            for rung in range(rungs):
                s = place[rung]
                _sweep_between(W, base, betas[rung], odds, v[s], sums[s], row + rung, now, seed, stream)
                rises[s] = _rise(sums[s], b, base, v[s], term)
            fill_uniforms(u, row, now, seed, stream + SWAPS)
            exchange(betas, place, rises, u, int(now & np.uint64(1)), counts[ladder])
        for rung in range(rungs):
            order[ladder * rungs + rung] = ladder * rungs + place[rung]


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    state, order = v.astype(np.float32), np.empty(len(v), np.intp)
    counts = np.zeros((len(v) // len(betas), len(betas) - 1), np.int64)
    work = sweep_work(model, len(v), steps)
    for first, last in stretches(0, steps):
        launch(
            _ladders, work, model.W, model.b, store(base), betas, state, inputs(model, state), first,
            last, order, counts, key.seed, int(key.stream), np.uint64(key.step), key.chain,
        )  # fmt: skip
        state[:] = state[order]
    return state.astype(np.uint8), counts.sum(axis=0)


JOBS = {"anneal": anneal, "temper": temper}
