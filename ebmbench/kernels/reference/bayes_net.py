"""Every job of the Bayesian network whose units are all visible."""

from ebmbench.kernels.api import Phases
from ebmbench.kernels.reference import update
from ebmbench.kernels.reference.undirected import gibbs_by
from ebmbench.models import bayes_net


def moments(model, positive, negative, beta) -> Phases:
    """See `Backend.moments`; beta plays no part, as no unit is hidden."""
    plus, minus = (bayes_net.gradient(model, rows) for rows in (positive, negative))
    gradient = {name: plus[name] - minus[name] for name in plus}
    return Phases(gradient, {"b": (positive.mean(axis=0) + negative.mean(axis=0)) / 2})


def exact_gradient(model, v):
    """See `Backend.exact_gradient`: nothing is enumerated, as log Z is 0."""
    return Phases(bayes_net.gradient(model, v), {"b": v.mean(axis=0) / 2}), 0.0


JOBS = {
    "free_energy": bayes_net.energy,
    "gibbs": gibbs_by(lambda model: model.W),
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": bayes_net.log_z,
    "zeros": update.zeros,
    "update": update.ascend,
}
