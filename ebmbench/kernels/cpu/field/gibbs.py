"""Sweeps of a Markov field: colour by colour, sixteen chains at a time.

What does so is compiled by itself, though only compiled code calls it, in this file and its neighbours:
optimised together with what surrounds them, loops over sixteen lanes become no vectors, and sweeps took
twice as long.
"""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import aligned_empty
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.field.drawing import PLACES, draw, draw_uniforms
from ebmbench.kernels.cpu.simd import address, fill, sum_weighted_rows_narrow
from ebmbench.kernels.cpu.threads import launch
from ebmbench.randomness import VISIBLE, Key


@jit(parallel=True)
def _side_by_side(v, tiles):
    """Rows of v to tiles [tile, unit, lane]; lanes beyond the last row are off."""
    for t in prange(tiles.shape[0]):
        tile, first = tiles[t], t * LANES
        count = min(LANES, v.shape[0] - first)
        for i in range(tile.shape[0]):
            for lane in range(LANES):
                tile[i, lane] = np.float32(v[first + lane, i]) if lane < count else np.float32(0.0)


@jit(parallel=True)
def _as_rows(tiles, v):
    for r in prange(v.shape[0]):
        tile, lane = tiles[r // LANES], r % LANES
        for i in range(v.shape[1]):
            v[r, i] = tile[i, lane]


def side_by_side(v: np.ndarray, units: int) -> np.ndarray:
    """The first units of rows v as tiles, float32 [tiles, units, LANES]."""
    tiles = aligned_empty(-(-len(v) // LANES), units, LANES)
    launch(_side_by_side, tiles.size, v, tiles)
    return tiles


def as_rows(tiles: np.ndarray, rows: int) -> np.ndarray:
    """The states of as many rows, uint8 [rows, units]."""
    v = np.empty((rows, tiles.shape[1]), np.uint8)
    launch(_as_rows, v.size, tiles, v)
    return v


@jit(forceinline=True)
def listen(starts, units, heard, b, i, tile, x):
    """x = b_i + what unit i hears in each of the tile's chains, float32 [LANES]."""
    first, last = starts[i], starts[i + 1]
    fill(x, b[i])
    sum_weighted_rows_narrow(
        address(x), tile, units[first:last], heard[first:last], last - first, 0, x, 0
    )


@jit
def sweep(order, starts, units, heard, b, base, rest, beta, tile, chains, step, seed, stream):
    """Draw every unit at log odds rest base + beta x, given all others as they stand.

    tile: float32 [n_visible, LANES]; base: float32 [padded]; of each lane rest and beta, float32, and
    chains, uint32: the number of its chain.
    """
    x, u = np.empty(LANES, np.float32), np.empty((PLACES, LANES), np.float32)
    for place in range(order.size):
        if place % PLACES == 0:
            draw_uniforms(u, place, chains, step, seed, stream + VISIBLE)
        i = order[place]
        listen(starts, units, heard, b, i, tile, x)
        draw(u[place % PLACES], rest, base[i], beta, x, tile[i])


@jit(forceinline=True)
def chains_of(first):
    """The numbers of the chains of a tile's lanes, uint32."""
    chains = np.empty(LANES, np.uint32)
    for lane in range(LANES):
        chains[lane] = np.uint32(first + lane)
    return chains


@jit(parallel=True)
def _sweeps(order, starts, units, heard, b, base, tiles, steps, beta, seed, stream, step, chain):
    for t in prange(tiles.shape[0]):
        chains = chains_of(chain + t * LANES)
        rest, near = np.zeros(LANES, np.float32), np.full(LANES, np.float32(beta))
        for s in range(steps):
            now = step + np.uint64(s)
            sweep(
                order, starts, units, heard, b, base, rest, near, tiles[t], chains, now, seed, stream
            )  # fmt: skip


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    tiles = side_by_side(v, model.n_visible)
    launch(
        _sweeps, steps * tiles.size, model.order, *model.joined, model.b, np.zeros_like(model.b), tiles,
        steps, beta, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return as_rows(tiles, len(v)), np.empty((len(v), 0), np.uint8)


JOBS = {"gibbs": gibbs}
