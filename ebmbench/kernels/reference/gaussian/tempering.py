"""Parallel tempering: ladders of chains that exchange their states."""

import numpy as np

from ebmbench.kernels.reference.gaussian.gibbs import draw_between
from ebmbench.kernels.reference.tempering import exchange
from ebmbench.models.gaussian_rbm import energy, hidden_probability, quadratic
from ebmbench.randomness import HIDDEN, Key, uniforms


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    beta = np.tile(betas, len(v) // len(betas))[:, None]
    accepted = np.zeros(len(betas) - 1, np.int64)
    for t in range(steps):
        now = key.advance(t)
        h = uniforms(now, len(v), model.n_hidden, HIDDEN) < hidden_probability(model, v, beta)
        h = h.astype(np.float64)
        v = draw_between(model, base, h, beta, now)
        d = quadratic(base[0], base[1], v) - energy(model, v, h)
        exchange(v, d, betas, now, accepted)
    return v, accepted


JOBS = {"temper": temper}
