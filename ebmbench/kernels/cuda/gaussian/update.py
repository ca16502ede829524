"""Parameter updates; precision * W follows. Bound by memory, as those of binary units."""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda import memory
from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import empty
from ebmbench.kernels.cuda.tile import at
from ebmbench.kernels.cuda.update import apply_mask, ascend, health_of, put_mask
from ebmbench.models.gaussian_rbm import TREE
from ebmbench.scalar import LARGEST_LOG, exp

_THREADS = 128


@kernel("float32[::1], float32[:,::1], float32[::1], float32[:,::1], float32[::1]", _THREADS)
def _in_deviations(precision, gW, gb, steps_W, steps_b):
    """Gradients of W and b in units of the standard deviations; a visible unit a block."""
    i, t = at(cuda.blockIdx.x), at(cuda.threadIdx.x)
    inside = i < at(gW.shape[0])
    variance = np.float32(1.0) / precision[i] if inside else np.float32(0.0)
    if inside:
        for j in range(t, at(gW.shape[1]), at(cuda.blockDim.x)):
            steps_W[i, j] = variance * gW[i, j]
    if t == at(0):
        steps_b[i] = variance * gb[i]


@kernel("float32[::1], float32[::1], float32[::1], float32[::1], float32, float32, int32[::1]", _THREADS)
def _ascend_precision(log_precision, precision, velocity, gradient, rate, momentum, health):
    for i in range(at(cuda.grid(1)), at(precision.size), at(cuda.gridsize(1))):
        velocity[i] = momentum * velocity[i] + rate * gradient[i]
        log_precision[i] += velocity[i]
        precision[i] = exp(log_precision[i])
        if not abs(log_precision[i]) < LARGEST_LOG:  # NaN too
            health[0] = 1


@kernel("float32[:,::1], float32[::1], float32[:,::1]")
def _scale(W, precision, to_hidden):
    """to_hidden = precision * W."""
    columns = at(W.shape[1])
    for n in range(at(cuda.grid(1)), at(W.size), at(cuda.gridsize(1))):
        i, j = n // columns, n % columns
        to_hidden[i, j] = precision[i] * W[i, j]


def zeros(model):
    """See `Backend.zeros`."""
    return {name: memory.zeros(getattr(model, name).shape) for name in TREE}


def update(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; four launches."""
    steps = dict(gradient)
    if "W" in steps or "b" in steps:
        # What the gradient does not name is passed over afterwards: any array will do.
        given = gradient.get("W", model.W), gradient.get("b", model.b)
        changed = empty(model.W.shape), empty(model.b.shape)
        _in_deviations(model.b.size, model.precision, *given, *changed)
        for name, value in zip(("W", "b"), changed, strict=True):
            if name in steps:
                steps[name] = value
    if "log_precision" in gradient:
        _ascend_precision(
            blocks(model.b.size, _THREADS), model.log_precision, model.precision,
            velocity["log_precision"], gradient["log_precision"], rate, momentum, health_of(model).flag,
        )  # fmt: skip
    healthy = ascend(model, velocity, steps, rate, momentum, decay)
    _scale(blocks(model.W.size, _scale.threads), model.W, model.precision, model.to_hidden)
    return healthy


JOBS = {"zeros": zeros, "update": update, "put_mask": put_mask, "mask": apply_mask}
