"""Pseudolikelihood and ratio matching: objectives over single flips of v."""

import numpy as np

from ebmbench.kernels.api import Phases
from ebmbench.models import flips
from ebmbench.models.rbm import hidden_probability


def _job(objective: flips.Objective):
    def job(model, v, bits):
        d = flips.differences(model, v)
        weights, values = objective.weight(d), objective.value(d)
        if bits is not None:  # one bit a row stands for all of them
            only = np.zeros_like(d)
            only[np.arange(len(v)), bits] = model.n_visible
            weights, values = weights * only, values * only
        means = {"b": v.mean(axis=0), "c": hidden_probability(model, v).mean(axis=0)}
        return Phases(flips.gradient(model, v, weights), means), float(values.sum(axis=1).mean())

    return job


JOBS = {
    "pseudolikelihood": _job(flips.PSEUDOLIKELIHOOD),
    "ratio_matching": _job(flips.RATIO_MATCHING),
}
