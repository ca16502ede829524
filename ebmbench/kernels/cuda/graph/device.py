"""Where a model lives, and what an update makes of it: as `cpu.graph.device`.

An update is bound by memory, as in `cuda.update`: at 784 units W, its velocity and its gradient are read
and the first two written, 5 times 2.5 MB: 2.3 us from the L2 cache of an H200.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cuda

from ebmbench.kernels.api.device import Tree
from ebmbench.kernels.cuda import memory
from ebmbench.kernels.cuda.device import blocks, store
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, download
from ebmbench.kernels.cuda.tile import at
from ebmbench.kernels.cuda.update import health_of, move, noticed
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.scalar import LARGEST_PARAMETER

_LARGEST = np.float32(LARGEST_PARAMETER)
HOSTS = {BoltzmannMachine.kind: BoltzmannMachine, BayesNet.kind: BayesNet}


@dataclass(eq=False)
class Model:
    """A model's device arrays: W [n_visible, padded], b [padded]; couplings: W's name as a parameter.

    Row i of W is what unit i adds to the inputs of all: R + Rᵀ of a Boltzmann machine.
    """

    kind: str
    n_visible: int
    arithmetic: str
    couplings: str
    W: Array
    b: Array
    n_hidden: int = 0

    @property
    def directed(self) -> bool:
        """Whether W is strictly upper triangular, and not symmetric."""
        return self.kind == BayesNet.kind

    def square(self, values: np.ndarray) -> np.ndarray:
        """Couplings, strictly upper triangular, as W has them."""
        return values if self.directed else values + values.T


def put(model: BoltzmannMachine | BayesNet, arithmetic: str) -> Model:
    """See `Backend.put`."""
    couplings = model.names[0]
    found = Model(model.kind, model.n_visible, arithmetic, couplings, None, store(model.b))
    found.W = store(found.square(getattr(model, couplings)))
    return found


def get(model: Model) -> BoltzmannMachine | BayesNet:
    """See `Backend.get`."""
    host: Any = HOSTS[model.kind]
    return host(**get_tree(model, {model.couplings: model.W, "b": model.b}))


def get_tree(model: Model, tree: Tree) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    found = {name: np.array(download(values)[..., : model.n_visible]) for name, values in tree.items()}
    return {name: np.triu(values, 1) if values.ndim == 2 else values for name, values in found.items()}


def put_tree(model: Model, tree: dict[str, np.ndarray]) -> Tree:
    """See `Backend.put_tree`."""
    given = {name: np.asarray(values) for name, values in tree.items()}
    return {name: store(model.square(x) if x.ndim == 2 else x) for name, x in given.items()}


def zeros(model: Model) -> Tree:
    """See `Backend.zeros`."""
    return {model.couplings: memory.zeros(model.W.shape), "b": memory.zeros(model.b.size)}


@kernel("float32[:,::1], float32[:,::1], float32[:,::1], boolean, float32, float32, float32, int32[::1]")
def _ascend(W, velocity, gradient, directed, rate, momentum, decay, health):
    """Of a network only what stands above the diagonal."""
    columns = at(W.shape[1])
    for n in range(at(cuda.grid(1)), at(W.size), at(cuda.gridsize(1))):
        i, j = n // columns, n % columns
        if not directed or i < j:
            v = momentum * velocity[i, j] + rate * (gradient[i, j] - decay * W[i, j])
            velocity[i, j] = v
            W[i, j] += v
            if not abs(W[i, j]) < _LARGEST:  # NaN too
                health[0] = 1


@kernel("float32[::1], float32[::1], float32[::1], float32, float32, int32[::1]")
def _ascend_bias(b, velocity, gradient, rate, momentum, health):
    for n in range(at(cuda.grid(1)), at(b.size), at(cuda.gridsize(1))):
        move(b, velocity, gradient, n, rate, momentum, health)


def update(model: Model, velocity: Tree, gradient: Tree, rate, momentum, decay) -> bool:
    """See `Backend.update`; a launch for each parameter that the gradient names."""
    health = health_of(model)
    if model.couplings in gradient:
        trees = velocity[model.couplings], gradient[model.couplings]
        count = blocks(model.W.size, _ascend.threads)
        _ascend(count, model.W, *trees, model.directed, rate, momentum, decay, health.flag)
    if "b" in gradient:
        count = blocks(model.b.size, _ascend_bias.threads)
        _ascend_bias(count, model.b, velocity["b"], gradient["b"], rate, momentum, health.flag)
    return noticed(health)


JOBS = {
    "put": put,
    "get": get,
    "get_tree": get_tree,
    "put_tree": put_tree,
    "zeros": zeros,
    "update": update,
}
