"""Where a model lives: NumPy arrays in float64, the precision as its logarithm."""

from dataclasses import dataclass

import numpy as np

from ebmbench.kernels.reference.device import get_tree, put_tree
from ebmbench.models.gaussian_rbm import GaussianRBM


@dataclass(eq=False)
class Model:
    """A model whose parameters an update may change in place."""

    W: np.ndarray
    b: np.ndarray
    c: np.ndarray
    log_precision: np.ndarray
    arithmetic: str
    kind: str = GaussianRBM.kind

    @property
    def precision(self) -> np.ndarray:
        """Of the visible units, > 0."""
        return np.exp(self.log_precision)

    @property
    def n_visible(self) -> int:
        """Number of visible units."""
        return self.W.shape[0]

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.W.shape[1]


def put(model: GaussianRBM, arithmetic: str) -> Model:
    """See `Backend.put`."""
    return Model(model.W.copy(), model.b.copy(), model.c.copy(), model.log_precision.copy(), arithmetic)


def get(model: Model) -> GaussianRBM:
    """See `Backend.get`."""
    found = GaussianRBM(model.W.copy(), model.b.copy(), model.c.copy(), model.precision)
    return found.with_log_precision(model.log_precision)


JOBS = {"put": put, "get": get, "get_tree": get_tree, "put_tree": put_tree}
