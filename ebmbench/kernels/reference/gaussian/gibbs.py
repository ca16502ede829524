"""Block Gibbs sampling: sweeps v -> h -> v, v with its noise."""

import numpy as np

from ebmbench.models.gaussian_rbm import hidden_probability, visible_mean
from ebmbench.randomness import HIDDEN, VISIBLE, Key, normals, uniforms


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    rows = len(v)
    for t in range(steps):
        now = key.advance(t)
        h = uniforms(now, rows, model.n_hidden, HIDDEN) < hidden_probability(model, v, beta)
        h = h.astype(np.float64)
        noise = normals(now, rows, model.n_visible, VISIBLE) / np.sqrt(beta * model.precision)
        v = visible_mean(model, h) + noise
    return v, h


def draw_between(model, base, h, beta, key: Key):
    """v given h on the path (1 - beta) E_base + beta E; beta: one, or [rows, 1]."""
    mean, precision = base
    old, new = (1 - beta) * precision, beta * model.precision
    centre = (old * mean + new * visible_mean(model, h)) / (old + new)
    return centre + normals(key, len(h), model.n_visible, VISIBLE) / np.sqrt(old + new)


JOBS = {"gibbs": gibbs}
