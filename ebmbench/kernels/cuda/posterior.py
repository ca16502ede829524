"""Chains that walk given evidence about their visible units, a layer at a time: as `cpu.posterior`.

Three launches a sweep: the hidden units, what the visible ones hear of them, and their draw, in which a
thread has four neighbours. Nothing comes back to the host before the last sweep.
"""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.gibbs import sample_hidden
from ebmbench.kernels.cuda.launch import Kernel, kernel
from ebmbench.kernels.cuda.memory import Array, empty, zeros
from ebmbench.kernels.cuda.products import layer
from ebmbench.kernels.cuda.tile import at
from ebmbench.philox import four_uniforms
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import LINEAR, probability, sigmoid

_FOUR = at(4)


@kernel(
    "float32[:,::1], float32[:,::1], boolean, int64, int64, uint64, int64, uint8[:,::1], float64[:,::1]"
)
def _draw(x, evidence, counts, seed, stream, step, chain, v, total):
    """Units at log odds x + evidence; x: [rows, padded], all else [rows, units]."""
    units = at(v.shape[1])
    groups = (units + at(3)) // _FOUR
    for n in range(at(cuda.grid(1)), at(v.shape[0]) * groups, at(cuda.gridsize(1))):
        r, group = n // groups, n % groups
        word = counter(chain + np.int64(r), step, seed)
        u = four_uniforms(np.uint32(group), word[0], word[1], word[2], word[3], np.uint32(stream))
        for lane in range(_FOUR):
            i = _FOUR * group + lane
            if i < units:
                z = np.float32(x[r, i] + evidence[r, i])
                v[r, i] = np.uint8(u[lane] < sigmoid(z))
                if counts:
                    total[r, i] += np.float64(probability(z))


@kernel("float32[:,::1], float32[:,::1]")
def _add(x, evidence):
    columns = at(evidence.shape[1])
    for n in range(at(cuda.grid(1)), at(evidence.size), at(cuda.gridsize(1))):
        x[n // columns, n % columns] += evidence[n // columns, n % columns]


def add_evidence(x: Array, evidence: Array) -> None:
    """To the first columns of x."""
    _add(blocks(evidence.size, _add.threads), x, evidence)


@kernel("float64[:,::1], float64")
def _scale(total, factor):
    columns = at(total.shape[1])
    for n in range(at(cuda.grid(1)), at(total.size), at(cuda.gridsize(1))):
        total[n // columns, n % columns] *= factor


def mean(total: Array, counted: int) -> Array:
    """What a job gives of so many sweeps' sums, in their place."""
    if total.size:
        _scale(blocks(total.size, _scale.threads), total, 1.0 / counted)
    return total


def walked(draw: Kernel, given: tuple[Array, ...], dtype, model, v, sweeps: int, burn_in: int, key: Key):
    """What `posterior` gives; draw: from what visible units hear of h, and what is given, to states.

    dtype: of the states.
    """
    total, now = zeros(v.shape, np.float64), v
    if not total.size:
        return total
    x = empty((len(v), model.b.size))
    threads = len(v) * -(-model.n_visible // 4)
    for t in range(sweeps):
        at_key = key.advance(t)
        h = sample_hidden(model, now, at_key, 1.0)
        layer(model.Wt, model.b, h, None, model.n_visible, x, LINEAR)
        now = empty(v.shape, dtype) if t == 0 else now  # the given rows stay
        draw(
            blocks(threads, draw.threads), x, *given, t >= burn_in, key.seed,
            int(key.stream) + VISIBLE, at_key.step, key.chain, now, total,
        )  # fmt: skip
    return mean(total, sweeps - burn_in)


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> Array:
    """See `Backend.posterior`."""
    return walked(_draw, (evidence,), np.uint8, model, v, sweeps, burn_in, key)


JOBS = {"posterior": posterior}
