"""Parameter updates and the centring of gradients."""

import numpy as np



def zeros(model):  # type: ignore[no-untyped-def]
    """See `Backend.zeros`."""
    return {name: np.zeros_like(getattr(model, name)) for name in ("W", "b", "c")}


def centre(gradient, means, offsets, sliding) -> None:  # type: ignore[no-untyped-def]
    """See `Backend.centre`."""
    for name in ("b", "c"):
        offsets[name] += sliding * (means[name] - offsets[name])
    gradient["W"] -= np.outer(offsets["b"], gradient["c"]) + np.outer(gradient["b"], offsets["c"])
    b, c = gradient["W"] @ offsets["c"], offsets["b"] @ gradient["W"]
    gradient["b"] -= b
    gradient["c"] -= c


def update(model, velocity, gradient, rate, momentum, decay) -> bool:  # type: ignore[no-untyped-def]
    """See `Backend.update`."""
    for name in ("W", "b", "c"):
        parameter, v = getattr(model, name), velocity[name]
        v *= momentum
        v += rate * (gradient[name] - (decay * parameter if name == "W" else 0.0))
        parameter += v
    return bool(np.isfinite(model.b).all() and np.isfinite(model.c).all())


JOBS = {"zeros": zeros, "centre": centre, "update": update}
