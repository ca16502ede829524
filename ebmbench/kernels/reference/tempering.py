"""Parallel tempering: ladders of chains that exchange their states."""

import numpy as np
from scipy.special import expit

from ebmbench.models.rbm import energy, hidden_probability, visible_input
from ebmbench.randomness import HIDDEN, SWAPS, VISIBLE, Key, uniforms


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    temperatures = len(betas)
    beta = np.tile(betas, len(v) // temperatures)[:, None]
    accepted = np.zeros(temperatures - 1, np.int64)
    for t in range(steps):
        now = key.advance(t)
        h = uniforms(now, len(v), model.n_hidden, HIDDEN) < hidden_probability(model, v, beta)
        h = h.astype(np.float64)
        p = expit((1 - beta) * base + beta * visible_input(model, h))
        v = (uniforms(now, len(v), model.n_visible, VISIBLE) < p).astype(np.float64)
        d = -energy(model, v, h) - v @ base
        exchange(v, d, betas, now, accepted)
    return v, accepted


def exchange(v, d, betas, now: Key, accepted) -> None:
    """Let every second pair of neighbours exchange their states, in place; d: see `Backend.temper`."""
    temperatures = len(betas)
    for first in range(0, len(v), temperatures):
        u = uniforms(now._replace(chain=now.chain + first), 1, temperatures, SWAPS)[0]
        for pair in range(now.step % 2, temperatures - 1, 2):
            r = first + pair
            log_ratio = (betas[pair + 1] - betas[pair]) * (d[r] - d[r + 1])
            if u[pair] < np.exp(min(log_ratio, 0.0)):
                v[[r, r + 1]] = v[[r + 1, r]]
                accepted[pair] += 1


JOBS = {"temper": temper}
