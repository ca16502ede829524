"""Parallel tempering for the negative phase (Desjardins et al. 2010; Cho, Raiko & Ilin 2010).

As in SML chains persist from update to update, but each is the coldest of a ladder, so that it leaves
a mode of the model which block Gibbs sampling alone would stay in.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Handle, Rows, Tree
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.tempering import (
    Ladders,
    advance,
    coldest,
    restored,
    saved,
    spaced,
    start,
    swap_rates,
)

__all__ = ["NAME", "Config", "init", "restored", "saved", "step"]

NAME = "parallel_tempering"


@dataclass(frozen=True)
class Config:
    """k: sweeps an update, at least 1; chains: how many ladders persist; temperatures: of a ladder."""

    k: int = 1
    chains: int = 100
    temperatures: int = 10

    def __post_init__(self) -> None:
        for name, least in (("k", 1), ("chains", 1), ("temperatures", 2)):
            value = getattr(self, name)
            sentence = f"{name} of estimator {NAME} must be at least {least}, but is {value}"
            require(value >= least, sentence)

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"PT-{self.k}"


def init(k: Backend, model: Model, config: Config, key: Key, base: np.ndarray) -> Ladders:
    """Ladders between the data's base rates and the model."""
    betas = spaced(config.temperatures)
    return start(k, model, config.chains, betas, base, key._replace(stream=Stream.CHAINS))


def step(
    k: Backend, model: Handle, config: Config, state: Ladders, batch: Rows, key: Key
) -> tuple[Tree, Ladders, dict[str, Any]]:
    """One gradient; see the package's docstring. info["swap_rates"]: so far, one a pair."""
    state = advance(k, model, state, config.k)
    gradient, means = k.moments(model, batch, coldest(k, state))
    return gradient, state, {"means": means, "swap_rates": swap_rates(state)}
