"""Where models and rows live: for the reference backend, NumPy arrays in float64."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ebmbench.randomness import normals


class Model:
    """A model of any kind whose parameters an update may change in place."""

    def __init__(self, model, arithmetic: str) -> None:
        self.host, self.kind, self.names = model, model.kind, model.names
        self.n_visible, self.n_hidden, self.arithmetic = model.n_visible, model.n_hidden, arithmetic
        for part in fields(model):
            value = getattr(model, part.name)
            setattr(self, part.name, value.copy() if part.name in model.names else value)


def put(model, arithmetic: str) -> Model:
    """See `Backend.put`."""
    return Model(model, arithmetic)


def get(model: Model):
    """See `Backend.get`."""
    return replace(model.host, **{name: getattr(model, name).copy() for name in model.names})


def put_rows(rows: np.ndarray) -> np.ndarray:
    """See `Backend.put_rows`."""
    return np.array(rows, np.float64)


def get_tree(model: Model, tree: dict) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    return {name: np.array(value) for name, value in tree.items()}


def put_tree(model: Model, tree: dict) -> dict[str, np.ndarray]:
    """See `Backend.put_tree`."""
    return {name: np.array(value, np.float64) for name, value in tree.items()}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "put_rows": put_rows,
    "get_rows": np.array,
    "put_evidence": lambda evidence: evidence,
    "put_index": lambda index: index,
    "take": lambda rows, index, first, count: rows[index[first : first + count]],
    "stack": lambda first, second: np.concatenate([first, second]),
    "add_noise": lambda rows, deviation, key: rows + np.float32(deviation) * normals(key, *rows.shape),
    "is_binary": lambda rows: bool(((rows == 0) | (rows == 1)).all()),
    "synchronize": lambda: None,
    "describe": lambda: {"device": "cpu", "library": f"NumPy {np.__version__}"},
}
JOBS = {"put": put, "get": get, "get_tree": get_tree, "put_tree": put_tree}
