"""Every job of the Boltzmann machine whose units are all visible."""

import numpy as np

from ebmbench.kernels.api import Phases
from ebmbench.kernels.reference import device, flips, nce, update
from ebmbench.models import boltzmann
from ebmbench.randomness import VISIBLE, Key, uniforms


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`: each sweep draws the units one after the other, in their order."""
    v = v.copy()
    for t in range(steps):
        u = uniforms(key.advance(t), len(v), model.n_visible, VISIBLE)
        for i in range(model.n_visible):
            v[:, i] = u[:, i] < boltzmann.unit_probability(model, v, beta)[:, i]
    return v, np.empty((len(v), 0))


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
    "gibbs": gibbs,
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": boltzmann.log_z,
    **flips.jobs(boltzmann.differences, boltzmann.gradient, lambda model, v: {"b": v.mean(axis=0)}),
    "nce": nce.job(boltzmann.energy, _weighted),
    "zeros": update.zeros,
    "update": update.ascend,
}
