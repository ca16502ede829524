"""Annealed importance sampling's chains: sweeps between independent normals and the model."""

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.reference.gaussian.gibbs import draw_between
from ebmbench.models.gaussian_rbm import hidden_input, quadratic
from ebmbench.models.rbm import softplus
from ebmbench.randomness import HIDDEN, VISIBLE, Key, normals, uniforms


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    mean, precision = base
    if isinstance(start, int):
        v = mean + normals(key, start, model.n_visible, VISIBLE) / np.sqrt(precision)
    else:
        v = start.copy()
    chains = len(v)
    log_weights = np.zeros(chains)
    for k in range(1, len(betas)):
        beta, before = betas[k], betas[k - 1]
        x = hidden_input(model, v)
        gain = quadratic(mean, precision, v) - quadratic(model.b, model.precision, v)
        log_weights += (beta - before) * gain
        log_weights += (softplus(beta * x) - softplus(before * x)).sum(axis=1)
        if k == len(betas) - 1:
            break
        now = key.advance(k)
        h = (uniforms(now, chains, model.n_hidden, HIDDEN) < expit(beta * x)).astype(np.float64)
        v = draw_between(model, base, h, beta, now)
    return Annealed(log_weights, v)


JOBS = {"anneal": anneal}
