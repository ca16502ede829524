"""Score matching (see `models.score`): products of whole batches, and one pass over rows after each.

Bound by five products of 39 million multiply-adds at batch 100 and 784 x 500, each about 11 us of an
H200 (see `products`).

A row leaves its residual, s = p(h|v) and slope; nothing of the size rows x n_visible x n_hidden is
ever stored. The gradient adds the slopes weighted by v and s by the residuals.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.gaussian.gibbs import draw_normal
from ebmbench.kernels.cuda.later import Later
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import download, empty, upload, zeros
from ebmbench.kernels.cuda.products import contrast, layer
from ebmbench.kernels.cuda.tile import at
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import LINEAR, sigmoid

_THREADS = 128
_DOWN, _ALONG = (2, 2) if SIMULATED else (8, 32)  # of a block that sums columns: rows, columns at once
_F32, _F64 = np.float32, np.float64
_ZERO, _HALF, _TWO = _F32(0.0), _F32(0.5), _F32(2.0)


@kernel(
    "float32[::1], float32[::1], rows[:,::1], float32, float32[:,::1], float32[:,::1], int64, int64, "
    "uint64, int64",
    _THREADS,
)
def _noised(zero, one, v, noise, noised, e, seed, stream, step, chain):
    """noised = v + noise e, e standard normal; a row a block."""
    r = at(cuda.blockIdx.x)
    at_row = counter(chain + np.int64(r), step, seed)
    draw_normal(zero, one, v.shape[1], e[r], at_row, stream)
    cuda.syncthreads()
    for i in range(at(cuda.threadIdx.x), at(v.shape[1]), at(cuda.blockDim.x)):
        noised[r, i] = _F32(v[r, i]) + _F32(noise * e[r, i])


@kernel("float32[:,::1], float32[:,::1], float32[:,::1], float32[::1], float32[::1]", _DOWN * _ALONG)
def _bends(to_hidden, x, s, reach, bend):
    """s = sigmoid(x); reach = sum_i to_hidden_i**2; bend: the mean of s (1 - s) over rows.

    Some hidden units a block, whose threads share the rows; bound by the latency of 98 reads in turn at
    784 x 500, some 10 us on an H200.
    """
    squares = cuda.shared.array((_DOWN, _ALONG), numba.float64)
    slopes = cuda.shared.array((_DOWN, _ALONG), numba.float64)
    down, along = at(cuda.threadIdx.x) // at(_ALONG), at(cuda.threadIdx.x) % at(_ALONG)
    j = at(cuda.blockIdx.x) * at(_ALONG) + along
    square, slope = 0.0, 0.0
    if j < at(x.shape[1]):
        for i in range(down, at(to_hidden.shape[0]), at(_DOWN)):
            square += _F64(to_hidden[i, j]) * _F64(to_hidden[i, j])
        for r in range(down, at(x.shape[0]), at(_DOWN)):
            s[r, j] = sigmoid(x[r, j])
            slope += _F64(s[r, j] * sigmoid(-x[r, j]))  # 1 - s would cancel where s is near 1
    squares[down, along], slopes[down, along] = square, slope
    cuda.syncthreads()
    if down == at(0) and j < at(x.shape[1]):
        for n in range(at(1), at(_DOWN)):
            square += squares[n, along]
            slope += slopes[n, along]
        reach[j], bend[j] = _F32(square), _F32(slope / _F64(x.shape[0]))


@kernel(
    "float32[:,::1], rows[:,::1], float32[::1], float32[:,::1], float32, boolean, float32[:,::1], "
    "float32[:,::1], float64[::1]",
    _THREADS,
)
def _residuals(mean, v, precision, e, noise, closed, psi, residual, values):
    """From b + W s to a row's residual, and its share of the loss; a row a block."""
    room = cuda.shared.array(_THREADS, numba.float64)
    r, value = at(cuda.blockIdx.x), 0.0
    for i in range(at(cuda.threadIdx.x), at(v.shape[1]), at(cuda.blockDim.x)):
        psi[r, i] = precision[i] * (mean[r, i] - _F32(v[r, i]))
        residual[r, i] = psi[r, i] if closed else psi[r, i] + e[r, i] / noise
        value += _F64(_HALF * residual[r, i] * residual[r, i])
        if closed:
            value -= _F64(precision[i])
    value = block_sum(value, room)
    if cuda.threadIdx.x == 0:
        values[r] = value


