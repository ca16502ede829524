"""Block Gibbs sampling: sweeps v -> h -> v, v with its noise, and their halves."""

import numpy as np

from ebmbench.models.gaussian_rbm import hidden_probability, visible_mean
from ebmbench.randomness import HIDDEN, VISIBLE, Key, normals, uniforms


def sample_hidden(model, v, key: Key, beta: float):
    """See `Backend.sample_hidden`."""
    u = uniforms(key, len(v), model.n_hidden, HIDDEN)
    return (u < hidden_probability(model, v, beta)).astype(np.float64)


def sample_visible(model, h, key: Key, beta: float):
    """See `Backend.sample_visible`."""
    noise = normals(key, len(h), model.n_visible, VISIBLE) / np.sqrt(beta * model.precision)
    return visible_mean(model, h) + noise


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    for t in range(steps):
        h = sample_hidden(model, v, key.advance(t), beta)
        v = sample_visible(model, h, key.advance(t), beta)
    return v, h


def draw_between(model, base, h, beta, key: Key):
    """v given h on the path (1 - beta) E_base + beta E; beta: one, or [rows, 1]."""
    mean, precision = base
    old, new = (1 - beta) * precision, beta * model.precision
    centre = (old * mean + new * visible_mean(model, h)) / (old + new)
    return centre + normals(key, len(h), model.n_visible, VISIBLE) / np.sqrt(old + new)


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key):
    """See `Backend.posterior`."""
    seen, precision = np.hsplit(evidence, 2)
    both, total = model.precision + precision, np.zeros(v.shape)
    for t in range(sweeps):
        now = key.advance(t)
        mean = visible_mean(model, sample_hidden(model, v, now, 1.0))
        mean = (model.precision * mean + precision * seen) / both
        v = mean + normals(now, len(v), model.n_visible, VISIBLE) / np.sqrt(both)
        if t >= burn_in:
            total += mean
    return total / (sweeps - burn_in)


JOBS = {
    "gibbs": gibbs,
    "posterior": posterior,
    "sample_hidden": sample_hidden,
    "sample_visible": sample_visible,
}
