"""Parameter updates."""

import numpy as np

from ebmbench.kernels.reference.update import apply_mask, ascend, put_mask
from ebmbench.models.gaussian_rbm import TREE
from ebmbench.scalar import LARGEST_PARAMETER


def zeros(model):
    """See `Backend.zeros`."""
    return {name: np.zeros_like(getattr(model, name)) for name in TREE}


def update(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`."""
    variance = 1.0 / model.precision
    scale = {"W": variance[:, None], "b": variance}
    steps = {name: scale.get(name, 1.0) * x for name, x in gradient.items()}
    healthy = ascend(model, velocity, steps, rate, momentum, decay)
    return healthy and bool((np.abs(model.log_precision) < np.log(LARGEST_PARAMETER)).all())


JOBS = {"zeros": zeros, "update": update, "put_mask": put_mask, "mask": apply_mask}
