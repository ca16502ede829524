"""Where a model lives, and what an update makes of it.

Both kinds keep W as a square whose row i is what unit i adds to all inputs. A Boltzmann machine's is
R + Rᵀ, and so are a gradient's and a velocity's of R: what moves one half moves the other alike. Of a
network's gradient only what stands above the diagonal is looked at.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.device import aligned_zeros, store
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.simd import fill
from ebmbench.kernels.cpu.threads import launch
from ebmbench.kernels.cpu.update import update_bias
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.scalar import LARGEST_PARAMETER

HOSTS = {BoltzmannMachine.kind: BoltzmannMachine, BayesNet.kind: BayesNet}


@dataclass(eq=False)
class Model:
    """A model's device arrays: W [n_visible, padded], b [padded]; couplings: W's name as a parameter."""

    kind: str
    n_visible: int
    arithmetic: str
    couplings: str
    W: np.ndarray
    b: np.ndarray
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
    n = model.n_visible
    found = Model(model.kind, n, arithmetic, couplings, np.empty((n, 0)), store(model.b))
    found.W = store(found.square(getattr(model, couplings)))
    return found


def get(model: Model) -> BoltzmannMachine | BayesNet:
    """See `Backend.get`."""
    host: Any = HOSTS[model.kind]
    return host(**get_tree(model, {model.couplings: model.W, "b": model.b}))


def get_tree(model: Model, tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    found = {name: np.array(values[..., : model.n_visible]) for name, values in tree.items()}
    return {name: np.triu(values, 1) if values.ndim == 2 else values for name, values in found.items()}


def put_tree(model: Model, tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """See `Backend.put_tree`."""
    given = {name: np.asarray(values) for name, values in tree.items()}
    return {name: store(model.square(x) if x.ndim == 2 else x) for name, x in given.items()}


def zeros(model: Model) -> dict[str, np.ndarray]:
    """See `Backend.zeros`."""
    return {model.couplings: aligned_zeros(*model.W.shape), "b": aligned_zeros(model.b.size)}


@inner(forceinline=True)
def _beyond(w):
    count = np.int32(0)
    for j in range(w.size):
        count += np.int32(not abs(w[j]) < LARGEST_PARAMETER)  # NaN too
    return count


@jit(parallel=True)
def _update(gradient, W, velocity, directed, rate, momentum, decay):
    """How many weights are out of bounds: of units that never hear them no bias would tell."""
    lost = 0
    for i in prange(W.shape[0]):
        first = i // LANES * LANES if directed else 0
        w, v = W[i, first:], velocity[i, first:]
        move(w, v, gradient[i, first:], rate, momentum, decay)
        if directed:
            fill(w[: i + 1 - first], np.float32(0.0))
            fill(v[: i + 1 - first], np.float32(0.0))
        lost += _beyond(w)
    return lost


def update(model: Model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; what the gradient does not name stays as it is."""
    rate, momentum, decay = np.float32(rate), np.float32(momentum), np.float32(decay)
    healthy = True
    for name in gradient:
        moved = gradient[name], velocity[name]
        if name == "b":
            healthy &= update_bias(model.b, moved[1], moved[0], rate, momentum)
        else:
            to = model.W, moved[1], model.directed
            healthy &= not launch(_update, model.W.size, moved[0], *to, rate, momentum, decay)
    return healthy


JOBS = {
    "put": put,
    "get": get,
    "get_tree": get_tree,
    "put_tree": put_tree,
    "zeros": zeros,
    "update": update,
}
