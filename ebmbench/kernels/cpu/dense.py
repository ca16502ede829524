"""Feed-forward networks: where they live, forward, back-propagation (see `models.mlp`)."""

from typing import Any

import numpy as np

from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros, padded, put_tree, store
from ebmbench.kernels.cpu.layers import LARGEST_GROUP
from ebmbench.kernels.cpu.outer import Outer
from ebmbench.kernels.cpu.propagation import delta_below, propagate, propagate_binary, top_delta
from ebmbench.kernels.cpu.threads import group_size, launch, launch_shared, layer_work
from ebmbench.models.mlp import MLP
from ebmbench.scalar import ACTIVATIONS, LINEAR

Tree = dict[str, Any]


class Network:
    """A network's device arrays by name: W1, c1, ..., each [inputs, padded] or [padded]."""

    kind = MLP.kind

    def __init__(self, model: MLP, arithmetic: str) -> None:
        self.activations, self.sizes, self.names = model.activations, model.sizes, model.names
        self.arithmetic = arithmetic
        self.arrays = {name: store(values) for name, values in model.parameters.items()}
        self.kinds = [ACTIVATIONS.index(name) for name in model.activations]
        self.zero = aligned_zeros(padded(max(model.sizes)))

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """W and c of each layer, from the input up."""
        arrays = self.arrays
        return [(arrays[f"W{n}"], arrays[f"c{n}"]) for n in range(1, len(self.sizes))]


def get(model: Network) -> MLP:
    """See `Backend.get`."""
    return MLP.of(get_tree(model, model.arrays), model.activations)


def get_tree(model: Network, tree: Tree) -> Tree:
    """See `Backend.get_tree`."""
    units = {name: model.sizes[int(name[1:])] for name in tree}
    return {name: np.array(np.asarray(values)[..., : units[name]]) for name, values in tree.items()}


def zeros(model: Network) -> Tree:
    """See `Backend.zeros`."""
    return {name: aligned_zeros(*values.shape) for name, values in model.arrays.items()}


def forward(model: Network, x: np.ndarray) -> list[np.ndarray]:
    """See `Backend.forward`: x, and each layer's, float32 [B, padded]."""
    found = [x]
    for (W, c), kind in zip(model.layers, model.kinds, strict=True):
        a, out = found[-1], aligned_empty(len(x), W.shape[1])
        work = layer_work(len(x), *W.shape)
        if a.dtype == np.uint8:
            group = group_size(len(x), LARGEST_GROUP)
            launch(propagate_binary, work, a, W, c, kind, group, out)
        else:
            launch_shared(propagate, work, a, 0, W.shape[0], W, 0, c, 0, 0, kind, out)
        found.append(out)
    return found


def outputs(model: Network, activations: list[np.ndarray]) -> np.ndarray:
    """See `Backend.outputs`."""
    return activations[-1][:, : model.sizes[-1]].copy()


def _top(model: Network, activations: list[np.ndarray], delta: np.ndarray) -> tuple[np.ndarray, ...]:
    """The objective's derivative by the last layer's pre-activations, and its sum over rows."""
    a = activations[-1]
    x, sums = aligned_empty(*a.shape), aligned_empty(a.shape[1])
    delta = delta.astype(np.float32, copy=False)
    launch_shared(top_delta, layer_work(len(x), 1, a.shape[1]), delta, a, model.kinds[-1], x, sums)
    return x, sums


def _below(
    model: Network, activations: list[np.ndarray], n: int, x: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The same of the layer below layer n, counted from 1, whose derivative is x; of the input: by it."""
    W = model.arrays[f"W{n}"]
    columns = padded(W.shape[0])
    below, sums = aligned_empty(len(x), columns), aligned_empty(columns)
    a, kind = (activations[n - 1], model.kinds[n - 2]) if n > 1 else (below, LINEAR)
    work = layer_work(len(x), *W.shape)
    launch_shared(delta_below, work, x, model.sizes[n], W, model.zero, a, kind, below, sums)
    return below, sums


def backward(model: Network, activations: list[np.ndarray], delta: np.ndarray) -> Tree:
    """See `Backend.backward`; the gradient of W is not written down, see `Outer`."""
    found: Tree = {}
    x, sums = _top(model, activations, delta)
    for n in range(len(model.kinds), 0, -1):
        found[f"W{n}"], found[f"c{n}"] = Outer(activations[n - 1], x, model.sizes[n - 1]), sums
        if n > 1:
            x, sums = _below(model, activations, n, x)
    return {name: found[name] for name in model.names}


def input_delta(model: Network, activations: list[np.ndarray], delta: np.ndarray) -> np.ndarray:
    """See `Backend.input_delta`."""
    x, _ = _top(model, activations, delta)
    for n in range(len(model.kinds), 0, -1):
        x, _ = _below(model, activations, n, x)
    return x[:, : model.sizes[0]].copy()


JOBS: dict[str, Any] = {
    "put": Network,
    "get": get,
    "get_tree": get_tree,
    "put_tree": put_tree,
    "zeros": zeros,
    "forward": forward,
    "outputs": outputs,
    "backward": backward,
    "input_delta": input_delta,
}
