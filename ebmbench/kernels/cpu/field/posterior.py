"""Sweeps of a Markov field given evidence, colour by colour, sixteen chains at a time: as in `gibbs`.

A unit's sum starts not from its bias but from a vector, what bias and evidence of each chain make. The
sigmoids for the mean take 0.5 ns a unit and chain, beside 1.3 ns of a sweep with four neighbours.
"""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.field.drawing import PLACES, draw, draw_uniforms
from ebmbench.kernels.cpu.field.gibbs import chains_of, side_by_side
from ebmbench.kernels.cpu.posterior import add_probabilities
from ebmbench.kernels.cpu.simd import address, sum_weighted_rows_narrow
from ebmbench.kernels.cpu.threads import launch
from ebmbench.randomness import VISIBLE, Key


@jit(parallel=True)
def _walks(order, starts, units, heard, given, tiles, totals, sweeps, burn_in, seed, stream, step, chain):
    """given: float32 [tiles, n_visible, LANES], what each unit's sums start from."""
    for tile_number in prange(tiles.shape[0]):
        tile, start = tiles[tile_number], given[tile_number]
        chains, u = chains_of(chain + tile_number * LANES), np.empty((PLACES, LANES), np.float32)
        rest, near = np.zeros(LANES, np.float32), np.ones(LANES, np.float32)
        x = np.empty_like(tile)
        for t in range(sweeps):
            now = step + np.uint64(t)
            for place in range(order.size):
                if place % PLACES == 0:
                    draw_uniforms(u, place, chains, now, seed, stream + VISIBLE)
                i = order[place]
                first, last = starts[i], starts[i + 1]
                sum_weighted_rows_narrow(
                    address(start[i]),
                    tile,
                    units[first:last],
                    heard[first:last],
                    last - first,
                    0,
                    x[i],
                    0,
                )
                draw(u[place % PLACES], rest, np.float32(0.0), near, x[i], tile[i])
            if t >= burn_in:
                add_probabilities(x.ravel(), totals[tile_number].ravel())


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> np.ndarray:
    """See `Backend.posterior`."""
    n = model.n_visible
    tiles = side_by_side(v, n)
    given = side_by_side(model.b[:n] + evidence, n)
    totals = np.zeros(tiles.shape)
    launch(
        _walks, 2 * sweeps * tiles.size, model.order, *model.joined, given, tiles, totals, sweeps,
        burn_in, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    mean = totals / (sweeps - burn_in)
    return np.ascontiguousarray(mean.transpose(0, 2, 1).reshape(-1, n)[: len(v)])


JOBS = {"posterior": posterior}
