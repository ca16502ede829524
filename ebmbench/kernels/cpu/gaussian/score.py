"""Score matching (see `models.score`): passes over rows, then over visible units.

A row leaves its residual, s = p(h|v) and slope; nothing of the size rows x n_visible x n_hidden is
ever stored. The gradient of visible unit i adds the slopes weighted by v_i and s by its residuals.
"""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.gaussian.gibbs import draw_normal
from ebmbench.kernels.cpu.means import mean_rows
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.simd import total
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import sigmoid


@jit(parallel=True)
def _noised(zero, one, v, noise, noised, e, seed, stream, step, chain):
    """noised = v + noise e, e standard normal."""
    for r in prange(v.shape[0]):
        draw_normal(zero, one, np.empty_like(zero), e[r], chain + r, step, seed, stream)
        for i in range(v.shape[1]):
            noised[r, i] = np.float32(v[r, i]) + np.float32(noise * e[r, i])


@jit(parallel=True)
def _row_terms(
    to_hidden, Wt, zero_h, zero_v, b, c, precision, reach, v, n_hidden, e, noise,
    psi, residual, s, slope, d, values,
):  # fmt: skip
    """One row at a time; e without rows is the closed form.

    psi, residual: [B, n_visible]; s, slope, d: [B, padded], zero beyond the units; values: [B], each
    row's loss without the part that no row changes.
    """
    closed = e.shape[0] == 0
    for r in prange(v.shape[0]):
        index = np.empty(max(zero_h.size, zero_v.size), np.int32)
        x, mean = np.empty(zero_h.size, np.float32), np.empty(zero_v.size, np.float32)
        term = np.empty(max(zero_h.size, zero_v.size), np.float32)
        add_rows(c, to_hidden, v[r], index, x)
        sr, dr, gr = s[r], d[r], slope[r]
        for j in range(n_hidden):
            sr[j] = sigmoid(x[j])
            dr[j] = sr[j] * sigmoid(np.float32(-x[j]))  # 1 - s would cancel where s is near 1
        sr[n_hidden:], dr[n_hidden:] = np.float32(0.0), np.float32(0.0)
        add_rows(b, Wt, sr[:n_hidden], index, mean)
        for i in range(v.shape[1]):
            psi[r, i] = precision[i] * (mean[i] - np.float32(v[r, i]))
            residual[r, i] = psi[r, i] if closed else psi[r, i] + e[r, i] / noise
            term[i] = np.float32(0.5) * residual[r, i] * residual[r, i]
        value = total(term, v.shape[1])
        add_rows(zero_h, to_hidden, residual[r], index, gr)
        for j in range(gr.size):
            gr[j] *= dr[j]
        if closed:
            for j in range(n_hidden):
                minus = np.float32(-x[j])
                gr[j] += reach[j] * dr[j] * (sigmoid(minus) - sr[j])
                term[j] = reach[j] * dr[j]
            value += total(term, n_hidden)
        values[r] = value


@jit(parallel=True)
def _unit_gradients(to_hidden, W, precision, v, psi, residual, s, slope, d, closed, zero, gW, gb, glog):
    """From the rows' terms to the ascent direction; d: [padded], its mean over rows."""
    rows = np.float32(v.shape[0])
    for i in prange(W.shape[0]):
        index = np.empty(v.shape[0], np.int32)
        other, inner = np.empty(zero.size, np.float32), np.empty(zero.size, np.float32)
        row = gW[i]
        add_rows(zero, slope, v[:, i], index, row)
        add_rows(zero, s, residual[:, i], index, other)
        beta = precision[i]
        for j in range(zero.size):
            own = row[j] / rows
            bend = np.float32(2.0) * to_hidden[i, j] * d[j] if closed else np.float32(0.0)
            inner[j] = W[i, j] * (own + bend)
            row[j] = -beta * (own + other[j] / rows + bend)
        first = second = 0.0
        for r in range(v.shape[0]):
            first += residual[r, i]
            second += np.float64(residual[r, i]) * np.float64(psi[r, i])
        gb[i] = -beta * first / v.shape[0]
        constant = np.float64(beta) if closed else 0.0
        glog[i] = constant - np.float64(beta) * total(inner, inner.size) - second / v.shape[0]


def score_matching(model, v, noise: float, key: Key | None) -> tuple[Phases, float]:
    """See `Backend.score_matching`."""
    rows, nv, nh = len(v), model.n_visible, model.n_hidden
    zero_h, zero_v = aligned_zeros(model.c.size), aligned_zeros(model.b.size)
    work = layer_work(rows, *model.W.shape)
    closed = key is None
    e = np.empty((0 if closed else rows, nv), np.float32)
    if key is not None:
        noised = np.empty((rows, nv), np.float32)
        launch(
            _noised, work, zero_v, np.ones_like(zero_v), v, np.float32(noise), noised, e,
            key.seed, int(key.stream) + VISIBLE, np.uint64(key.step), key.chain,
        )  # fmt: skip
        v = noised
    reach = (model.to_hidden.astype(np.float64) ** 2).sum(axis=0).astype(np.float32)
    psi, residual = np.empty((rows, nv), np.float32), np.empty((rows, nv), np.float32)
    s, slope, d = (aligned_zeros(rows, model.c.size) for _ in range(3))
    values = np.empty(rows)
    launch(
        _row_terms, 3 * work, model.to_hidden, model.Wt, zero_h, zero_v, model.b, model.c,
        model.precision, reach, v, nh, e, np.float32(noise), psi, residual, s, slope, d, values,
    )  # fmt: skip
    means = [np.empty_like(zero_h) for _ in range(3)]
    for values_of_rows, mean in zip((s, slope, d), means, strict=True):
        mean_rows(values_of_rows, zero_h, mean)
    gW, gb, glog = aligned_zeros(*model.W.shape), np.zeros_like(model.b), np.zeros_like(model.b)
    launch(
        _unit_gradients, 2 * work, model.to_hidden, model.W, model.precision, v, psi, residual, s,
        slope, means[2], closed, zero_h, gW, gb, glog,
    )  # fmt: skip
    loss = float(values.mean()) - (float(model.precision[:nv].sum(dtype=np.float64)) if closed else 0.0)
    v_mean = np.zeros_like(model.b)
    v_mean[:nv] = v.mean(axis=0, dtype=np.float64)
    gradient = {"W": gW, "b": gb, "c": -means[1], "log_precision": glog}
    return Phases(gradient, {"b": v_mean, "c": means[0]}), -loss


JOBS = {"score_matching": score_matching}
