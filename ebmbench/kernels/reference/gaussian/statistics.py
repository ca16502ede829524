"""Conditionals, free energy, and the gradients that moments give."""

from ebmbench.kernels.api import Phases
from ebmbench.models import gaussian_enumerate as exact
from ebmbench.models import gaussian_rbm as rbm
from ebmbench.models.gaussian_rbm import GaussianRBM, Moments


def phases(model, positive: Moments, negative: Moments) -> Phases:
    """The contrast of two phases as named trees."""
    means = {"b": (positive.v + negative.v) / 2, "c": (positive.h + negative.h) / 2}
    return Phases(rbm.contrast(model, positive, negative), means)


def moments(model, positive, negative, beta) -> Phases:
    """See `Backend.moments`; beta is 1."""
    return phases(model, rbm.mean_moments(model, positive), rbm.mean_moments(model, negative))


def exact_gradient(model, v):
    """See `Backend.exact_gradient`."""
    log_z, expected = exact.moments(GaussianRBM(model.W, model.b, model.c, model.precision))
    return phases(model, rbm.mean_moments(model, v), expected), log_z


JOBS = {
    "hidden_input": rbm.hidden_input,
    "visible_input": rbm.visible_mean,
    "hidden_probability": rbm.hidden_probability,
    "free_energy": rbm.free_energy,
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": exact.log_z,
}
