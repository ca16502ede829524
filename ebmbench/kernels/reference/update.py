"""Parameter updates and the centring of gradients."""

import numpy as np

from ebmbench.scalar import LARGEST_PARAMETER


def zeros(model):
    """See `Backend.zeros`."""
    return {name: np.zeros_like(getattr(model, name)) for name in model.names}


def centre(gradient, means, offsets, sliding, mask) -> None:
    """See `Backend.centre`."""
    for name in ("b", "c"):
        offsets[name] += sliding * (means[name] - offsets[name])
    gradient["W"] -= np.outer(offsets["b"], gradient["c"]) + np.outer(gradient["b"], offsets["c"])
    if mask is not None:
        gradient["W"] *= mask["W"]
    b, c = gradient["W"] @ offsets["c"], offsets["b"] @ gradient["W"]
    gradient["b"] -= b
    gradient["c"] -= c


def ascend(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; what the gradient does not name stays as it is.

    Weights have capital names, W1, R, and biases small ones.
    """
    for name in gradient:
        parameter, v = getattr(model, name), velocity[name]
        v *= momentum
        v += rate * (gradient[name] - (decay * parameter if name[0].isupper() else 0.0))
        parameter += v
    return all((np.abs(getattr(model, name)) < LARGEST_PARAMETER).all() for name in gradient)


def put_mask(model, mask):
    """See `Backend.put_mask`."""
    return {"W": np.array(mask, np.float64)}


def apply_mask(gradient, mask) -> None:
    """See `Backend.mask`."""
    for name, zeros_and_ones in mask.items():
        gradient[name] *= zeros_and_ones


JOBS = {"zeros": zeros, "centre": centre, "update": ascend, "put_mask": put_mask, "mask": apply_mask}
