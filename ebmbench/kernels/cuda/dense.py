"""Feed-forward networks (see `models.mlp`): where they live, forward and backward.

All parameters lie in one array without gaps, the weights of all layers and then the biases, and so do
a gradient's and an optimiser's, so that an update is one launch whatever the number of layers.

A step of training a network of L layers is 3 L + 1 launches beside those that take the batch: one a
layer forward, one for the loss, 2 L - 1 back, one for the update. It copies and waits for nothing. A
layer some of whose units are left out takes three more, the input one.

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
from ebmbench.kernels.cuda.adam import adam, average, update
from ebmbench.kernels.cuda.dropout import thin
from ebmbench.kernels.cuda.gemm import back, gradient, through
from ebmbench.kernels.cuda.losses import cross_entropy, logistic, payoff
from ebmbench.kernels.cuda.memory import Array, download, empty, parts, upload
from ebmbench.kernels.cuda.products import layer
from ebmbench.models.dropout import Dropout
from ebmbench.models.mlp import MLP, Activations
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


def forward(model: Network, x: Array, dropout: Dropout) -> Activations:
    """See `Backend.forward`."""
    found = Activations([x], [], dropout)
    for n, activation in enumerate(model.places, 1):
        a = found.given[-1]
        found.taken.append(thin(a, n - 1, dropout) if found.thinned(n - 1) else a)
        out = empty((len(x), model.sizes[n]))
        W, c = model.parameters[f"W{n}"], model.parameters[f"c{n}"]
        layer(W, c, found.taken[-1], None, model.sizes[n], out, activation)
        found.given.append(out)
    return found


def _below(model: Network, activations: Activations, n: int, x: Array) -> Array:
    """The objective's derivative by the pre-activations of the layer below layer n, counted from 1.

    x: that by those of layer n; below the first layer is the input, and the derivative is by it.
    """
    W, a = model.parameters[f"W{n}"], activations.given[n - 1]
    kind = model.places[n - 2] if n > 1 else LINEAR
    if not activations.thinned(n - 1):
        return back(x, W, a if n > 1 else None, kind)
    below = back(x, W, None, LINEAR)
    return through(thin(below, n - 1, activations.dropout, below), a, kind)


def backward(model: Network, activations: Activations, delta: Array) -> Tree:
    """See `Backend.backward`."""
    found = parts(empty(model.whole.size), model.shapes)
    x = through(delta, activations.outputs, model.places[-1])
    for n in range(len(model.places), 0, -1):
        gradient(activations.taken[n - 1], x, found[f"W{n}"], found[f"c{n}"])
        if n > 1:
            x = _below(model, activations, n, x)
    return found


def input_delta(model: Network, activations: Activations, delta: Array) -> Array:
    """See `Backend.input_delta`."""
    x = through(delta, activations.outputs, model.places[-1])
    for n in range(len(model.places), 0, -1):
        x = _below(model, activations, n, x)
    return x


JOBS = {
    "put": put,
    "get": get,
    "get_tree": get_tree,
    "put_tree": put_tree,
    "zeros": zeros,
    "forward": forward,
    "outputs": lambda model, activations: activations.outputs,
    "backward": backward,
    "input_delta": input_delta,
    "cross_entropy": cross_entropy,
    "logistic": logistic,
    "payoff": payoff,
    "update": update,
    "adam": adam,
    "average": average,
}
