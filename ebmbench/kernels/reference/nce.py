"""Noise-contrastive estimation: a classifier's gradient, weighted moments of data and of noise."""

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import NoiseContrast
from ebmbench.models.rbm import free_energy, hidden_probability, softplus


def job(free_energy, weighted):
    """The job for a kind of model.

    weighted(model, v, weights) is the sum over rows of weights [B] times -dF/dparameter, as a tree.
    """

    def nce(model, data, noise, data_offset, noise_offset) -> NoiseContrast:
        """See `Backend.nce`."""
        gradients, means = [], []
        value = log_z = curvature = 0.0
        for v, offset, sign in ((data, data_offset, 1.0), (noise, noise_offset, -1.0)):
            g = -free_energy(model, v) - offset
            wrong = expit(-sign * g)  # the classifier's probability of the wrong answer
            weight = sign * wrong / len(data)
            gradients.append(weighted(model, v, weight))
            means.append(weighted(model, v, np.full(len(v), 0.5 / len(v))))
            value -= softplus(-sign * g).sum() / len(data)
            log_z -= weight.sum()
            curvature += (wrong * (1.0 - wrong)).sum() / len(data)
        tree = {name: plus + gradients[1][name] for name, plus in gradients[0].items()}
        biases = {name: plus + means[1][name] for name, plus in means[0].items() if name in ("b", "c")}
        return NoiseContrast(tree, biases, float(value), float(log_z), float(curvature))

    return nce


def _weighted(model, v, weights):
    h = hidden_probability(model, v)
    return {"W": v.T @ (weights[:, None] * h), "b": weights @ v, "c": weights @ h}


JOBS = {"nce": job(free_energy, _weighted)}
