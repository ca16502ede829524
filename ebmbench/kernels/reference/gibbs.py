"""Block Gibbs sampling: sweeps v -> h -> v."""

import numpy as np

from ebmbench.models.rbm import hidden_probability, visible_probability
from ebmbench.randomness import HIDDEN, VISIBLE, Key, uniforms


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    rows = len(v)
    for t in range(steps):
        now = key.advance(t)
        h = uniforms(now, rows, model.n_hidden, HIDDEN) < hidden_probability(model, v, beta)
        h = h.astype(np.float64)
        v = uniforms(now, rows, model.n_visible, VISIBLE) < visible_probability(model, h, beta)
        v = v.astype(np.float64)
    return v, h


JOBS = {"gibbs": gibbs}
