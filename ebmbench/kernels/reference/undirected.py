"""Every job of undirected models whose units are all visible, from the functions of their kind."""

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import Annealed, Phases, Rows
from ebmbench.kernels.reference import device, flips, nce, update
from ebmbench.kernels.reference.tempering import exchange
from ebmbench.randomness import VISIBLE, Key, uniforms

Groups = Callable[[Any], Iterable[np.ndarray]]


def one_by_one(model) -> Iterable[np.ndarray]:
    """Units each of which is drawn given those before it."""
    return np.arange(model.n_visible)[:, None]


def _sweep(square, b, groups, v, now: Key, base, beta, rest):
    """The rows with every unit drawn at log odds rest base + beta x given the others, and how probable.

    x = b + v square; b: [n], or each row its own, [B, n]; groups: of units that are drawn at once, who
    get the uniforms in the order in which they stand there; beta and rest: one, or one a row, [B].
    """
    v, u, place = v.copy(), uniforms(now, len(v), v.shape[1], VISIBLE), 0
    base, p = np.broadcast_to(base, v.shape[1:]), np.empty(v.shape)
    rest, beta = np.reshape(rest, (-1, 1)), np.reshape(beta, (-1, 1))
    for units in groups:
        x = b[..., units] + v @ square[:, units]
        p[:, units] = expit(rest * base[units] + beta * x)
        v[:, units] = u[:, place : place + len(units)] < p[:, units]
        place += len(units)
    return v, p


def gibbs_by(square: Callable, groups: Groups = one_by_one):
    """The job of a kind of model without hidden units; square(model): what units add to each other."""

    def gibbs(model, v, steps: int, key: Key, beta: float):
        """See `Backend.gibbs`."""
        for t in range(steps):
            now = key.advance(t)
            v, _ = _sweep(square(model), model.b, groups(model), v, now, np.zeros(1), beta, 0.0)
        return v, np.empty((len(v), 0))

    return gibbs


def jobs(law: ModuleType, truth: ModuleType, groups: Groups = one_by_one) -> dict[str, Callable]:
    """All jobs of a kind.

    law: has its `energy`, `square`, `differences`, `gradient` and `statistics`; truth: its `log_z` and
    `moments`.
    """

    def rise(model, base, v):
        """How log f rises along the path, log f_1 - log f_0, [B]."""
        return -law.energy(model, v) - v @ base

    def sweep(model, base, v, now, beta):
        return _sweep(law.square(model), model.b, groups(model), v, now, base, beta, 1 - beta)[0]

    def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key):
        """See `Backend.posterior`."""
        b, square, total = model.b + evidence, law.square(model), np.zeros(v.shape)
        for t in range(sweeps):
            v, p = _sweep(square, b, groups(model), v, key.advance(t), np.zeros(1), 1.0, 0.0)
            if t >= burn_in:
                total += p
        return total / (sweeps - burn_in)

    def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
        """See `Backend.anneal`."""
        if isinstance(start, int):
            v = (uniforms(key, start, model.n_visible, VISIBLE) < expit(base)).astype(np.float64)
        else:
            v = start.copy()
        log_weights = np.zeros(len(v))
        for k in range(1, len(betas)):
            log_weights += (betas[k] - betas[k - 1]) * rise(model, base, v)
            if k < len(betas) - 1:
                v = sweep(model, base, v, key.advance(k), betas[k])
        return Annealed(log_weights, v)

    def temper(model, base, betas, v, steps: int, key: Key):
        """See `Backend.temper`."""
        beta = np.tile(betas, len(v) // len(betas))
        accepted = np.zeros(len(betas) - 1, np.int64)
        for t in range(steps):
            now = key.advance(t)
            v = sweep(model, base, v, now, beta)
            exchange(v, rise(model, base, v), betas, now, accepted)
        return v, accepted

    def means(model, v):
        return law.statistics(model, v, np.full(len(v), 1.0 / len(v)))

    def moments(model, positive, negative, beta) -> Phases:
        """See `Backend.moments`; beta plays no part, as no unit is hidden."""
        return _contrast(means(model, positive), means(model, negative))

    def exact_gradient(model, v):
        """See `Backend.exact_gradient`."""
        log_z, expected = truth.moments(device.get(model))
        return _contrast(means(model, v), expected), log_z

    def weighted(model, v, weights):
        return dict(zip(model.names, law.statistics(model, v, weights), strict=True))

    return {
        "free_energy": law.energy,
        "gibbs": gibbs_by(law.square, groups),
        "posterior": posterior,
        "anneal": anneal,
        "temper": temper,
        "moments": moments,
        "exact_gradient": exact_gradient,
        "log_z": truth.log_z,
        **flips.jobs(law.differences, law.gradient, lambda model, v: {"b": v.mean(axis=0)}),
        "nce": nce.job(law.energy, weighted),
        "zeros": update.zeros,
        "update": update.ascend,
    }


def _contrast(positive, negative) -> Phases:
    return Phases(
        {"R": positive.vv - negative.vv, "b": positive.v - negative.v},
        {"b": (positive.v + negative.v) / 2},
    )
