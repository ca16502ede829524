"""Annealed importance sampling's chains: sweeps between a base-rate model and the model."""

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import Annealed, Rows
from ebmbench.models.rbm import hidden_input, softplus, visible_input
from ebmbench.randomness import HIDDEN, VISIBLE, Key, uniforms


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    if isinstance(start, int):
        v = (uniforms(key, start, model.n_visible, VISIBLE) < expit(base)).astype(np.float64)
    else:
        v = start.copy()
    chains = len(v)
    log_weights = np.zeros(chains)
    for k in range(1, len(betas)):
        beta, before = betas[k], betas[k - 1]
        x = hidden_input(model, v)
        log_weights += (beta - before) * (v @ (model.b - base))
        log_weights += (softplus(beta * x) - softplus(before * x)).sum(axis=1)
        if k == len(betas) - 1:
            break
        now = key.advance(k)
        h = (uniforms(now, chains, model.n_hidden, HIDDEN) < expit(beta * x)).astype(np.float64)
        p = expit((1 - beta) * base + beta * visible_input(model, h))
        v = (uniforms(now, chains, model.n_visible, VISIBLE) < p).astype(np.float64)
    return Annealed(log_weights, v)


JOBS = {"anneal": anneal}
