"""Conditionals, free energy and the moments that gradients are made of."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.device import aligned_zeros, padded
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.simd import product, total
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.scalar import exp64, sigmoid

SOFTPLUS_BLOCK = 512


@jit(parallel=True)
def _inputs(matrix, bias, states, out):
    for r in prange(states.shape[0]):
        index = np.empty(states.shape[1], np.int32)
        add_rows(bias, matrix, states[r], index, out[r])


@jit(parallel=True)
def _probabilities(matrix, bias, states, beta, columns, out):
    for r in prange(states.shape[0]):
        index = np.empty(states.shape[1], np.int32)
        x = out[r]
        add_rows(bias, matrix, states[r], index, x)
        for j in range(columns):
            x[j] = sigmoid(np.float32(beta * x[j]))
        x[columns:] = np.float32(0.0)  # units that are only padding have no part in any mean


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


@jit(parallel=True)
def contrast(p_plus, p_minus, plus, minus, zero, W, b, b_mean):
    """W, b: <v h>, <v> over plus minus the same over minus; one visible unit at a time.

    A phase without rows counts as zero: the exact gradient subtracts its own.
    """
    per_plus = np.float32(1.0 / max(plus.shape[0], 1))
    per_minus = np.float32(1.0 / max(minus.shape[0], 1))
    for i in prange(W.shape[0]):
        index = np.empty(max(plus.shape[0], minus.shape[0]), np.int32)
        other = np.empty(zero.size, np.float32)
        row = W[i]
        # Column i of the states picks the rows of p(h|v) to add: the product of a batch's transpose.
        add_rows(zero, p_plus, plus[:, i], index, row)
        add_rows(zero, p_minus, minus[:, i], index, other)
        for j in range(zero.size):
            row[j] = row[j] * per_plus - other[j] * per_minus
        total_plus = total_minus = 0.0
        for r in range(plus.shape[0]):
            total_plus += plus[r, i]
        for r in range(minus.shape[0]):
            total_minus += minus[r, i]
        b[i] = total_plus * per_plus - total_minus * per_minus
        b_mean[i] = (total_plus * per_plus + total_minus * per_minus) / 2


@jit
def mean_rows(p, zero, out):
    """The mean of the rows of p, zero where there is none; zero: as many zeros as p has columns."""
    rows = p.shape[0]
    add_rows(zero, p, np.ones(rows, np.uint8), np.empty(rows, np.int32), out)
    for j in range(out.size):
        out[j] /= np.float32(max(rows, 1))


def _inputs_of(matrix, bias, states, columns):
    out = aligned_zeros(len(states), padded(columns))
    launch(_inputs, layer_work(len(states), *matrix.shape), matrix, bias, states, out)
    return out[:, :columns]


def hidden_input(model, v):
    """See `Backend.hidden_input`."""
    return _inputs_of(model.to_hidden, model.c, v, model.n_hidden)


def visible_input(model, h):
    """See `Backend.visible_input`."""
    return _inputs_of(model.Wt, model.b, h, model.n_visible)


def padded_probability(matrix, bias, states, columns, beta=1.0):
    """sigmoid(beta (bias + states @ matrix)), float32 [B, padded], zero beyond the first columns."""
    out = aligned_zeros(len(states), bias.size)
    work = layer_work(len(states), *matrix.shape)
    launch(_probabilities, work, matrix, bias, states, np.float32(beta), columns, out)
    return out


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


def moments(model, positive, negative) -> Phases:
    """See `Backend.moments`."""
    zero = aligned_zeros(model.c.size)
    p_plus = padded_probability(model.W, model.c, positive, model.n_hidden)
    p_minus = padded_probability(model.W, model.c, negative, model.n_hidden)
    W, b, b_mean = aligned_zeros(*model.W.shape), np.zeros_like(model.b), np.zeros_like(model.b)
    work = W.size + layer_work(len(positive) + len(negative), *W.shape)
    launch(contrast, work, p_plus, p_minus, positive, negative, zero, W, b, b_mean)
    h_plus, h_minus = np.empty_like(zero), np.empty_like(zero)
    mean_rows(p_plus, zero, h_plus)
    mean_rows(p_minus, zero, h_minus)
    return Phases({"W": W, "b": b, "c": h_plus - h_minus}, {"b": b_mean, "c": (h_plus + h_minus) / 2})


JOBS = {
    "hidden_input": hidden_input,
    "visible_input": visible_input,
    "hidden_probability": hidden_probability,
    "visible_probability": visible_probability,
    "free_energy": free_energy,
    "moments": moments,
}
