"""Where a field lives, and what an update makes of it: as `cpu.field.device`."""

from dataclasses import dataclass, replace

import numpy as np
from numba import cuda

from ebmbench.kernels.api.device import Tree
from ebmbench.kernels.cuda import memory
from ebmbench.kernels.cuda.device import blocks, store
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload
from ebmbench.kernels.cuda.tile import at
from ebmbench.kernels.cuda.update import health_of, noticed
from ebmbench.models.markov_field import MarkovField
from ebmbench.scalar import LARGEST_PARAMETER

_LARGEST = np.float32(LARGEST_PARAMETER)


@dataclass(eq=False)
class Model:
    """A field's device arrays.

    host: whose graph it is; R, b: float32 [padded]; order, int32 [n_visible]: the units as they are
    drawn; classes: where each colour's begin in it, and their end; starts, int32 [n_visible + 1]: where
    each unit's neighbours begin in units, int32, and heard, float32 [2 n_edges], the couplings to them;
    edges, int32 [2 n_edges]: their places in R; ends int32 [n_edges, 2].
    """

    host: MarkovField
    arithmetic: str
    R: Array
    b: Array
    order: Array
    classes: Array
    starts: Array
    units: Array
    edges: Array
    ends: Array
    heard: Array
    kind: str = MarkovField.kind
    n_hidden: int = 0

    @property
    def n_visible(self) -> int:
        """Number of units."""
        return self.host.n_visible

    @property
    def joined(self) -> tuple[Array, ...]:
        """What a unit hears of whom: starts, units and heard."""
        return self.starts, self.units, self.heard


def put(model: MarkovField, arithmetic: str) -> Model:
    """See `Backend.put`."""
    graph = model.graph
    parts = (graph.order, graph.classes, *graph.neighbours, graph.edges)
    order, classes, starts, units, edges, ends = (upload(part, np.int32) for part in parts)
    found = Model(
        model, arithmetic, store(model.R), store(model.b), order, classes, starts, units, edges, ends,
        empty(units.size),
    )  # fmt: skip
    _listen_again(found)
    return found


@kernel("float32[::1], int32[::1], float32[::1]")
def _hear(R, edges, heard):
    for n in range(at(cuda.grid(1)), at(heard.size), at(cuda.gridsize(1))):
        heard[n] = R[edges[n]]


def _listen_again(model: Model) -> None:
    _hear(blocks(model.heard.size, _hear.threads), model.R, model.edges, model.heard)


def _sizes(model: Model) -> dict[str, int]:
    return {"R": len(model.ends), "b": model.n_visible}


def get(model: Model) -> MarkovField:
    """See `Backend.get`."""
    found = get_tree(model, {"R": model.R, "b": model.b})
    return replace(model.host, R=found["R"], b=found["b"])


def get_tree(model: Model, tree: Tree) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    sizes = _sizes(model)
    return {name: np.array(download(values)[: sizes[name]]) for name, values in tree.items()}


def put_tree(model: Model, tree: dict[str, np.ndarray]) -> Tree:
    """See `Backend.put_tree`."""
    return {name: store(np.asarray(values)) for name, values in tree.items()}


def zeros(model: Model) -> Tree:
    """See `Backend.zeros`."""
    return {"R": memory.zeros(model.R.size), "b": memory.zeros(model.b.size)}


@kernel("float32[::1], float32[::1], float32[::1], float32, float32, float32, int32[::1]")
def _ascend(parameters, velocity, gradient, rate, momentum, decay, health):
    for n in range(at(cuda.grid(1)), at(parameters.size), at(cuda.gridsize(1))):
        v = momentum * velocity[n] + rate * (gradient[n] - decay * parameters[n])
        velocity[n] = v
        parameters[n] += v
        if not abs(parameters[n]) < _LARGEST:  # NaN too
            health[0] = 1


def update(model: Model, velocity: Tree, gradient: Tree, rate, momentum, decay) -> bool:
    """See `Backend.update`; a launch for each parameter that the gradient names."""
    health = health_of(model)
    for name, decays in (("R", decay), ("b", 0.0)):
        if name in gradient:
            parameters = getattr(model, name)
            count = blocks(parameters.size, _ascend.threads)
            moved = parameters, velocity[name], gradient[name]
            _ascend(count, *moved, rate, momentum, decays, health.flag)
    if "R" in gradient:
        _listen_again(model)
    return noticed(health)


JOBS = {
    "put": put,
    "get": get,
    "get_tree": get_tree,
    "put_tree": put_tree,
    "zeros": zeros,
    "update": update,
}
