"""Where a field lives, and what an update makes of it."""

from dataclasses import dataclass, replace

import numpy as np

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros, store
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.update import update_bias
from ebmbench.models.markov_field import MarkovField
from ebmbench.scalar import LARGEST_PARAMETER


@dataclass(eq=False)
class Model:
    """A field's device arrays.

    host: whose graph it is; R float32 [padded], b float32 [padded]; order int32 [n_visible]: the
    units as they are drawn; starts int64 [n_visible + 1]: where each unit's neighbours begin in units,
    int32, and heard, float32 [2 n_edges], the couplings to them; edges int32 [2 n_edges]: their places
    in R; ends int32 [n_edges, 2].
    """

    host: MarkovField
    arithmetic: str
    R: np.ndarray
    b: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    units: np.ndarray
    edges: np.ndarray
    ends: np.ndarray
    heard: np.ndarray
    kind: str = MarkovField.kind
    n_hidden: int = 0

    @property
    def n_visible(self) -> int:
        """Number of units."""
        return self.host.n_visible

    @property
    def joined(self) -> tuple[np.ndarray, ...]:
        """What a unit hears of whom: starts, units and heard."""
        return self.starts, self.units, self.heard


def put(model: MarkovField, arithmetic: str) -> Model:
    """See `Backend.put`."""
    graph = model.graph
    starts, units, edges = graph.neighbours
    found = Model(
        model, arithmetic, store(model.R), store(model.b), graph.order.astype(np.int32), starts,
        units.astype(np.int32), edges.astype(np.int32), graph.edges.astype(np.int32),
        aligned_empty(len(units)),
    )  # fmt: skip
    _hear(found.R, found.edges, found.heard)
    return found


@jit
def _hear(R, edges, heard):
    for place in range(edges.size):
        heard[place] = R[edges[place]]


def _sizes(model: Model) -> dict[str, int]:
    return {"R": len(model.ends), "b": model.n_visible}


def get(model: Model) -> MarkovField:
    """See `Backend.get`."""
    found = get_tree(model, {"R": model.R, "b": model.b})
    return replace(model.host, R=found["R"], b=found["b"])


def get_tree(model: Model, tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    sizes = _sizes(model)
    return {name: np.array(values[: sizes[name]]) for name, values in tree.items()}


def put_tree(model: Model, tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """See `Backend.put_tree`."""
    return {name: store(np.asarray(values)) for name, values in tree.items()}


def zeros(model: Model) -> dict[str, np.ndarray]:
    """See `Backend.zeros`."""
    return {"R": aligned_zeros(model.R.size), "b": aligned_zeros(model.b.size)}


@jit
def _update(R, velocity, gradient, rate, momentum, decay):
    """Whether all couplings stay within bounds."""
    move(R, velocity, gradient, rate, momentum, decay)
    beyond = np.int32(0)
    for n in range(R.size):
        beyond += np.int32(not abs(R[n]) < LARGEST_PARAMETER)  # NaN too
    return beyond == 0


def update(model: Model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; what the gradient does not name stays as it is."""
    rate, momentum, decay = np.float32(rate), np.float32(momentum), np.float32(decay)
    healthy = True
    if "b" in gradient:
        healthy &= update_bias(model.b, velocity["b"], gradient["b"], rate, momentum)
    if "R" in gradient:
        healthy &= _update(model.R, velocity["R"], gradient["R"], rate, momentum, decay)
        _hear(model.R, model.edges, model.heard)
    return healthy


JOBS = {
    "put": put,
    "get": get,
    "get_tree": get_tree,
    "put_tree": put_tree,
    "zeros": zeros,
    "update": update,
}
