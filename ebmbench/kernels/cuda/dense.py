"""Feed-forward networks (see `models.mlp`): where they live, forward and backward.

All parameters lie in one array without gaps, the weights of all layers and then the biases, and so do
a gradient's and an optimiser's, so that an update is one launch whatever the number of layers.

A step of training a network of L layers is 3 L + 1 launches beside those that take the batch: one a
layer forward, one for the loss, 2 L - 1 back, one for the update. It copies and waits for nothing.

Prediction for an H200, batch 100 and three layers of 1,024 units each: five products up and down of
14 us, three gradients of 8 (see `gemm`), the loss 3, Adam 18: 0.12 ms. The floor is 0.84e9
multiply-adds, 25 us at 33.4e12 a second, and Adam's 88 MB, 18 us. Python spends about as long on a
step, 0.13 ms on the processor of an emulated GPU that does nothing, and runs ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ebmbench.kernels.api.device import Tree
from ebmbench.kernels.cuda import memory
from ebmbench.kernels.cuda.adam import adam, update
from ebmbench.kernels.cuda.gemm import back, gradient, through
from ebmbench.kernels.cuda.losses import cross_entropy, logistic, payoff
from ebmbench.kernels.cuda.memory import Array, download, empty, parts, upload
from ebmbench.kernels.cuda.products import layer
from ebmbench.models.mlp import MLP
from ebmbench.scalar import ACTIVATIONS, LINEAR


@dataclass(eq=False)
class Network:
    """A network on the device.

    sizes: units of each layer, the input's first; activations: one a layer, and by their places in
    `scalar.ACTIVATIONS`; whole: all parameters, float32; parameters: its parts by name, weights first.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    places: tuple[int, ...]
    arithmetic: str
    whole: Array
    parameters: Tree
    kind: str = MLP.kind

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters, in the order in which they lie."""
        return {name: x.shape for name, x in self.parameters.items()}


def put(model: MLP, arithmetic: str) -> Network:
    """See `Backend.put`."""
    given = model.parameters
    shapes = {name: given[name].shape for name in sorted(model.names, key=lambda name: name[0])}
    whole = upload(np.concatenate([given[name].ravel() for name in shapes]), np.float32)
    places = tuple(map(ACTIVATIONS.index, model.activations))
    return Network(model.sizes, model.activations, places, arithmetic, whole, parts(whole, shapes))


def get(model: Network) -> MLP:
    """See `Backend.get`."""
    found = {name: download(x) for name, x in model.parameters.items()}
    return MLP.of(found, model.activations)


def get_tree(model: Network, tree: Tree) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    return {name: download(x) for name, x in tree.items()}


def put_tree(model: Network, tree: Mapping[str, np.ndarray]) -> Tree:
    """See `Backend.put_tree`."""
    found = zeros(model)
    for name, values in tree.items():
        found[name].copy_to_device(np.ascontiguousarray(values, np.float32))
    return {name: found[name] for name in tree}


def zeros(model: Network) -> Tree:
    """See `Backend.zeros`."""
    return parts(memory.zeros(model.whole.size), model.shapes)


def forward(model: Network, x: Array) -> list[Array]:
    """See `Backend.forward`: x and every layer's activations."""
    found = [x]
    for n, activation in enumerate(model.places, 1):
        out = empty((len(x), model.sizes[n]))
        W, c = model.parameters[f"W{n}"], model.parameters[f"c{n}"]
        layer(W, c, found[-1], None, model.sizes[n], out, activation)
        found.append(out)
    return found


def backward(model: Network, activations: list[Array], delta: Array) -> Tree:
    """See `Backend.backward`."""
    found = parts(empty(model.whole.size), model.shapes)
    x = through(delta, activations[-1], model.places[-1])
    for n in range(len(model.places), 0, -1):
        below = activations[n - 1]
        gradient(below, x, found[f"W{n}"], found[f"c{n}"])
        if n > 1:
            x = back(x, model.parameters[f"W{n}"], below, model.places[n - 2])
    return found


def input_delta(model: Network, activations: list[Array], delta: Array) -> Array:
    """See `Backend.input_delta`."""
    x = through(delta, activations[-1], model.places[-1])
    for n in range(len(model.places), 1, -1):
        x = back(x, model.parameters[f"W{n}"], activations[n - 1], model.places[n - 2])
    return back(x, model.parameters["W1"], None, LINEAR)


JOBS = {
    "put": put,
    "get": get,
    "get_tree": get_tree,
    "put_tree": put_tree,
    "zeros": zeros,
    "forward": forward,
    "outputs": lambda model, activations: activations[-1],
    "backward": backward,
    "input_delta": input_delta,
    "cross_entropy": cross_entropy,
    "logistic": logistic,
    "payoff": payoff,
    "update": update,
    "adam": adam,
}
