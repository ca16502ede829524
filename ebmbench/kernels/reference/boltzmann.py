"""Every job of the Boltzmann machine, with visible units only or the `whole` of a general one."""

import numpy as np

from ebmbench.kernels.reference import meanfield
from ebmbench.kernels.reference.undirected import jobs
from ebmbench.models import boltzmann, general


def centre(gradient, means, offsets, sliding, mask) -> None:
    """See `Backend.centre`; R's square, R + Rᵀ, stands for W and b for both biases."""
    offsets["b"] += sliding * (means["b"] - offsets["b"])
    mu, b = offsets["b"], gradient["b"]
    gradient["R"] -= np.triu(np.outer(mu, b) + np.outer(b, mu), 1)
    gradient["b"] -= (gradient["R"] + gradient["R"].T) @ mu


JOBS = jobs(boltzmann, boltzmann) | {
    "centre": centre,
    "mean_field": meanfield.by_rows(general.mean_field),
}
