"""Sweeps of a small Boltzmann machine: sixteen chains side by side, a lane each.

A unit hears all others by one sum in all lanes, however many of them changed, and nothing waits for a
guess. Following the flips of one chain after the other, as `gibbs` does, takes 1.9 to 4 times as long for
100 chains of 64 to 128 units of which 4 to 28 % flip. One chain alone, which has the same bits, pays for
it: of 64 units it takes 2.6 us a sweep, where following its flips would take 1.
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.device import store
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.field.drawing import PLACES, draw, draw_uniforms
from ebmbench.kernels.cpu.field.gibbs import chains_of
from ebmbench.kernels.cpu.graph.lanes import hear, hear_alone
from ebmbench.kernels.cpu.simd import fill
from ebmbench.kernels.cpu.threads import launch
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import between, sigmoid

LARGEST = 128  # units
_FEW = 2  # rows beyond whole vectors of them that are sooner done one by one


@inner(allocates=True)
def _together(W, b, rows, units, steps, beta, chain, seed, stream, step):
    """At most LANES rows of states, float32 [rows, padded]; chain: of the first."""
    tile = np.zeros((rows.shape[1], LANES), np.float32)
    for r in range(rows.shape[0]):
        for i in range(units):
            tile[i, r] = rows[r, i]
    rest, near = np.zeros(LANES, np.float32), np.full(LANES, beta)
    bias, x = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    u, chains = np.empty((PLACES, LANES), np.float32), chains_of(chain)
    for s in range(steps):
        for i in range(units):
            if i % PLACES == 0:
                draw_uniforms(u, i, chains, step + np.uint64(s), seed, stream)
            fill(bias, b[i])
            hear(bias, W[i], tile, tile.shape[0], x)
            draw(u[i % PLACES], rest, np.float32(0.0), near, x, tile[i])
    for r in range(rows.shape[0]):
        for i in range(units):
            rows[r, i] = tile[i, r]


@inner(allocates=True)
def _alone(W, b, state, units, steps, beta, chain, seed, stream, step):
    """One row of states, float32 [padded]."""
    u, zero = np.empty_like(state), np.float32(0.0)
    for s in range(steps):
        fill_uniforms(u, chain, step + np.uint64(s), seed, stream)
        for i in range(units):
            x = hear_alone(b[i], W[i], state, state.size)
            state[i] = np.float32(u[i] < sigmoid(between(zero, zero, beta, x)))


@jit(parallel=True)
def _sweeps(W, b, state, units, steps, beta, seed, stream, step, chain):
    """state: float32 [rows, padded], zero beyond the units."""
    rows = state.shape[0]
    single = rows % LANES if rows % LANES <= _FEW else 0
    tiles = (rows - single + LANES - 1) // LANES
    for task in prange(tiles + single):
        if task < tiles:
            first = task * LANES
            some = state[first : min(first + LANES, rows)]
            _together(W, b, some, units, steps, beta, chain + first, seed, stream, step)
        else:
            r = rows - single + task - tiles
            _alone(W, b, state[r], units, steps, beta, chain + r, seed, stream, step)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    units, state = model.n_visible, store(v)
    launch(
        _sweeps, steps * units * state.size / LANES, model.W, model.b, state, units, steps,
        np.float32(beta), key.seed, int(key.stream) + VISIBLE, np.uint64(key.step), key.chain,
    )  # fmt: skip
    return state[:, :units].astype(np.uint8), np.empty((len(v), 0), np.uint8)
