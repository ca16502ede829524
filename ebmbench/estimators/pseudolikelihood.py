"""Pseudolikelihood (Besag 1975): each bit given all the others, so that no partition function is left."""

from dataclasses import dataclass
from typing import Any

from ebmbench.estimators import _flips
from ebmbench.kernels.api import Backend, Handle, Rows, Tree
from ebmbench.randomness import Key

NAME = "pseudolikelihood"
init = _flips.init_of(NAME)


@dataclass(frozen=True)
class Config:
    """stochastic: one random bit a row stands for all of them, unbiased and cheaper."""

    stochastic: bool = False

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return "PL, one bit" if self.stochastic else "PL"


def step(
    k: Backend, model: Handle, config: Config, state: None, batch: Rows, key: Key
) -> tuple[Tree, None, dict[str, Any]]:
    """One gradient; see the package's docstring."""
    return _flips.step(k.pseudolikelihood, config.stochastic, model, batch, key)
