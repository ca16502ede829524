"""Conditionals, free energy and the moments that gradients are made of."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.contrast import Contrast
from ebmbench.kernels.cpu.device import aligned_empty
from ebmbench.kernels.cpu.large_batches import LargeContrast
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.simd import fill, product, total
from ebmbench.kernels.cpu.threads import columns_of, count_pieces, launch, layer_work, piece, split
from ebmbench.scalar import exp64, probability

SOFTPLUS_BLOCK = 512


@jit(parallel=True)
def _inputs(matrix, bias, states, across, group, out):
    rows = states.shape[0]
    for task in prange(count_pieces(rows, across, group)):
        left, right, top, bottom = piece(task, rows, bias.size, across, group)
        products(matrix, bias, states[top:bottom], left, right, out[top:bottom])


@jit
def _probability(matrix, bias, states, beta, columns, left, right, out):
    products(matrix, bias, states, left, right, out)
    end = max(left, min(right, columns))
    for r in range(out.shape[0]):
        x = out[r, left:end]
        for j in range(x.size):
            x[j] = probability(np.float32(beta * x[j]))
        fill(out[r, end:right], np.float32(0.0))  # units that are only padding have no part in any mean


@jit(parallel=True)
def _probabilities(matrix, bias, plus, minus, beta, columns, across, group, p_plus, p_minus):
    """Of two sets of rows, so that the threads share all of them at once; across, group: of `split`."""
    over_plus = (plus.shape[0] + group - 1) // group
    groups = over_plus + (minus.shape[0] + group - 1) // group
    for task in prange(across * groups):
        left, right = columns_of(task // groups, across, bias.size)
        g = task % groups
        top = g * group if g < over_plus else (g - over_plus) * group
        if g < over_plus:
            bottom = min(plus.shape[0], top + group)
            _probability(matrix, bias, plus[top:bottom], beta, columns, left, right, p_plus[top:bottom])
        else:
            bottom = min(minus.shape[0], top + group)
            _probability(matrix, bias, minus[top:bottom], beta, columns, left, right, p_minus[top:bottom])


@jit
def sum_softplus(x, n, scale, scratch):
    """sum_j log(1 + e**(scale x_j)) over the first n, in float64; scratch: float64 [2, at least 512].

    log(1 + e**x) = max(x, 0) + log(1 + e**-|x|), and the factors 1 + e**-|x| are at most 2: a product
    of 512 of them cannot overflow, so one logarithm serves 512 units.
    """
    factor, positive = scratch[0], scratch[1]
    result = 0.0
    for first in range(0, n, SOFTPLUS_BLOCK):
        count = min(n - first, SOFTPLUS_BLOCK)
        for j in range(count):
            xj = scale * np.float64(x[first + j])
            positive[j] = max(xj, 0.0)
            factor[j] = 1.0 + exp64(-abs(xj))
        result += total(positive, count) + math.log(product(factor, count))
    return result


@jit(parallel=True)
def _free_energies(W, b, c, v, n_hidden, out):
    for r in prange(v.shape[0]):
        index = np.empty(v.shape[1], np.int32)
        x = np.empty(c.size, np.float32)
        add_rows(c, W, v[r], index, x)
        energy = sum_softplus(x, n_hidden, 1.0, np.empty((2, SOFTPLUS_BLOCK)))
        for i in range(v.shape[1]):
            energy += np.float64(b[i]) * np.float64(v[r, i])
        out[r] = -energy


@jit
def _add_columns(rows, sums):
    for r in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            sums[i] += rows[r, i]


@jit
def contrast_means(plus, minus, contrast, mean):
    """The means of the columns of plus minus those of minus, and half their sum; zero without rows."""
    units = plus.shape[1]
    contrast[units:] = mean[units:] = np.float32(0.0)
    sums = np.zeros((2, units))
    _add_columns(plus, sums[0])
    _add_columns(minus, sums[1])
    for i in range(units):
        one, other = sums[0, i] / max(plus.shape[0], 1), sums[1, i] / max(minus.shape[0], 1)
        contrast[i] = one - other
        mean[i] = (one + other) / 2


@jit
def mean_rows(p, zero, out):
    """The mean of the rows of p, zero where there is none; zero: as many zeros as p has columns."""
    rows = p.shape[0]
    add_rows(zero, p, np.ones(rows, np.uint8), np.empty(rows, np.int32), out)
    for j in range(out.size):
        out[j] /= np.float32(max(rows, 1))


def padded_inputs(matrix, bias, states):
    """Bias + states @ matrix, float32 [B, padded]."""
    out = aligned_empty(len(states), bias.size)
    work = layer_work(len(states), *matrix.shape)
    launch(_inputs, work, matrix, bias, states, *split(len(states), bias.size), out)
    return out


def hidden_input(model, v):
    """See `Backend.hidden_input`."""
    return padded_inputs(model.to_hidden, model.c, v)[:, : model.n_hidden]


def visible_input(model, h):
    """See `Backend.visible_input`."""
    return padded_inputs(model.Wt, model.b, h)[:, : model.n_visible]


def padded_probability(matrix, bias, states, columns, beta=1.0):
    """sigmoid(beta (bias + states @ matrix)), float32 [B, padded], zero beyond the first columns."""
    return _padded_probabilities(matrix, bias, states, states[:0], columns, beta)[0]


def _padded_probabilities(matrix, bias, plus, minus, columns, beta=1.0):
    """As `padded_probability`, of two sets of rows."""
    outs = [aligned_empty(len(states), bias.size) for states in (plus, minus)]
    rows = len(plus) + len(minus)
    launch(
        _probabilities, layer_work(rows, *matrix.shape), matrix, bias, plus, minus, np.float32(beta),
        columns, *split(rows, bias.size), *outs,
    )  # fmt: skip
    return outs


def hidden_probability(model, v, beta):
    """See `Backend.hidden_probability`."""
    p = padded_probability(model.to_hidden, model.c, v, model.n_hidden, beta)
    return np.ascontiguousarray(p[:, : model.n_hidden])


def visible_probability(model, h, beta):
    """See `Backend.visible_probability`."""
    p = padded_probability(model.Wt, model.b, h, model.n_visible, beta)
    return np.ascontiguousarray(p[:, : model.n_visible])


def free_energy(model, v):
    """See `Backend.free_energy`."""
    out = np.empty(len(v))
    work = layer_work(len(v), *model.W.shape)
    launch(_free_energies, work, model.W, model.b, model.c, v, model.n_hidden, out)
    return out


def phases(model, positive, negative, matrix, beta=1.0) -> Phases:
    """`moments`, v times matrix being what hidden units see; a phase without rows counts as zero."""
    p_plus, p_minus = _padded_probabilities(matrix, model.c, positive, negative, model.n_hidden, beta)
    b, b_mean, c, c_mean = (np.empty_like(x) for x in (model.b, model.b, model.c, model.c))
    contrast_means(positive, negative, b, b_mean)
    contrast_means(p_plus, p_minus, c, c_mean)
    kind = LargeContrast if LargeContrast.serves(positive, negative) else Contrast
    W = kind(positive, negative, p_plus, p_minus)
    return Phases({"W": W, "b": b, "c": c}, {"b": b_mean, "c": c_mean})


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`; the gradient of W is not written down, see `Contrast`."""
    return phases(model, positive, negative, model.W, beta)


JOBS = {
    "hidden_input": hidden_input,
    "visible_input": visible_input,
    "hidden_probability": hidden_probability,
    "visible_probability": visible_probability,
    "free_energy": free_energy,
    "moments": moments,
}
