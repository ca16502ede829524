"""Exact truth for a Gaussian-Bernoulli RBM: v integrated in closed form, h summed over all its states.

Integrating v out of e**-E leaves a Boltzmann machine of the hidden units,
log p(h) = const + (c + Wᵀ B b).h + h.(Wᵀ B W)h / 2, and log Z has the normals' log sqrt(2 pi / B) too.
All moments of v follow from those of h, since v given h is normal with mean b + Wh.
"""

import numpy as np
from scipy.special import logsumexp

from ebmbench.models.enumerate import blocks, check_enumerable, drawn_states
from ebmbench.models.gaussian_rbm import GaussianRBM, Moments, visible_mean
from ebmbench.models.rbm import Array
from ebmbench.randomness import HIDDEN, VISIBLE, Key, normals


def log_normaliser(precision: Array) -> float:
    """Log of the integral of e**-(sum_i precision_i v_i**2 / 2) over v, nats."""
    return float(0.5 * np.log(2.0 * np.pi / precision).sum())


def hidden_weights(model: GaussianRBM, h: Array) -> Array:
    """Log of the integral of e**-E(v, h) over v for states h [B, n_hidden], nats, [B]."""
    scaled = model.precision[:, None] * model.W
    return log_normaliser(model.precision) + h @ (model.c + scaled.T @ model.b) + _pairs(model, h)


def _pairs(model: GaussianRBM, h: Array) -> Array:
    through = h @ model.W.T
    return 0.5 * (through**2 @ model.precision)


def log_z(model: GaussianRBM) -> float:
    """Log Z, nats."""
    check_enumerable(model)
    return float(logsumexp([logsumexp(hidden_weights(model, s)) for s in blocks(model.n_hidden)]))


def moments(model: GaussianRBM) -> tuple[float, Moments]:
    """Log Z and the model's expected v h, v, v**2 and h (the negative phase of the exact gradient)."""
    total = log_z(model)
    h, hh = np.zeros_like(model.c), np.zeros((model.n_hidden, model.n_hidden))
    for s in blocks(model.n_hidden):
        p = np.exp(hidden_weights(model, s) - total)
        h += p @ s
        hh += (p[:, None] * s).T @ s
    return total, moments_from_hidden(model, h, hh)


def moments_from_hidden(model: GaussianRBM, h: Array, hh: Array) -> Moments:
    """The expectations of `Moments` from those of h [n_hidden] and of h hᵀ [n_hidden, n_hidden]."""
    through = model.W @ h  # E[Wh]
    squares = ((model.W @ hh) * model.W).sum(axis=1)  # E[(Wh)**2]
    return Moments(
        np.outer(model.b, h) + model.W @ hh,
        model.b + through,
        1.0 / model.precision + model.b**2 + 2 * model.b * through + squares,
        h,
    )


def draws(model: GaussianRBM, count: int, key: Key) -> Array:
    """Independent draws of v, float64 [count, n_visible], from the model's exact law."""
    return joint_draws(model, count, key)[0]


def joint_draws(model: GaussianRBM, count: int, key: Key) -> tuple[Array, Array]:
    """Independent draws (v, h) from the model's exact law: h by inversion of its law, v given h.

    Row r is chain key.chain + r; h takes two uniforms of layer HIDDEN, v normal variates of VISIBLE.
    """
    check_enumerable(model)
    h = drawn_states(lambda s: hidden_weights(model, s), model.n_hidden, count, key, HIDDEN)
    noise = normals(key, count, model.n_visible, VISIBLE) / np.sqrt(model.precision)
    return visible_mean(model, h) + noise, h
