"""Noise-contrastive estimation: a classifier's gradient, weighted moments of data and of noise."""

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import NoiseContrast
from ebmbench.models.rbm import free_energy, hidden_probability, softplus


def nce(model, data, noise, data_offset, noise_offset) -> NoiseContrast:
    """See `Backend.nce`."""
    tree = {name: np.zeros_like(getattr(model, name)) for name in ("W", "b", "c")}
    means = {"b": np.zeros_like(model.b), "c": np.zeros_like(model.c)}
    value = log_z = curvature = 0.0
    for v, offset, sign in ((data, data_offset, 1.0), (noise, noise_offset, -1.0)):
        g = -free_energy(model, v) - offset
        wrong = expit(-sign * g)  # the classifier's probability of the wrong answer
        weight = sign * wrong / len(data)
        h = hidden_probability(model, v)
        tree["W"] += v.T @ (weight[:, None] * h)
        tree["b"] += weight @ v
        tree["c"] += weight @ h
        means["b"] += v.mean(axis=0) / 2
        means["c"] += h.mean(axis=0) / 2
        value -= softplus(-sign * g).sum() / len(data)
        log_z -= weight.sum()
        curvature += (wrong * (1.0 - wrong)).sum() / len(data)
    return NoiseContrast(tree, means, float(value), float(log_z), float(curvature))


JOBS = {"nce": nce}
