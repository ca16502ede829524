"""Conditionals, free energy and the moments that gradients are made of."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.contrast import Contrast
from ebmbench.kernels.cpu.device import aligned_empty
from ebmbench.kernels.cpu.integers import NONE
from ebmbench.kernels.cpu.layers import inputs, products
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.simd import fill, product, total
from ebmbench.kernels.cpu.standing import for_states, split_layer, transposed
from ebmbench.kernels.cpu.threads import (
    LINE,
    columns_of,
    count_pieces,
    launch,
    layer_work,
    piece,
    split,
)
from ebmbench.kernels.cpu.tiled_contrast import TiledContrast
from ebmbench.scalar import exp64, probability

SOFTPLUS_BLOCK = 512


@jit(parallel=True)
def _inputs(matrix, bias, states, across, group, out):
    rows = states.shape[0]
    for task in prange(count_pieces(rows, across, group)):
        left, right, top, bottom = piece(task, rows, bias.size, across, group)
        products(matrix, bias, states[top:bottom], left, right, out[top:bottom])


@inner
def _probability(matrix, integers, bias, states, beta, columns, left, right, out):
    inputs(matrix, integers, bias, states, left, right, out)
    end = max(left, min(right, columns))
    for r in range(out.shape[0]):
        x = out[r, left:end]
        for j in range(x.size):
            x[j] = probability(np.float32(beta * x[j]))
        fill(out[r, end:right], np.float32(0.0))  # units that are only padding have no part in any mean


@jit(parallel=True)
def find_probabilities(
    matrix, integers, bias, plus, minus, beta, columns, across, group, p_plus, p_minus
):
    """Of two sets of rows, so that the threads share all of them at once; across, group: of `split`."""
    over_plus = (plus.shape[0] + group - 1) // group
    groups = over_plus + (minus.shape[0] + group - 1) // group
    for task in prange(across * groups):
        left, right = columns_of(task // groups, across, bias.size, LINE)
        g = task % groups
        top = g * group if g < over_plus else (g - over_plus) * group
        if g < over_plus:
            bottom = min(plus.shape[0], top + group)
            _probability(
                matrix, integers, bias, plus[top:bottom], beta, columns, left, right, p_plus[top:bottom]
            )
        else:
            bottom = min(minus.shape[0], top + group)
            _probability(
                matrix, integers, bias, minus[top:bottom], beta, columns, left, right, p_minus[top:bottom]
            )


@inner
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


def padded_probability(matrix, bias, states, columns, beta=1.0, integers=NONE):
    """sigmoid(beta (bias + states @ matrix)), float32 [B, padded], zero beyond the first columns.

    integers: of the matrix, for binary states, or `NONE`.
    """
    return _padded_probabilities(matrix, integers, bias, states, states[:0], columns, beta)[0]


def _padded_probabilities(matrix, integers, bias, plus, minus, columns, beta=1.0):
    """As `padded_probability`, of two sets of rows."""
    rows = len(plus) + len(minus)
    both = aligned_empty(rows, bias.size)
    outs = both[: len(plus)], both[len(plus) :]
    launch(
        find_probabilities, layer_work(rows, *matrix.shape), matrix, integers, bias, plus, minus,
        np.float32(beta), columns, *split_layer(integers, rows, bias.size), *outs,
    )  # fmt: skip
    return outs


def hidden_probability(model, v, beta):
    """See `Backend.hidden_probability`."""
    up, _ = for_states(model, v)
    p = padded_probability(model.to_hidden, model.c, v, model.n_hidden, beta, up)
    return np.ascontiguousarray(p[:, : model.n_hidden])


def visible_probability(model, h, beta):
    """See `Backend.visible_probability`."""
    _, down = for_states(model, h)
    p = padded_probability(transposed(model, down), model.b, h, model.n_visible, beta, down)
    return np.ascontiguousarray(p[:, : model.n_visible])


def free_energy(model, v):
    """See `Backend.free_energy`."""
    out = np.empty(len(v))
    work = layer_work(len(v), *model.W.shape)
    launch(_free_energies, work, model.W, model.b, model.c, v, model.n_hidden, out)
    return out


def phases(model, positive, negative, matrix, beta=1.0, integers=NONE) -> Phases:
    """`moments`, v times matrix being what hidden units see; a phase without rows counts as zero.

    integers: of the matrix, see `padded_probability`.
    """
    p_plus, p_minus = _padded_probabilities(
        matrix, integers, model.c, positive, negative, model.n_hidden, beta
    )
    b, b_mean, c, c_mean = biases = [np.empty_like(x) for x in (model.b, model.b, model.c, model.c)]
    kind = TiledContrast if TiledContrast.serves(positive, negative, model.W.size) else Contrast
    W = kind.with_means(positive, negative, p_plus, p_minus, *biases)
    return Phases({"W": W, "b": b, "c": c}, {"b": b_mean, "c": c_mean})


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`; the gradient of W is not written down, see `Contrast`."""
    up, _ = for_states(model, positive, negative)
    return phases(model, positive, negative, model.W, beta, up)


JOBS = {
    "hidden_input": hidden_input,
    "visible_input": visible_input,
    "hidden_probability": hidden_probability,
    "visible_probability": visible_probability,
    "free_energy": free_energy,
    "moments": moments,
}
