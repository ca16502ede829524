"""Pseudolikelihood and ratio matching: objectives over single flips of v."""

import numpy as np

from ebmbench.kernels.api import Phases
from ebmbench.models import flips
from ebmbench.models.rbm import hidden_probability


def _job(objective: flips.Objective, differences, gradient, means):
    def job(model, v, bits):
        d = differences(model, v)
        weights, values = objective.weight(d), objective.value(d)
        if bits is not None:  # one bit a row stands for all of them
            only = np.zeros_like(d)
            only[np.arange(len(v)), bits] = model.n_visible
            weights, values = weights * only, values * only
        phases = Phases(gradient(model, v, weights), means(model, v))
        return phases, float(values.sum(axis=1).mean())

    return job


def jobs(differences, gradient, means):
    """Both objectives for a kind of model, from its functions like those of `models.flips`."""
    return {
        "pseudolikelihood": _job(flips.PSEUDOLIKELIHOOD, differences, gradient, means),
        "ratio_matching": _job(flips.RATIO_MATCHING, differences, gradient, means),
    }


def _means(model, v):
    return {"b": v.mean(axis=0), "c": hidden_probability(model, v).mean(axis=0)}


JOBS = jobs(flips.differences, flips.gradient, _means)
