"""What a Markov field's gradients are made of: what units hear, and products of an edge's ends."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.device import aligned_empty, store
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.field.device import get
from ebmbench.kernels.cpu.field.gibbs import listen, side_by_side
from ebmbench.kernels.cpu.field.lanes import add_ends
from ebmbench.kernels.cpu.graph import flips, nce
from ebmbench.kernels.cpu.graph.statistics import energies
from ebmbench.kernels.cpu.means import contrast_means
from ebmbench.kernels.cpu.simd import fill, total
from ebmbench.kernels.cpu.threads import launch
from ebmbench.models import elimination
from ebmbench.models.markov_field import MarkovField

_EDGES = 64  # whose sums a thread keeps in its cache


@jit(parallel=True)
def _inputs(starts, units, heard, b, tiles, out):
    for t in prange(tiles.shape[0]):
        x, first = np.empty(LANES, np.float32), t * LANES
        count = min(LANES, out.shape[0] - first)
        for i in range(tiles.shape[1]):
            listen(starts, units, heard, b, i, tiles[t], x)
            for lane in range(count):
                out[first + lane, i] = x[lane]
        for lane in range(count):
            fill(out[first + lane, tiles.shape[1] :], np.float32(0.0))


def inputs(model, rows):
    """B + what all units hear, float32 [rows, padded], 0 beyond the units."""
    out = aligned_empty(len(rows), model.b.size)
    launch(_inputs, out.size, *model.joined, model.b, side_by_side(rows, model.n_visible), out)
    return out


def free_energy(model, v):
    """See `Backend.free_energy`."""
    return energies(inputs(model, v), model.b, v)


@jit(parallel=True)
def _add_edges(ends, p, v, share, out):
    """Out += share times the sum over rows of p_i v_j + p_j v_i, of each edge (i, j)."""
    count = ends.shape[0]
    for block in prange((count + _EDGES - 1) // _EDGES):
        first, last = block * _EDGES, min(count, (block + 1) * _EDGES)
        sums = np.zeros((_EDGES, LANES), np.float32)
        for t in range(p.shape[0]):
            for e in range(first, last):
                add_ends(p[t], v[t], ends[e, 0], ends[e, 1], sums[e - first])
        for e in range(first, last):
            out[e] += np.float32(share * total(sums[e - first], LANES))


def contrast(model, plus, minus, p_plus, p_minus, scale: float) -> tuple[Phases, np.ndarray]:
    """Scale times the mean of p_i v_j + p_j v_i over plus less that over minus; b the contrast of p.

    As `graph.statistics.contrast`: of v, too, and a phase without rows counts as zero. plus, minus: rows
    v; p_plus, p_minus: float32 [rows, padded], zero beyond the units.
    """
    b, b_mean, c, c_mean = (np.empty_like(model.b) for _ in range(4))
    contrast_means(plus, minus, 0, b.size, b, b_mean)
    contrast_means(p_plus, p_minus, 0, b.size, c, c_mean)
    R, units = np.zeros_like(model.R), model.n_visible
    for v, p, sign in ((plus, p_plus, 1.0), (minus, p_minus, -1.0)):
        if len(v):
            tiles = side_by_side(p, units), side_by_side(v, units)
            work = len(v) * len(model.ends)
            launch(_add_edges, work, model.ends, *tiles, sign * scale / len(v), R)
    return Phases({"R": R, "b": c}, {"b": b_mean}), b


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`."""
    return contrast(model, positive, negative, store(positive), store(negative), 0.5)[0]


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`: by elimination, which needs no kernel of its own."""
    log_z, expected = elimination.moments(get(model))
    phases = moments(model, v, v[:0])
    both, mean = store(expected.vv), store(expected.v)
    phases.gradient["R"] -= both
    phases.gradient["b"] -= mean
    phases.means["b"] += mean / np.float32(2.0)
    return phases, log_z


def log_z(model: MarkovField) -> float:
    """See `Backend.log_z`."""
    return elimination.log_z(model)


JOBS = {
    "free_energy": free_energy,
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": log_z,
    **flips.jobs(inputs, contrast),
    "nce": nce.job(free_energy, contrast),
}
