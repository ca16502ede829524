"""Parameter updates; precision * W follows."""

import numpy as np

from ebmbench.compile import jit
from ebmbench.kernels.cpu import update as binary
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.gaussian.device import scale
from ebmbench.kernels.cpu.threads import launch
from ebmbench.kernels.cpu.update import apply_mask, put_mask
from ebmbench.models.gaussian_rbm import TREE
from ebmbench.scalar import LARGEST_LOG, exp


@jit
def _exponentials(log_precision, precision):
    healthy = True
    for i in range(precision.size):
        precision[i] = exp(log_precision[i])
        healthy &= abs(log_precision[i]) < LARGEST_LOG  # False for NaN
    return healthy


def zeros(model):
    """See `Backend.zeros`."""
    return {name: aligned_zeros(*getattr(model, name).shape) for name in TREE}


def update(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`."""
    variance = np.zeros_like(model.precision)
    variance[: model.n_visible] = 1.0 / model.precision[: model.n_visible]
    steps = dict(gradient)
    if "W" in steps:
        steps["W"] = np.empty_like(model.W)
        launch(scale, model.W.size, gradient["W"], variance, steps["W"])
    if "b" in steps:
        steps["b"] = variance * gradient["b"]
    healthy = binary.update(model, velocity, steps, rate, momentum, decay)
    if "log_precision" in gradient:
        healthy &= _exponentials(model.log_precision, model.precision)
    launch(scale, model.W.size, model.W, model.precision, model.to_hidden)
    return healthy


JOBS = {"zeros": zeros, "update": update, "put_mask": put_mask, "mask": apply_mask}
