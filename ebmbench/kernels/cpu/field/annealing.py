"""Annealing and parallel tempering of a Markov field, sixteen chains at a time."""

import numpy as np
from numba import prange
from scipy.special import expit

from ebmbench.compile import jit
from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cpu.device import store
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.field.gibbs import as_rows, chains_of, listen, side_by_side, sweep
from ebmbench.kernels.cpu.field.lanes import add_rise
from ebmbench.kernels.cpu.tempering import exchange
from ebmbench.kernels.cpu.threads import launch
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.randomness import SWAPS, Key, states


@jit
def _add_rises(starts, units, heard, b, base, tile, x, rises):
    """Rises += -E(v) - base.v of each lane, float64, as x - b counts each edge twice."""
    for i in range(tile.shape[0]):
        listen(starts, units, heard, b, i, tile, x)
        add_rise(tile[i], x, 0.5 * np.float64(b[i]) - np.float64(base[i]), rises)


@jit(parallel=True)
def _anneal(order, starts, units, heard, b, base, betas, tiles, log_weights, seed, stream, step, chain):
    for t in prange(tiles.shape[0]):
        chains, x = chains_of(chain + t * LANES), np.empty(LANES, np.float32)
        rises, totals = np.empty(LANES), log_weights[t]
        for k in range(1, betas.size):
            rises[:] = 0.0
            _add_rises(starts, units, heard, b, base, tiles[t], x, rises)
            for lane in range(LANES):
                totals[lane] += (betas[k] - betas[k - 1]) * rises[lane]
            if k < betas.size - 1:
                rest = np.full(LANES, np.float32(1.0 - betas[k]))
                near = np.full(LANES, np.float32(betas[k]))
                now = step + np.uint64(k)
                sweep(
                    order, starts, units, heard, b, base, rest, near, tiles[t], chains, now, seed, stream
                )  # fmt: skip


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    if isinstance(start, int):
        start = states(np.tile(expit(base).astype(np.float32), (start, 1)), key)
    tiles = side_by_side(start, model.n_visible)
    log_weights = np.zeros((len(tiles), LANES))
    launch(
        _anneal, len(betas) * tiles.size, model.order, *model.joined, model.b, store(base), betas, tiles,
        log_weights, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return Annealed(log_weights.ravel()[: len(start)].copy(), as_rows(tiles, len(start)))


@jit(parallel=True)
def _ladders(
    order, starts, units, heard, b, base, betas, tiles, steps, places, counts, seed, stream, step, chain
):
    """Places gets, for each temperature of each ladder, the slot that ends there.

    tiles: [ladder, tile, unit, lane]; a ladder's slots fill its tiles.
    """
    rungs = betas.size
    for ladder in prange(counts.shape[0]):
        mine, row, place = tiles[ladder], chain + ladder * rungs, places[ladder]
        slots = mine.shape[0] * LANES
        x, rises = np.empty(LANES, np.float32), np.empty(slots)
        u = np.empty(-(-rungs // 4) * 4, np.float32)
        rest, near = np.zeros(slots, np.float32), np.zeros(slots, np.float32)
        chains = np.zeros(slots, np.uint32)
        for t in range(steps):
            now = step + np.uint64(t)
            for rung in range(rungs):
                s = place[rung]
                rest[s], near[s] = np.float32(1.0 - betas[rung]), np.float32(betas[rung])
                chains[s] = np.uint32(row + rung)
            rises[:] = 0.0
            for tile in range(mine.shape[0]):
                lanes = slice(tile * LANES, (tile + 1) * LANES)
                sweep(
                    order, starts, units, heard, b, base, rest[lanes], near[lanes], mine[tile],
                    chains[lanes], now, seed, stream,
                )  # fmt: skip
                _add_rises(starts, units, heard, b, base, mine[tile], x, rises[lanes])
            fill_uniforms(u, row, now, seed, stream + SWAPS)
            exchange(betas, place, rises, u, int(now & np.uint64(1)), counts[ladder])


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    rungs = len(betas)
    ladders, units = len(v) // rungs, model.n_visible
    slots = -(-rungs // LANES) * LANES
    padded = np.zeros((ladders, slots, units), np.uint8)
    padded[:, :rungs] = v.reshape(ladders, rungs, units)
    tiles = side_by_side(padded.reshape(-1, units), units)
    places = np.tile(np.arange(rungs), (ladders, 1))
    counts = np.zeros((ladders, rungs - 1), np.int64)
    launch(
        _ladders, steps * tiles.size, model.order, *model.joined, model.b, store(base), betas,
        tiles.reshape(ladders, -1, units, LANES), steps, places, counts, key.seed, int(key.stream),
        np.uint64(key.step), key.chain,
    )  # fmt: skip
    last = as_rows(tiles, ladders * slots).reshape(ladders, slots, units)
    ordered = np.take_along_axis(last, places[:, :, None], axis=1)
    return ordered.reshape(len(v), units), counts.sum(axis=0)


JOBS = {"anneal": anneal, "temper": temper}
