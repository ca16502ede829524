"""What a network's outputs are worth: objectives of a batch and their derivatives by the outputs."""

import math

import numpy as np

from ebmbench.compile import jit
from ebmbench.kernels.api import Loss
from ebmbench.scalar import exp, sigmoid, softplus64


@jit
def _cross_entropy(outputs, targets, delta, tally):
    """See `models.mlp.cross_entropy`; outputs: [B, at least classes]; targets, delta: [B, classes]."""
    rows, classes = delta.shape
    per_row = np.float32(1.0 / rows)
    value, wrong = 0.0, 0
    p = np.empty(classes, np.float32)
    for r in range(rows):
        x, target, d = outputs[r, :classes], targets[r], delta[r]
        most, likeliest = 0, 0
        for k in range(1, classes):
            most = k if x[k] > x[most] else most
            likeliest = k if target[k] > target[likeliest] else likeliest
        wrong += most != likeliest
        for k in range(classes):
            p[k] = exp(np.float32(x[k] - x[most]))
        total, weight, along = 0.0, 0.0, 0.0
        for k in range(classes):
            total += np.float64(p[k])
            weight += np.float64(target[k])
            along += np.float64(target[k]) * (np.float64(x[k]) - np.float64(x[most]))
        value += along - weight * math.log(total)
        share = np.float32(weight / total)
        for k in range(classes):
            d[k] = (np.float32(target[k]) - share * p[k]) * per_row
    tally[0], tally[1] = value / rows, wrong


@jit
def _logistic(x, inner, outer, delta):
    """Sum of outer softplus(inner x) over rows, whose derivative divided by all of delta's is delta."""
    value = 0.0
    scale = np.float32(outer * inner / x.shape[0])
    for r in range(x.shape[0]):
        value += softplus64(inner * np.float64(x[r, 0]))
        delta[r, 0] = scale * sigmoid(np.float32(np.float32(inner) * x[r, 0]))
    return outer * value


@jit
def _above_zero(x):
    count = 0
    for r in range(x.shape[0]):
        count += x[r, 0] > np.float32(0.0)
    return count


def cross_entropy(model, activations, targets) -> Loss:
    """See `Backend.cross_entropy`."""
    outputs = activations.outputs
    delta, tally = np.empty(targets.shape, np.float32), np.empty(2)
    _cross_entropy(outputs, targets, delta, tally)
    return Loss(delta, tally)


def logistic(model, activations, inner, outer) -> Loss:
    """See `Backend.logistic`."""
    x = activations.outputs
    delta = np.empty((len(x), 1), np.float32)
    value = _logistic(x, float(inner), float(outer), delta)
    return Loss(delta, np.array([value / len(x), _above_zero(x)]))


def payoff(model, activations, data) -> Loss:
    """See `Backend.payoff`."""
    x = activations.outputs
    delta = np.empty((len(x), 1), np.float32)
    known = _logistic(x[:data], -1.0, -1.0, delta[:data])
    made = _logistic(x[data:], 1.0, -1.0, delta[data:])
    counts = _above_zero(x[:data]), _above_zero(x[data:])
    return Loss(delta, np.array([known / data + made / (len(x) - data), *counts]))


JOBS = {"cross_entropy": cross_entropy, "logistic": logistic, "payoff": payoff}
