"""Where a model lives: as `cpu.device`, with the precision, its logarithm and precision * W."""

from dataclasses import dataclass

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import get_tree, put_tree, store
from ebmbench.kernels.cpu.threads import launch
from ebmbench.models.gaussian_rbm import GaussianRBM


@dataclass(eq=False)
class Model:
    """A model's device arrays: to_hidden = precision * W [n_visible, padded], the rest as `cpu.device`.

    log_precision is what an update changes; precision, [padded], is what all jobs read.
    """

    n_visible: int
    n_hidden: int
    arithmetic: str
    W: np.ndarray
    Wt: np.ndarray
    to_hidden: np.ndarray
    b: np.ndarray
    c: np.ndarray
    log_precision: np.ndarray
    precision: np.ndarray
    kind: str = GaussianRBM.kind
    stale: bool = False
    integers: None = None  # none for products with real rows, see `cpu.standing`
    asked: bool = False
    step: float = 0.0

    @property
    def stored(self) -> np.ndarray:
        """Wt: nothing ever stands in for it."""
        return self.Wt


@jit(parallel=True)
def scale(W, precision, to_hidden):
    """to_hidden = precision * W."""
    for i in prange(W.shape[0]):
        for j in range(W.shape[1]):
            to_hidden[i, j] = precision[i] * W[i, j]


def put(model: GaussianRBM, arithmetic: str) -> Model:
    """See `Backend.put`."""
    W, Wt, b, c = (store(x) for x in (model.W, model.W.T, model.b, model.c))
    log_precision, precision = store(model.log_precision), store(model.precision)
    to_hidden = np.empty_like(W)
    launch(scale, W.size, W, precision, to_hidden)
    return Model(
        model.n_visible, model.n_hidden, arithmetic, W, Wt, to_hidden, b, c, log_precision, precision
    )


def get(model: Model) -> GaussianRBM:
    """See `Backend.get`."""
    nv, nh = model.n_visible, model.n_hidden
    found = GaussianRBM(model.W[:, :nh], model.b[:nv], model.c[:nh], model.precision[:nv])
    return found.with_log_precision(model.log_precision[:nv])


JOBS = {"put": put, "get": get, "get_tree": get_tree, "put_tree": put_tree}
