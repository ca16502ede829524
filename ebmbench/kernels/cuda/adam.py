"""What updates a network: Adam, gradient ascent with momentum, means; nothing here waits for the GPU.

Parameters, gradients and what an optimiser keeps lie alike (see `dense`), so neighbours that a gradient
names are updated together. Bound by memory: Adam reads four numbers a parameter and writes three, 28
bytes. Three layers of 1,024 x 1,024 are 88 MB, beyond the L2 cache of an H200: 18 us at 4.8 TB/s, as a
prediction; 784 x 500 and 500 x 10 are 11 MB, 2 to 3 us.
"""

import math

import numpy as np
from numba import cuda

from ebmbench.kernels.api.device import Tree
from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array
from ebmbench.kernels.cuda.tile import at
from ebmbench.kernels.cuda.update import health_of, noticed
from ebmbench.scalar import LARGEST_PARAMETER

_F32 = np.float32
_LARGEST = _F32(LARGEST_PARAMETER)


@kernel(
    "float32[::1], float32[::1], float32[::1], uint64, uint64, uint64, float32, float32, float32, "
    "int32[::1]"
)
def _ascend(parameters, velocity, gradient, first, last, matrices, rate, momentum, decay, health):
    """Numbers first to last of all; weights are those below `matrices`."""
    for n in range(first + at(cuda.grid(1)), last, at(cuda.gridsize(1))):
        g = gradient[n]
        if n < matrices:
            g -= decay * parameters[n]
        velocity[n] = momentum * velocity[n] + rate * g
        parameters[n] += velocity[n]
        if not abs(parameters[n]) < _LARGEST:  # NaN too
            health[0] = 1


@kernel(
    "float32[::1], float32[::1], float32[::1], float32[::1], uint64, uint64, float32, float32, float32, "
    "float32, float32, int32[::1]"
)
def _adam(
    parameters, mean, square, gradient, first, last, rate, new_mean, new_square, spread, epsilon, health
):
    """new_mean, new_square: what part of each is new, 1 - beta.

    rate and spread carry the corrections for a start at zero: over 1 - beta1**step, and 1 over the root
    of 1 - beta2**step.
    """
    for n in range(first + at(cuda.grid(1)), last, at(cuda.gridsize(1))):
        g = gradient[n]
        m = mean[n] + new_mean * (g - mean[n])
        s = square[n] + new_square * (g * g - square[n])
        mean[n], square[n] = m, s
        parameters[n] += rate * m / (spread * math.sqrt(s) + epsilon)
        if not abs(parameters[n]) < _LARGEST:
            health[0] = 1


@kernel("float32[::1], float32[::1], float32")
def _slide(mean, parameters, sliding):
    for n in range(at(cuda.grid(1)), at(mean.size), at(cuda.gridsize(1))):
        mean[n] += sliding * (parameters[n] - mean[n])


def _runs(model, gradient: Tree, *trees: Tree) -> list[tuple[list[Array], int, int]]:
    """Parameters that lie side by side in the same arrays: those arrays, the first number, the end."""
    found: list[tuple[list[Array], int, int]] = []
    end = 0
    for name, parameter in model.parameters.items():
        first, end = end, end + parameter.size
        if name not in gradient:
            continue
        wholes = [parameter.whole, *(tree[name].whole for tree in (*trees, gradient))]
        before = found[-1] if found else ([], 0, -1)
        if before[2] == first and all(a is b for a, b in zip(before[0], wholes, strict=True)):
            found[-1] = wholes, before[1], end
        else:
            found.append((wholes, first, end))
    return found


def update(model, velocity: Tree, gradient: Tree, rate: float, momentum: float, decay: float) -> bool:
    """See `Backend.update`; one launch where the gradient names all."""
    health = health_of(model)
    matrices = sum(x.size for x in model.parameters.values() if x.ndim == 2)
    for wholes, first, end in _runs(model, gradient, velocity):
        _ascend(
            blocks(end - first, _ascend.threads), *wholes, first, end, matrices, rate, momentum, decay,
            health.flag,
        )  # fmt: skip
    return noticed(health)


def adam(
    model, first: Tree, second: Tree, gradient: Tree, step: int, rate: float, beta1: float, beta2: float,
    epsilon: float,
) -> bool:  # fmt: skip
    """See `Backend.adam`; one launch where the gradient names all."""
    health = health_of(model)
    corrected = rate / (1 - beta1**step), 1 - beta1, 1 - beta2, 1 / math.sqrt(1 - beta2**step)
    for wholes, start, end in _runs(model, gradient, first, second):
        _adam(blocks(end - start, _adam.threads), *wholes, start, end, *corrected, epsilon, health.flag)
    return noticed(health)


def average(model, mean: Tree, sliding: float) -> None:
    """See `Backend.average`; one launch."""
    whole = next(iter(mean.values())).whole
    _slide(blocks(whole.size, _slide.threads), whole, model.whole, sliding)
