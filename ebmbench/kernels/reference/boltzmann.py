"""Every job of the Boltzmann machine whose units are all visible."""

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import Annealed, Phases, Rows
from ebmbench.kernels.reference import device, flips, nce, update
from ebmbench.kernels.reference.tempering import exchange
from ebmbench.models import boltzmann
from ebmbench.randomness import VISIBLE, Key, uniforms


def gibbs_by(square):
    """The job of a kind of model without hidden units; square(model): what units add to each other."""

    def gibbs(model, v, steps: int, key: Key, beta: float):
        """See `Backend.gibbs`: each sweep draws the units one after the other, in their order."""
        for t in range(steps):
            v = _sweep(square(model), model.b, v, key.advance(t), np.zeros(1), beta, 0.0)
        return v, np.empty((len(v), 0))

    return gibbs


def _sweep(square, b, v, now: Key, base, beta, rest):
    """The rows with every unit drawn at log odds rest base + beta x given the others as they stand.

    x = b + v square; beta and rest: one, or one a row, [B].
    """
    v = v.copy()
    u, base = uniforms(now, len(v), v.shape[1], VISIBLE), np.broadcast_to(base, b.shape)
    for i in range(v.shape[1]):
        v[:, i] = u[:, i] < expit(rest * base[i] + beta * (b[i] + v @ square[:, i]))
    return v


def _rise(model, base, v):
    """How log f rises along the path, log f_1 - log f_0, [B]."""
    return -boltzmann.energy(model, v) - v @ base


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    if isinstance(start, int):
        v = (uniforms(key, start, model.n_visible, VISIBLE) < expit(base)).astype(np.float64)
    else:
        v = start.copy()
    log_weights = np.zeros(len(v))
    for k in range(1, len(betas)):
        log_weights += (betas[k] - betas[k - 1]) * _rise(model, base, v)
        if k < len(betas) - 1:
            beta = betas[k]
            v = _sweep(boltzmann.square(model), model.b, v, key.advance(k), base, beta, 1 - beta)
    return Annealed(log_weights, v)


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    beta = np.tile(betas, len(v) // len(betas))
    accepted = np.zeros(len(betas) - 1, np.int64)
    for t in range(steps):
        now = key.advance(t)
        v = _sweep(boltzmann.square(model), model.b, v, now, base, beta, 1 - beta)
        exchange(v, _rise(model, base, v), betas, now, accepted)
    return v, accepted


def moments(model, positive, negative, beta) -> Phases:
    """See `Backend.moments`; beta plays no part, as no unit is hidden."""
    return _contrast(_means(positive), _means(negative))


def exact_gradient(model, v):
    """See `Backend.exact_gradient`."""
    log_z, expected = boltzmann.moments(device.get(model))
    return _contrast(_means(v), expected), log_z


def _means(v):
    return boltzmann.statistics(v, np.full(len(v), 1.0 / len(v)))


def _weighted(model, v, weights):
    return dict(zip(model.names, boltzmann.statistics(v, weights), strict=True))


def _contrast(positive, negative) -> Phases:
    return Phases(
        {"R": positive.vv - negative.vv, "b": positive.v - negative.v},
        {"b": (positive.v + negative.v) / 2},
    )


JOBS = {
    "free_energy": boltzmann.energy,
    "gibbs": gibbs_by(boltzmann.square),
    "anneal": anneal,
    "temper": temper,
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": boltzmann.log_z,
    **flips.jobs(boltzmann.differences, boltzmann.gradient, lambda model, v: {"b": v.mean(axis=0)}),
    "nce": nce.job(boltzmann.energy, _weighted),
    "zeros": update.zeros,
    "update": update.ascend,
}
