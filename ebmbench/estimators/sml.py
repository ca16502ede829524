"""Stochastic maximum likelihood (Younes 1989; Tieleman 2008, as persistent contrastive divergence).

The negative phase's chains persist from update to update, so that they follow the model instead of
restarting at the data; their number is their own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Handle, Negative, Rows, Tree
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.gibbs import Chains, advance, restored, saved, start

__all__ = ["NAME", "Config", "after", "init", "negative", "restored", "saved", "step"]

NAME = "sml"


@dataclass(frozen=True)
class Config:
    """k: sweeps an update, at least 1; chains: how many persist, at least 1."""

    k: int = 1
    chains: int = 100

    def __post_init__(self) -> None:
        require(self.k >= 1, f"k of estimator sml must be at least 1, but is {self.k}")
        require(self.chains >= 1, f"chains of estimator sml must be at least 1, but is {self.chains}")

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"SML-{self.k}"


def init(k: Backend, model: Model, config: Config, key: Key, base: np.ndarray) -> Chains:
    """Chains drawn from the model's visible biases; Gaussian units with their noise."""
    return start(k, model, config.chains, key._replace(stream=Stream.CHAINS))


def step(
    k: Backend, model: Handle, config: Config, state: Chains, batch: Rows, key: Key
) -> tuple[Tree, Chains, dict[str, Any]]:
    """One gradient; see the package's docstring."""
    state = advance(k, model, state, config.k)
    gradient, means = k.moments(model, batch, state.v)
    return gradient, state, {"means": means}


def negative(config: Config, state: Chains, key: Key) -> Negative:
    """See the package's docstring."""
    return Negative(state.v, config.k, state.key)


def after(config: Config, state: Chains, v: Rows, steps: int) -> Chains:
    """See the package's docstring."""
    return Chains(v, state.key.advance(config.k * steps))
