"""Every job of the Bayesian network whose units are all visible."""

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import Phases
from ebmbench.kernels.reference import update
from ebmbench.kernels.reference.undirected import gibbs_by
from ebmbench.models import bayes_net
from ebmbench.randomness import VISIBLE, Key, uniforms


def moments(model, positive, negative, beta) -> Phases:
    """See `Backend.moments`; beta plays no part, as no unit is hidden."""
    plus, minus = (bayes_net.gradient(model, rows) for rows in (positive, negative))
    gradient = {name: plus[name] - minus[name] for name in plus}
    return Phases(gradient, {"b": (positive.mean(axis=0) + negative.mean(axis=0)) / 2})


def exact_gradient(model, v):
    """See `Backend.exact_gradient`: nothing is enumerated, as log Z is 0."""
    return Phases(bayes_net.gradient(model, v), {"b": v.mean(axis=0) / 2}), 0.0


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key):
    """See `Backend.posterior`."""
    v, total = v.copy(), np.zeros(v.shape)
    for t in range(sweeps):
        u = uniforms(key.advance(t), len(v), model.n_visible, VISIBLE)
        x = bayes_net.unit_input(model, v)
        for i in range(model.n_visible):
            p = expit(bayes_net.input_given_rest(model, v, x, i) + evidence[:, i])
            change = (u[:, i] < p) - v[:, i]
            v[:, i] += change
            x += change[:, None] * model.W[i]
            if t >= burn_in:
                total[:, i] += p
    return total / (sweeps - burn_in)


JOBS = {
    "free_energy": bayes_net.energy,
    "gibbs": gibbs_by(lambda model: model.W),
    "posterior": posterior,
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": bayes_net.log_z,
    "zeros": update.zeros,
    "update": update.ascend,
}
