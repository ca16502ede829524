"""Feed-forward networks: where they live, forward, back-propagation (see `models.mlp`).

Floors of a step with Adam of a classifier 784-512-512-10, 100 rows, on one thread of a Granite Rapids of
2.6 GHz. Forward, gradients and deltas are 133, 133 and 53 million operations: 1.9 ms at
166 GFLOP/s. W and Adam's two means, 669,000 numbers each, are read and written once, 16 MB: 0.4 ms at the
40 GB/s that a core gets from the last cache. Measured are 2.3 ms, forward 0.7, deltas 0.4 and gradients
with Adam 1.2: the multiply-adds bound it, and the cache what they leave. Of rows of zeros and ones, and
of others most of which is 0, the first layer adds what is on.
"""

from typing import Any

import numpy as np

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros, apart, store, whole
from ebmbench.kernels.cpu.dropout import thin
from ebmbench.kernels.cpu.layers import DENSE, count_on
from ebmbench.kernels.cpu.outer import Outer
from ebmbench.kernels.cpu.propagation import delta_below, propagate, propagate_sparse, top_delta
from ebmbench.kernels.cpu.threads import launch, launch_shared, layer_work, split
from ebmbench.models.dropout import Dropout
from ebmbench.models.mlp import MLP, Activations
from ebmbench.scalar import ACTIVATIONS, LINEAR

Tree = dict[str, Any]

_LOOKED_AT = 8  # one of so many rows is enough to choose how a product is done, not what it gives


class Network:
    """A network's device arrays by name: W1, c1, ..., each [inputs, `apart`] or [`apart`]."""

    kind = MLP.kind

    def __init__(self, model: MLP, arithmetic: str) -> None:
        self.activations, self.sizes, self.names = model.activations, model.sizes, model.names
        self.arithmetic = arithmetic
        self.arrays = {name: store(values, apart) for name, values in model.parameters.items()}
        self.kinds = [ACTIVATIONS.index(name) for name in model.activations]
        self.zero = aligned_zeros(apart(max(model.sizes)))


def get(model: Network) -> MLP:
    """See `Backend.get`."""
    return MLP.of(get_tree(model, model.arrays), model.activations)


def get_tree(model: Network, tree: Tree) -> Tree:
    """See `Backend.get_tree`."""
    units = {name: model.sizes[int(name[1:])] for name in tree}
    return {name: np.array(np.asarray(values)[..., : units[name]]) for name, values in tree.items()}


def put_tree(model: Network, tree: Tree) -> Tree:
    """See `Backend.put_tree`."""
    return {name: store(np.asarray(values), apart) for name, values in tree.items()}


def zeros(model: Network) -> Tree:
    """See `Backend.zeros`."""
    return {name: aligned_zeros(*values.shape) for name, values in model.arrays.items()}


@jit
def _share_on(x):
    """The share of numbers that are not 0, of every `_LOOKED_AT`th row; x: float32 [B, units]."""
    count = looked_at = 0
    for r in range(0, x.shape[0], _LOOKED_AT):
        count += count_on(x[r])
        looked_at += x.shape[1]
    return count / looked_at


def forward(model: Network, x: np.ndarray, dropout: Dropout) -> Activations:
    """See `Backend.forward`: of x, and of each layer's rows, float32 [B, `apart`]."""
    found, rows = Activations([x], [], dropout), len(x)
    for n, kind in enumerate(model.kinds, 1):
        W, c = model.arrays[f"W{n}"], model.arrays[f"c{n}"]
        a = found.given[-1]
        a = thin(a, n - 1, dropout) if found.thinned(n - 1) else a
        out, columns = aligned_empty(rows, c.size), whole(model.sizes[n])
        work = layer_work(rows, len(W), columns)
        if a.dtype == np.uint8 or (n == 1 and _share_on(a) < DENSE):
            launch(propagate_sparse, work, a, W, c[:columns], kind, *split(rows, columns), out)
        else:
            launch_shared(propagate, work, a, 0, len(W), W, 0, c, 0, 0, kind, columns, out)
        found.taken.append(a)
        found.given.append(out)
    return found


def outputs(model: Network, activations: Activations) -> np.ndarray:
    """See `Backend.outputs`."""
    return activations.outputs[:, : model.sizes[-1]].copy()


def _through(
    model: Network, activations: Activations, n: int, delta: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The objective's derivative by the pre-activations of layer n from delta, that by what it gave.

    And its sum over rows; delta: [B, at least as many columns as the layer has units].
    """
    a, columns = activations.given[n], whole(model.sizes[n])
    x, sums = aligned_empty(*a.shape), aligned_zeros(a.shape[1])
    delta = delta.astype(np.float32, copy=False)
    work = layer_work(len(x), 1, columns)
    launch_shared(top_delta, work, delta, a, model.kinds[n - 1], columns, x, sums)
    return x, sums


def _below(model: Network, activations: Activations, n: int, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same of the layer below layer n, counted from 1, whose derivative is x; of the input: by it."""
    W, inputs, thinned = model.arrays[f"W{n}"], model.sizes[n - 1], activations.thinned(n - 1)
    below, sums = aligned_empty(len(x), apart(inputs)), aligned_zeros(apart(inputs))
    direct = n > 1 and not thinned
    a, kind = (activations.given[n - 1], model.kinds[n - 2]) if direct else (below, LINEAR)
    work = layer_work(len(x), *W.shape)
    launch_shared(
        delta_below, work, x, model.sizes[n], W, model.zero, a, kind, whole(inputs), below, sums
    )
    if not thinned:
        return below, sums
    thin(below, n - 1, activations.dropout, below)
    return _through(model, activations, n - 1, below) if n > 1 else (below, sums)


def backward(model: Network, activations: Activations, delta: np.ndarray) -> Tree:
    """See `Backend.backward`; the gradient of W is not written down, see `Outer`."""
    found: Tree = {}
    x, sums = _through(model, activations, len(model.kinds), delta)
    for n in range(len(model.kinds), 0, -1):
        found[f"W{n}"] = Outer(activations.taken[n - 1], x, model.zero, *model.sizes[n - 1 : n + 1])
        found[f"c{n}"] = sums
        if n > 1:
            x, sums = _below(model, activations, n, x)
    return {name: found[name] for name in model.names}


def input_delta(model: Network, activations: Activations, delta: np.ndarray) -> np.ndarray:
    """See `Backend.input_delta`."""
    x, _ = _through(model, activations, len(model.kinds), delta)
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