@kernel("float32[:,::1], float32[:,::1], float32[::1], boolean, float32[:,::1], float64[::1]", _THREADS)
def _slopes(x, s, reach, closed, slope, values):
    """From the residuals' product with precision W to the slope, in place; a row a block."""
    room = cuda.shared.array(_THREADS, numba.float64)
    r, value = at(cuda.blockIdx.x), 0.0
    for j in range(at(cuda.threadIdx.x), at(x.shape[1]), at(cuda.blockDim.x)):
        off = sigmoid(-x[r, j])
        d = s[r, j] * off
        slope[r, j] *= d
        if closed:
            slope[r, j] += reach[j] * d * (off - s[r, j])
            value += _F64(reach[j] * d)
    value = block_sum(value, room)
    if cuda.threadIdx.x == 0:
        values[r] += value


@kernel(
    "float32[:,::1], float32[:,::1], float32[::1], float32[:,::1], float32[:,::1], float32[::1], "
    "boolean, float32[:,::1], float32[:,::1], float32[::1], float32[::1], float32[::1]",
    _THREADS,
)
def _finish(to_hidden, W, precision, psi, residual, bend, closed, other, gW, gb, gc, g_log_precision):
    """From the rows' means to the ascent direction, in place; a visible unit a block.

    gW: the mean of v slope; other: that of residual s; gb and gc: those of residual and slope.
    """
    room = cuda.shared.array(_THREADS, numba.float64)
    i, t, threads = at(cuda.blockIdx.x), at(cuda.threadIdx.x), at(cuda.blockDim.x)
    if i == at(0):
        for j in range(t, at(gc.size), threads):
            gc[j] = -gc[j]
    if i >= at(W.shape[0]):  # padding
        if t == at(0):
            g_log_precision[i] = _ZERO
        return
    rows, beta, part = at(psi.shape[0]), precision[i], 0.0
    for j in range(t, at(bend.size), threads):
        own = gW[i, j] + (_TWO * to_hidden[i, j] * bend[j] if closed else _ZERO)
        part += _F64(beta) * _F64(W[i, j] * own)
        gW[i, j] = -beta * (own + other[i, j])
    for r in range(t, rows, threads):
        part += _F64(residual[r, i]) * _F64(psi[r, i]) / _F64(rows)
    part = block_sum(part, room)
    if t == at(0):
        gb[i] *= -beta
        g_log_precision[i] = _F32((_F64(beta) if closed else 0.0) - part)


def _means(p, rows, model):
    """The means of rowsᵀ p, of the rows and of p, padded."""
    W, b, c, *halves = (empty(like.shape) for like in (model.W, model.b, model.c, model.b, model.c))
    contrast(p, rows, empty((0, rows.shape[1]), rows.dtype), model.n_hidden, W, b, c, *halves)
    return W, b, c


def score_matching(model, v, noise: float, key: Key | None) -> tuple[Phases, Later]:
    """See `Backend.score_matching`; nine launches, and one more for noise."""
    rows, nv, nh = len(v), model.n_visible, model.n_hidden
    closed = key is None
    zero_h, e = zeros(model.c.size), empty((0 if closed else rows, nv))
    if key is not None:
        zero, one, noised = zeros(nv), upload(np.ones(nv, np.float32)), empty((rows, nv))
        _noised(
            rows, zero, one, v, noise, noised, e, key.seed, int(key.stream) + VISIBLE, key.step, key.chain
        )
        v = noised
    x, s, slope, mean, psi, residual = (empty((rows, n)) for n in (nh, nh, nh, nv, nv, nv))
    reach, bend, values = empty(nh), empty(nh), empty(rows, np.float64)
    layer(model.to_hidden, model.c, v, None, nh, x, LINEAR)
    _bends(-(-nh // _ALONG), model.to_hidden, x, s, reach, bend)
    layer(model.Wt, model.b, s, None, nv, mean, LINEAR)
    _residuals(rows, mean, v, model.precision, e, noise, closed, psi, residual, values)
    layer(model.to_hidden, zero_h, residual, None, nh, slope, LINEAR)
    _slopes(rows, x, s, reach, closed, slope, values)
    gW, v_mean, gc = _means(slope, v, model)
    other, gb, s_mean = _means(s, residual, model)
    g_log_precision = empty(model.b.size)
    _finish(
        model.b.size, model.to_hidden, model.W, model.precision, psi, residual, bend, closed, other, gW,
        gb, gc, g_log_precision,
    )  # fmt: skip
    gradient = {"W": gW, "b": gb, "c": gc, "log_precision": g_log_precision}
    return Phases(gradient, {"b": v_mean, "c": s_mean}), Later(lambda: -float(download(values).mean()))


JOBS = {"score_matching": score_matching}
