"""Conditionals, free energy and the moments that gradients are made of."""

import numpy as np

from ebmbench.kernels.api import Phases
from ebmbench.models import rbm
from ebmbench.models.enumerate import Moments


def moments(model, positive, negative, beta) -> Phases:
    """See `Backend.moments`."""
    return phases(means(model, positive, beta), means(model, negative, beta))


def means(model, v, beta=1.0) -> Moments:
    """Mean of v p(h|v), v and p(h|v) over the rows v."""
    h = rbm.hidden_probability(model, v, beta)
    return Moments(v.T @ h / len(v), v.mean(axis=0), h.mean(axis=0))


def phases(positive: Moments, negative: Moments) -> Phases:
    """The contrast of two phases as named trees."""
    return Phases(
        {
            "W": positive.vh - negative.vh,
            "b": positive.v - negative.v,
            "c": positive.h - negative.h,
        },
        {"b": (positive.v + negative.v) / 2, "c": (positive.h + negative.h) / 2},
    )


JOBS = {
    "hidden_input": rbm.hidden_input,
    "visible_input": rbm.visible_input,
    "hidden_probability": rbm.hidden_probability,
    "visible_probability": rbm.visible_probability,
    "free_energy": lambda model, v: np.asarray(rbm.free_energy(model, v)),
    "moments": moments,
}
