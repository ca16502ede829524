"""What a Markov field's gradients are made of: as `cpu.field.statistics`.

Bound by launches at the sizes of pictures: a batch of 100 at 784 units and 1,512 edges is 0.15 million
products, 1 us of an H200.
"""

import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.device import alike, blocks, stack
from ebmbench.kernels.cuda.enumerate import take_off
from ebmbench.kernels.cuda.field.device import get
from ebmbench.kernels.cuda.field.gibbs import listen
from ebmbench.kernels.cuda.graph import flips, nce
from ebmbench.kernels.cuda.graph.statistics import energies, padded_rows
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, empty
from ebmbench.kernels.cuda.tile import at
from ebmbench.models import elimination
from ebmbench.models.markov_field import MarkovField

_ZERO = np.float32(0.0)


@kernel("int32[::1], int32[::1], float32[::1], float32[::1], rows[:,::1], uint64, float32[:,::1]")
def _inputs(starts, units, heard, b, v, count, out):
    columns = at(out.shape[1])
    for n in range(at(cuda.grid(1)), at(out.size), at(cuda.gridsize(1))):
        r, i = n // columns, n % columns
        out[r, i] = listen(starts, units, heard, b, i, v[r]) if i < count else _ZERO


def inputs(model, rows: Array) -> Array:
    """B + what all units hear, float32 [rows, padded], 0 beyond the units."""
    x = empty((len(rows), model.b.size))
    if x.size:
        count = blocks(x.size, _inputs.threads)
        _inputs(count, *model.joined, model.b, rows, model.n_visible, x)
    return x


def free_energy(model, v):
    """See `Backend.free_energy`."""
    return energies(inputs(model, v), model.b, v)


@kernel("int32[:,::1], float32[:,::1], rows[:,::1], rows[:,::1], float32, float32[::1]")
def _edges(ends, p, plus, minus, scale, out):
    """Scale times the mean of p_i v_j + p_j v_i over plus less that over minus; an edge a thread."""
    above, below = at(plus.shape[0]), at(minus.shape[0])
    for e in range(at(cuda.grid(1)), at(out.size), at(cuda.gridsize(1))):
        found = 0.0
        if e < at(ends.shape[0]):
            i, j = at(ends[e, 0]), at(ends[e, 1])
            one, other = _ZERO, _ZERO
            for r in range(above):
                one += p[r, i] * np.float32(plus[r, j]) + p[r, j] * np.float32(plus[r, i])
            for r in range(below):
                s = above + r
                other += p[s, i] * np.float32(minus[r, j]) + p[s, j] * np.float32(minus[r, i])
            if above > at(0):
                found += np.float64(one) / np.float64(above)
            if below > at(0):
                found -= np.float64(other) / np.float64(below)
        out[e] = np.float32(np.float64(scale) * found)


@kernel("rows[:,::1], rows[:,::1], uint64, float32[::1], float32[::1]")
def _means(plus, minus, units, contrast, mean):
    """Means of the columns of plus less those of minus, and half their sum; a unit a thread.

    0 where there are no rows, and beyond the units.
    """
    above, below = at(plus.shape[0]), at(minus.shape[0])
    for i in range(at(cuda.grid(1)), at(mean.size), at(cuda.gridsize(1))):
        one, other = 0.0, 0.0
        if i < units:
            for r in range(above):
                one += np.float64(plus[r, i])
            for r in range(below):
                other += np.float64(minus[r, i])
        one /= np.float64(max(above, at(1)))
        other /= np.float64(max(below, at(1)))
        contrast[i] = np.float32(one - other)
        mean[i] = np.float32((one + other) / 2.0)


def contrast(model, p: Array, plus: Array, minus: Array, scale: float) -> tuple[Phases, Array]:
    """Scale times the mean of p_i v_j + p_j v_i over plus less that over minus; b the contrast of p.

    And the contrast of v; arguments as those of `graph.statistics.contrast`.
    """
    R = empty(model.R.size)
    b, b_mean, c, c_mean = (empty(model.b.size) for _ in range(4))
    _edges(blocks(R.size, _edges.threads), model.ends, p, plus, minus, scale, R)
    count = blocks(b.size, _means.threads)
    _means(count, plus, minus, model.n_visible, b, b_mean)
    _means(count, p[: len(plus)], p[len(plus) :], model.n_visible, c, c_mean)
    return Phases({"R": R, "b": c}, {"b": b_mean}), b


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`."""
    plus, minus = alike(positive, negative)
    return contrast(model, padded_rows(model, plus, minus), plus, minus, 0.5)[0]


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`: by elimination on the host, which needs no kernel of its own."""
    log_z, expected = elimination.moments(get(model))
    phases = moments(model, v, empty((0, model.n_visible), v.dtype))
    take_off(phases.gradient, "R", expected.vv)
    take_off(phases.gradient, "b", expected.v)
    take_off(phases.means, "b", -expected.v / 2)
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
    "nce": nce.job(lambda model, data, noise: inputs(model, stack(data, noise)), contrast),
}
