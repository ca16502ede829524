"""Block Gibbs sampling: sweeps v -> h -> v, and their halves."""

import numpy as np
from scipy.special import expit

from ebmbench.models.rbm import hidden_probability, visible_input, visible_probability
from ebmbench.randomness import HIDDEN, VISIBLE, Key, uniforms


def sample_hidden(model, v, key: Key, beta: float):
    """See `Backend.sample_hidden`."""
    u = uniforms(key, len(v), model.n_hidden, HIDDEN)
    return (u < hidden_probability(model, v, beta)).astype(np.float64)


def sample_visible(model, h, key: Key, beta: float):
    """See `Backend.sample_visible`."""
    u = uniforms(key, len(h), model.n_visible, VISIBLE)
    return (u < visible_probability(model, h, beta)).astype(np.float64)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    for t in range(steps):
        h = sample_hidden(model, v, key.advance(t), beta)
        v = sample_visible(model, h, key.advance(t), beta)
    return v, h


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key):
    """See `Backend.posterior`."""
    total = np.zeros(v.shape)
    for t in range(sweeps):
        now = key.advance(t)
        p = expit(visible_input(model, sample_hidden(model, v, now, 1.0)) + evidence)
        v = (uniforms(now, len(v), model.n_visible, VISIBLE) < p).astype(np.float64)
        if t >= burn_in:
            total += p
    return total / (sweeps - burn_in)


JOBS = {
    "gibbs": gibbs,
    "posterior": posterior,
    "sample_hidden": sample_hidden,
    "sample_visible": sample_visible,
}
