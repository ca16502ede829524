"""What a network is trained on: losses of a batch, their derivatives, and a tally that nobody waits for.

One block does a whole batch, so that the tally is one sum in a fixed order, and one launch. Bound by
latency, as a prediction for an H200: 100 rows of 10 outputs 3 us, and 10,000 rows of them, of which a
block does 112 at once, 0.1 ms, beside 0.3 ms of a product that makes them from 1,000 units.
"""

import math

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Loss
from ebmbench.kernels.cuda.block import THREADS, block_sum
from ebmbench.kernels.cuda.launch import SIMULATED, device, kernel
from ebmbench.kernels.cuda.memory import Array, empty
from ebmbench.kernels.cuda.tile import at
from ebmbench.models.mlp import Activations
from ebmbench.scalar import exp, sigmoid, softplus64

# Rows at once, and threads that share one: neighbours read neighbouring outputs.
_DOWN, _ALONG = (2, 2) if SIMULATED else (THREADS // 8, 8)
_F32, _F64 = np.float32, np.float64
_LOWEST, _ZERO, _ONE = _F32(-np.inf), _F32(0.0), _F32(1.0)
_ROW, _THREADS = (_DOWN, _ALONG), _DOWN * _ALONG


@kernel("float32[:,::1], rows[:,::1], float32[:,::1], float64[::1]", _THREADS)
def _cross_entropy(x, targets, delta, tally):
    """A row is told right where its largest output and its largest target, each the first, are one."""
    room = cuda.shared.array(_THREADS, numba.float64)
    # One a line: by that the simulator tells them apart.
    largest = cuda.shared.array(_ROW, numba.float32)
    chosen = cuda.shared.array(_ROW, numba.uint64)
    likeliest = cuda.shared.array(_ROW, numba.float32)
    right = cuda.shared.array(_ROW, numba.uint64)
    sums = cuda.shared.array(_ROW, numba.float64)
    weights = cuda.shared.array(_ROW, numba.float64)
    threads, across = at(_ALONG), at(_DOWN)
    down, along = at(cuda.threadIdx.x) // threads, at(cuda.threadIdx.x) % threads
    rows, units = at(x.shape[0]), at(x.shape[1])
    value, wrong = 0.0, 0.0
    for first in range(at(0), rows, across):  # every thread takes part in every barrier
        r = first + down
        inside = r < rows
        most, best, top, true, weight = _LOWEST, units, _LOWEST, units, 0.0
        if inside:
            for k in range(along, units, threads):
                if x[r, k] > most:
                    most, best = x[r, k], k
                if _F32(targets[r, k]) > top:
                    top, true = _F32(targets[r, k]), k
                weight += _F64(targets[r, k])
        cuda.syncthreads()  # nobody reads the rows before any more
        largest[down, along], chosen[down, along] = most, best
        likeliest[down, along], right[down, along] = top, true
        weights[down, along] = weight
        cuda.syncthreads()
        weight = 0.0
        for n in range(threads):
            other, where = largest[down, n], chosen[down, n]
            if other > most or (other == most and where < best):
                most, best = other, where
            other, where = likeliest[down, n], right[down, n]
            if other > top or (other == top and where < true):
                top, true = other, where
            weight += weights[down, n]
        total = 0.0
        if inside:
            for k in range(along, units, threads):
                total += _F64(exp(_F32(x[r, k] - most)))
        sums[down, along] = total
        cuda.syncthreads()
        total = 0.0
        for n in range(threads):
            total += sums[down, n]
        if inside:
            norm = math.log(total)
            for k in range(along, units, threads):
                away = _F32(x[r, k] - most)
                t = _F64(targets[r, k])
                value += t * (_F64(away) - norm)
                delta[r, k] = _F32((t - weight * (_F64(exp(away)) / total)) / _F64(rows))
            if along == at(0) and best != true:
                wrong += 1.0
    cuda.syncthreads()
    value, wrong = block_sum(value, room), block_sum(wrong, room)
    if cuda.threadIdx.x == 0:
        tally[0] = value / _F64(rows)
        tally[1] = wrong


@device
def _row(x, inner, outer, rows):
    """A row's share of the mean of outer softplus(inner x) over so many, and its derivative."""
    y = _F32(inner * x)
    return _F64(outer) * softplus64(_F64(y)) / _F64(rows), outer * inner * sigmoid(y) / _F32(rows)


@kernel("float32[:,::1], float32, float32, float32[:,::1], float64[::1]")
def _logistic(x, inner, outer, delta, tally):
    room = cuda.shared.array(256, numba.float64)
    rows = at(x.shape[0])
    value, above = 0.0, 0.0
    for r in range(at(cuda.threadIdx.x), rows, at(cuda.blockDim.x)):
        part, delta[r, 0] = _row(x[r, 0], inner, outer, rows)
        value += part
        if x[r, 0] > _ZERO:
            above += 1.0
    value, above = block_sum(value, room), block_sum(above, room)
    if cuda.threadIdx.x == 0:
        tally[0], tally[1] = value, above


@kernel("float32[:,::1], uint64, float32[:,::1], float64[::1]")
def _payoff(x, data, delta, tally):
    room = cuda.shared.array(256, numba.float64)
    rows = at(x.shape[0])
    value, known, mistaken = 0.0, 0.0, 0.0
    for r in range(at(cuda.threadIdx.x), rows, at(cuda.blockDim.x)):
        ours = r < data
        part, delta[r, 0] = _row(x[r, 0], -_ONE if ours else _ONE, -_ONE, data if ours else rows - data)
        value += part
        if x[r, 0] > _ZERO and ours:
            known += 1.0
        if x[r, 0] > _ZERO and not ours:
            mistaken += 1.0
    value, known, mistaken = block_sum(value, room), block_sum(known, room), block_sum(mistaken, room)
    if cuda.threadIdx.x == 0:
        tally[0], tally[1], tally[2] = value, known, mistaken


def _room(activations: Activations, numbers: int) -> tuple[Array, Loss]:
    """The outputs, and where a loss of them goes."""
    outputs = activations.outputs
    return outputs, Loss(empty(outputs.shape), empty(numbers, np.float64))


def cross_entropy(model, activations: Activations, targets: Array) -> Loss:
    """See `Backend.cross_entropy`; one launch."""
    outputs, loss = _room(activations, 2)
    _cross_entropy(1, outputs, targets, *loss)
    return loss


def logistic(model, activations: Activations, inner: float, outer: float) -> Loss:
    """See `Backend.logistic`; one launch."""
    outputs, loss = _room(activations, 2)
    _logistic(1, outputs, inner, outer, *loss)
    return loss


def payoff(model, activations: Activations, data: int) -> Loss:
    """See `Backend.payoff`; one launch."""
    outputs, loss = _room(activations, 3)
    _payoff(1, outputs, data, *loss)
    return loss
