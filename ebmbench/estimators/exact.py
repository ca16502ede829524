"""The log-likelihood gradient itself, by enumeration of the smaller layer: the truth for the rest."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Handle, Rows, Tree
from ebmbench.models.enumerate import check_enumerable
from ebmbench.models.model import Model
from ebmbench.randomness import Key

NAME = "exact"


@dataclass(frozen=True)
class Config:
    """Nothing to choose."""

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return "exact"


def init(k: Backend, model: Model, config: Config, key: Key, base: np.ndarray) -> None:
    """`UserError` where the smaller layer is too large to enumerate."""
    check_enumerable(model)


def step(
    k: Backend, model: Handle, config: Config, state: None, batch: Rows, key: Key
) -> tuple[Tree, None, dict[str, Any]]:
    """One gradient; see the package's docstring."""
    (gradient, means), log_z = k.exact_gradient(model, batch)
    return gradient, None, {"means": means, "log_z": log_z}
