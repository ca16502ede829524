"""Block Gibbs sampling: sweeps v -> h -> v, and their halves."""

import numpy as np

from ebmbench.models.rbm import hidden_probability, visible_probability
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


JOBS = {"gibbs": gibbs, "sample_hidden": sample_hidden, "sample_visible": sample_visible}
