"""Pseudolikelihood and ratio matching of undirected models without hidden units (see `models.flips`).

Flipping bit i changes the energy by D_i = (2 v_i - 1) x_i. The weight a_i of a flip times 2 v_i - 1 is
what the objective rises by with x_i; for pseudolikelihood that is v_i - p(v_i = 1 | rest), as of a
Bayesian network's unit given its parents.
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.flips import ALL_BITS
from ebmbench.kernels.cpu.graph.gibbs import inputs
from ebmbench.kernels.cpu.graph.statistics import contrast
from ebmbench.kernels.cpu.simd import fill, total
from ebmbench.kernels.cpu.statistics import SOFTPLUS_BLOCK, sum_softplus
from ebmbench.kernels.cpu.threads import launch
from ebmbench.scalar import probability

_ONE, _TWO = np.float32(1.0), np.float32(2.0)


@inner
def _value(squared, d, wrong, scratch, term):
    """The objective of these flips, float64; wrong: sigmoid(-d), float32."""
    if not squared:
        return -sum_softplus(d, d.size, -1.0, scratch)
    for i in range(d.size):
        term[i] = np.float64(wrong[i]) * np.float64(wrong[i])
    return -total(term, d.size)


@jit(parallel=True)
def _flip(x, v, bits, squared, values):
    """From the units' inputs x to what the objective rises by with each of them, in place."""
    for r in prange(v.shape[0]):
        n, row = v.shape[1], x[r]
        d, wrong = np.empty(n, np.float32), np.empty(n, np.float32)
        scratch, term = np.empty((2, SOFTPLUS_BLOCK)), np.empty(n)
        for i in range(n):
            sign = np.float32(_TWO * v[r, i] - _ONE)
            d[i] = sign * row[i]
            wrong[i] = probability(np.float32(-d[i]))
            right = np.float32(_TWO * wrong[i] * probability(d[i])) if squared else _ONE
            row[i] = sign * np.float32(wrong[i] * right)
        fill(row[n:], np.float32(0.0))
        only = bits[r]
        if only == ALL_BITS:
            values[r] = _value(squared, d, wrong, scratch, term)
        else:  # one bit stands for all
            share = np.float32(n) * row[only]
            fill(row, np.float32(0.0))
            row[only] = share
            one = slice(only, only + 1)
            values[r] = n * _value(squared, d[one], wrong[one], scratch, term)


def jobs(inputs, contrast):
    """Both objectives for a kind of model, from what its units hear and its `contrast`."""
    return {
        "pseudolikelihood": _job(inputs, contrast, False),
        "ratio_matching": _job(inputs, contrast, True),
    }


def _job(inputs, contrast, squared: bool):
    def job(model, v, bits):
        delta, values = inputs(model, v), np.empty(len(v))
        chosen = np.full(len(v), ALL_BITS, np.int64) if bits is None else bits
        launch(_flip, v.size, delta, v.astype(np.float32), chosen, squared, values)
        phases, mean = contrast(model, v, v[:0], delta, delta[:0], 1.0)
        return phases._replace(means={"b": mean}), float(values.mean())

    return job


JOBS = jobs(inputs, contrast)
