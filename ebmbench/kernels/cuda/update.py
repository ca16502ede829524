"""Parameter updates and the centring of gradients; nothing here waits for the GPU.

All are bound by memory: at 784 x 500 an update reads W, its velocity and its gradient and writes W, its
transposed copy and the velocity, 6 times 1.6 MB that stay in the L2 cache of an H200 (5.5 TB/s): 2 us.
"""

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api.device import Tree
from ebmbench.kernels.cuda import memory
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import blocks, padded_rows
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import LARGEST_PARAMETER

_PATIENCE = 100  # updates after which the GPU is asked whether all is well
_TILE = 8 if SIMULATED else 32  # rows and columns of W that are transposed together
_PITCH = _TILE + 1  # a column lies over all banks
_SIDE = at(_TILE)
_THREADS = 256
_DOWN, _ALONG = (2, 2) if SIMULATED else (8, 32)  # rows and columns at once of a block that sums columns
_ROWS, _COLUMNS = at(_DOWN), at(_ALONG)
_LARGEST = np.float32(LARGEST_PARAMETER)
_ZERO = np.float32(0.0)
_NAMES = ("W", "b", "c")


@device
def move(parameters, velocity, gradient, n, rate, momentum, health):
    """Move one number that does not decay, and note where it leaves all bounds."""
    velocity[n] = momentum * velocity[n] + rate * gradient[n]
    parameters[n] += velocity[n]
    if not abs(parameters[n]) < _LARGEST:  # NaN too
        health[0] = 1


