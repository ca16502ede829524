"""Contrastive divergence (Hinton 2002): the negative phase is k sweeps away from the data.

The gradient is <v p(h|v)> over the batch minus the same over the batch after k Gibbs sweeps, with h
averaged out in both phases. It follows no objective's gradient exactly (Sutskever & Tieleman 2010),
but its bias shrinks with k.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Handle, Negative, Rows, Tree
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.randomness import Key, Stream

NAME = "cd"


@dataclass(frozen=True)
class Config:
    """k: sweeps of the negative phase, at least 1.

    visible_beta, hidden_beta: inverse temperatures of p(v|h) and p(h|v), > 0: 2 where the layer hears
    the other one twice, as while a DBM is pre-trained (see `models.dbm.composed`).
    """

    k: int = 1
    visible_beta: float = 1.0
    hidden_beta: float = 1.0

    def __post_init__(self) -> None:
        require(self.k >= 1, f"k of estimator cd must be at least 1, but is {self.k}")
        for name in ("visible_beta", "hidden_beta"):
            beta = getattr(self, name)
            sentence = f"{name} of estimator cd must be positive and finite, but is {beta}"
            require(0 < beta < float("inf"), sentence)

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        doubled = (self.visible_beta, self.hidden_beta) != (1.0, 1.0)
        return f"CD-{self.k}" + (
            f", betas {self.visible_beta:g}, {self.hidden_beta:g}" if doubled else ""
        )


def init(k: Backend, model: Model, config: Config, key: Key, base: np.ndarray) -> None:
    """CD keeps nothing between steps."""


def step(
    k: Backend, model: Handle, config: Config, state: None, batch: Rows, key: Key
) -> tuple[Tree, None, dict[str, Any]]:
    """One gradient; see the package's docstring. With betas a half-sweep each at its own temperature."""
    chains = _chains(config, key)
    if config.visible_beta == config.hidden_beta:
        reached, _ = k.gibbs(model, batch, config.k, chains, config.hidden_beta)
    else:
        reached = batch
        for sweep in range(config.k):
            now = chains.advance(sweep)
            h = k.sample_hidden(model, reached, now, config.hidden_beta)
            reached = k.sample_visible(model, h, now, config.visible_beta)
    gradient, means = k.moments(model, batch, reached, config.hidden_beta)
    return gradient, None, {"means": means}


def _chains(config: Config, key: Key) -> Key:
    return key._replace(stream=Stream.CONTRASTIVE, step=key.step * config.k)


def negative(config: Config, state: None, key: Key) -> Negative | None:
    """See the package's docstring; half-sweeps at two temperatures are none of a backend's sweeps."""
    if config.visible_beta != config.hidden_beta:
        return None
    return Negative(None, config.k, _chains(config, key), config.hidden_beta)


def after(config: Config, state: None, v: None, steps: int) -> None:
    """See the package's docstring."""
