"""Contrastive divergence (Hinton 2002): the negative phase is k sweeps away from the data.

The gradient is <v p(h|v)> over the batch minus the same over the batch after k Gibbs sweeps, with h
averaged out in both phases. It follows no objective's gradient exactly (Sutskever & Tieleman 2010),
but its bias shrinks with k.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Handle, Rows, Tree
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.randomness import Key, Stream

NAME = "cd"


@dataclass(frozen=True)
class Config:
    """k: sweeps of the negative phase, at least 1."""

    k: int = 1

    def __post_init__(self) -> None:
        require(self.k >= 1, f"k of estimator cd must be at least 1, but is {self.k}")

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"CD-{self.k}"


def init(k: Backend, model: Model, config: Config, key: Key, base: np.ndarray) -> None:
    """CD keeps nothing between steps."""


def step(
    k: Backend, model: Handle, config: Config, state: None, batch: Rows, key: Key
) -> tuple[Tree, None, dict[str, Any]]:
    """One gradient; see the package's docstring."""
    chains = key._replace(stream=Stream.CONTRASTIVE, step=key.step * config.k)
    negative, _ = k.gibbs(model, batch, config.k, chains)
    gradient, means = k.moments(model, batch, negative)
    return gradient, None, {"means": means}
