"""Where models and rows live: for the reference backend, NumPy arrays in float64."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM


@dataclass(eq=False)
class Model:
    """A model whose parameters an update may replace in place."""

    W: np.ndarray
    b: np.ndarray
    c: np.ndarray
    arithmetic: str
    kind: str = RBM.kind

    @property
    def n_visible(self) -> int:
        """Number of visible units."""
        return self.W.shape[0]

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.W.shape[1]


def put(model: RBM, arithmetic: str) -> Model:
    """See `Backend.put`."""
    return Model(model.W.copy(), model.b.copy(), model.c.copy(), arithmetic)


def get(model: Model) -> RBM:
    """See `Backend.get`."""
    return RBM(model.W.copy(), model.b.copy(), model.c.copy())


def put_rows(rows: np.ndarray) -> np.ndarray:
    """See `Backend.put_rows`."""
    return np.array(rows, np.float64)


def get_tree(model: Model, tree: dict) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    return {name: np.array(value) for name, value in tree.items()}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "put_rows": put_rows,
    "get_rows": np.array,
    "take": lambda rows, index: rows[index],
    "is_binary": lambda rows: bool(((rows == 0) | (rows == 1)).all()),
    "synchronize": lambda: None,
    "describe": lambda: {"device": "cpu", "library": f"NumPy {np.__version__}"},
}
JOBS = {"put": put, "get": get, "get_tree": get_tree}
