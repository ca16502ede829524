"""Free energy, and the gradients that moments give; the conditionals are those of binary units."""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.simd import total
from ebmbench.kernels.cpu.statistics import (
    SOFTPLUS_BLOCK,
    hidden_input,
    hidden_probability,
    phases,
    sum_softplus,
    visible_input,
)
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.normal import quadratic as of_unit


@inner(forceinline=True)
def quadratic(mean, precision, state, term):
    """The sum of `normal.quadratic` over units, in float64; term: float64 scratch, [units]."""
    for i in range(state.size):
        term[i] = of_unit(np.float64(state[i]), np.float64(mean[i]), np.float64(precision[i]))
    return total(term, state.size)


@jit(parallel=True)
def _free_energies(to_hidden, b, c, precision, v, n_hidden, out):
    for r in prange(v.shape[0]):
        index = np.empty(v.shape[1], np.int32)
        x = np.empty(c.size, np.float32)
        add_rows(c, to_hidden, v[r], index, x)
        energy = quadratic(b, precision, v[r], np.empty(v.shape[1]))
        out[r] = energy - sum_softplus(x, n_hidden, 1.0, np.empty((2, SOFTPLUS_BLOCK)))


def free_energy(model, v):
    """See `Backend.free_energy`."""
    out = np.empty(len(v))
    work = layer_work(len(v), *model.W.shape)
    launch(
        _free_energies, work, model.to_hidden, model.b, model.c, model.precision, v, model.n_hidden, out
    )
    return out


@inner(forceinline=True)
def _mean_square(v, i, centre):
    """Mean of (v_i - centre)**2 / 2 over rows, in float64; zero without rows."""
    result = 0.0
    for r in range(v.shape[0]):
        result += of_unit(np.float64(v[r, i]), np.float64(centre), 1.0)
    return result / max(v.shape[0], 1)


@jit(parallel=True)
def _squares(b, plus, minus, out):
    for i in prange(plus.shape[1]):
        out[i] = _mean_square(plus, i, b[i]) - _mean_square(minus, i, b[i])


@jit(parallel=True)
def _finish(W, precision, squares, gW, gb, g_log_precision):
    """From contrasts of v h, v and (v - b)**2 / 2 to the gradient, in place."""
    for i in prange(W.shape[0]):
        through = np.empty(W.shape[1], np.float32)
        for j in range(W.shape[1]):
            through[j] = W[i, j] * gW[i, j]
            gW[i, j] *= precision[i]
        gb[i] *= precision[i]
        inner = total(through, through.size)
        g_log_precision[i] = np.float64(precision[i]) * (inner - squares[i])


def moments(model, positive, negative, expected=None) -> Phases:
    """See `Backend.moments`; expected: the negative phase where `negative` has no rows.

    As (vh, v, (v - b)**2 / 2, h) in float64.
    """
    gradient, means = phases(model, positive, negative, model.to_hidden)
    W, b, c = (np.asarray(gradient[name]) for name in ("W", "b", "c"))
    squares = np.empty(model.n_visible)
    work = layer_work(len(positive) + len(negative), *W.shape)
    launch(_squares, work, model.b, positive, negative, squares)
    if expected is not None:
        vh, v, square, h = expected
        W[:, : model.n_hidden] -= vh
        b[: model.n_visible] -= v
        means["b"][: model.n_visible] += v / 2
        squares -= square
        c[: model.n_hidden] -= h
        means["c"][: model.n_hidden] += h / 2
    log_precision = np.zeros_like(model.b)
    launch(_finish, W.size, model.W, model.precision, squares, W, b, log_precision)
    return Phases({"W": W, "b": b, "c": c, "log_precision": log_precision}, means)


JOBS = {
    "hidden_input": hidden_input,
    "visible_input": visible_input,
    "hidden_probability": hidden_probability,
    "free_energy": free_energy,
    "moments": lambda model, positive, negative, beta: moments(model, positive, negative),
}