@kernel(
    "float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[::1], float32[::1], "
    "float32[::1], float32[::1], float32[::1], float32[::1], int64, boolean, boolean, boolean, "
    "float32, float32, float32, int32[::1]",
    _THREADS,
)
def _ascend(W, Wt, vW, gW, b, vb, gb, c, vc, gc, n_hidden, with_W, with_b, with_c, rate, momentum, decay,
            health):  # fmt: skip
    """A tile of W a block, and its transposed copy through shared memory; the biases between them."""
    moved = cuda.shared.array((_TILE, _PITCH), numba.float32)
    row, column = at(cuda.blockIdx.x) * _SIDE, at(cuda.blockIdx.y) * _SIDE
    t, threads = at(cuda.threadIdx.x), at(cuda.blockDim.x)
    rows, hidden = at(W.shape[0]), at(n_hidden)
    if with_W:
        for e in range(t, _SIDE * _SIDE, threads):
            i, j = row + e // _SIDE, column + e % _SIDE
            if i < rows and j < at(W.shape[1]):
                v = momentum * vW[i, j] + rate * (gW[i, j] - decay * W[i, j])
                vW[i, j] = v
                W[i, j] += v
                moved[e // _SIDE, e % _SIDE] = W[i, j]
        cuda.syncthreads()
        for e in range(t, _SIDE * _SIDE, threads):
            i, j = row + e % _SIDE, column + e // _SIDE
            if i < rows and j < hidden:
                Wt[j, i] = moved[e % _SIDE, e // _SIDE]
    if with_b and column == at(0):
        for n in range(row + t, min(row + _SIDE, at(b.size)), threads):
            move(b, vb, gb, n, rate, momentum, health)
    if with_c and row == at(0):
        for n in range(column + t, min(column + _SIDE, at(c.size)), threads):
            move(c, vc, gc, n, rate, momentum, health)


@kernel(
    "float32[:,::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], "
    "float32, boolean, uint8[:,::1]",
    128,
)
def _centre_rows(W, b, c, b_mean, c_mean, b_offset, c_offset, sliding, masked, mask):
    """A row of W a block: b's offset slides, W <- W - mu cᵀ - b lambdaᵀ, b <- b - W lambda.

    The offset of c is only looked at: other blocks read it too, and `_centre_columns` slides it.
    """
    room = cuda.shared.array(128, numba.float64)
    for i in range(at(cuda.blockIdx.x), at(W.shape[0]), at(cuda.gridDim.x)):
        mu = b_offset[i] + sliding * (b_mean[i] - b_offset[i])
        own = b[i]
        through = 0.0
        for j in range(at(cuda.threadIdx.x), at(W.shape[1]), at(cuda.blockDim.x)):
            offset = c_offset[j] + sliding * (c_mean[j] - c_offset[j])
            w = W[i, j] - (mu * c[j] + own * offset)
            if masked and mask[i, j] == 0:
                w = _ZERO
            W[i, j] = w
            through += np.float64(w * offset)
        through = block_sum(through, room)
        if cuda.threadIdx.x == 0:
            b_offset[i] = mu
            b[i] = own - np.float32(through)


@kernel("float32[:,::1], float32[::1], float32[::1], float32[::1], float32[::1], float32", _DOWN * _ALONG)
def _centre_columns(W, c, c_mean, b_offset, c_offset, sliding):
    """Some columns of W a block: c's offset slides, c <- c - Wᵀ mu."""
    partial = cuda.shared.array((_DOWN, _ALONG), numba.float32)
    down, along = at(cuda.threadIdx.x) // _COLUMNS, at(cuda.threadIdx.x) % _COLUMNS
    j = at(cuda.blockIdx.x) * _COLUMNS + along
    through = _ZERO
    for i in range(down, at(W.shape[0]), _ROWS):
        through += b_offset[i] * W[i, j]
    partial[down, along] = through
    cuda.syncthreads()
    if down == at(0):
        for n in range(at(1), _ROWS):
            through += partial[n, along]
        c[j] -= through
        c_offset[j] += sliding * (c_mean[j] - c_offset[j])


@dataclass
class _Health:
    """The updates of a model so far, and whether one of them left all bounds, int32 [1] on the GPU.

    values: how many times an objective was computed that may tell that a weight is too large for it.
    """

    flag: Array
    updates: int = 0
    values: int = 0


_HEALTH: WeakKeyDictionary[Any, _Health] = WeakKeyDictionary()


def health_of(model: Any) -> _Health:
    """What is known of a model's updates."""
    if model not in _HEALTH:
        _HEALTH[model] = _Health(memory.zeros(1, np.int32))
    return _HEALTH[model]


def noticed(health: _Health) -> bool:
    """Count an update; at every 100th the GPU is asked whether all is well."""
    health.updates += 1
    return health.updates % _PATIENCE != 0 or not download(health.flag)[0]


def is_due(model: Any) -> bool:
    """Count an objective of the model; whether it is a 100th, which is to be looked at."""
    health = health_of(model)
    health.values += 1
    return health.values % _PATIENCE == 0


def zeros(model: Any) -> Tree:
    """See `Backend.zeros`."""
    return {name: memory.zeros(getattr(model, name).shape) for name in _NAMES}


def centre(gradient: Tree, means: Tree, offsets: Tree, sliding: float, mask: Tree | None) -> None:
    """See `Backend.centre`; two launches."""
    W, b, c = (gradient[name] for name in _NAMES)
    masked = mask is not None
    kept = mask["W"] if mask is not None else empty((1, 1), np.uint8)
    _centre_rows(
        W.shape[0], W, b, c, means["b"], means["c"], offsets["b"], offsets["c"], sliding, masked, kept
    )
    _centre_columns(W.shape[1] // _ALONG, W, c, means["c"], offsets["b"], offsets["c"], sliding)


def ascend(
    model: Any, velocity: Tree, gradient: Tree, rate: float, momentum: float, decay: float
) -> bool:
    """See `Backend.update`; one launch."""
    health = health_of(model)
    model.derived.clear()  # made of what changes now
    parts: list[Any] = []
    for name in _NAMES:
        parameter = getattr(model, name)
        parts += [parameter, model.Wt] if name == "W" else [parameter]
        # What the gradient does not name is passed over: any array will do.
        parts += [velocity[name], gradient[name]] if name in gradient else [parameter, parameter]
    sizes = zip(model.W.shape, (model.b.size, model.c.size), strict=True)
    tiles = tuple(-(-max(pair) // _TILE) for pair in sizes)
    named = [name in gradient for name in _NAMES]
    _ascend(tiles, *parts, model.n_hidden, *named, rate, momentum, decay, health.flag)
    return noticed(health)


@kernel("float32[:,::1], uint8[:,::1]")
def _mask(W, mask):
    columns = at(W.shape[1])
    for n in range(at(cuda.grid(1)), at(W.size), at(cuda.gridsize(1))):
        if mask[n // columns, n % columns] == 0:
            W[n // columns, n % columns] = _ZERO


def put_mask(model: Any, mask: np.ndarray) -> Tree:
    """See `Backend.put_mask`: a byte a weight, and so a quarter of what W takes."""
    return {"W": upload(padded_rows(mask, np.uint8))}


def apply_mask(gradient: Tree, mask: Tree) -> None:
    """See `Backend.mask`; one launch."""
    W = gradient["W"]
    _mask(blocks(W.size, _mask.threads), W, mask["W"])


JOBS = {"zeros": zeros, "centre": centre, "update": ascend, "put_mask": put_mask, "mask": apply_mask}
