"""Sampling by code of the user's own.

    sample(W, b, c, chains, seed, **settings)

is a generator that yields after each sweep the visible states of all its chains, 0 and 1 [chains,
n_visible], without end; W, b and c are the RBM's, float64. Each row is a chain of its own, as what is
said of effective draws and of R-hat takes them to be.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebmbench.harness import user_code
from ebmbench.harness.tasks import in_words
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.options import like, require
from ebmbench.randomness import Key

SIGNATURE = "sample(W, b, c, chains, seed)"


@dataclass
class Chains:
    """The generator, and what it yielded last: uint8 [chains, n_visible]."""

    sweeps: Iterator[Any]
    v: np.ndarray


@dataclass(frozen=True)
class Sampler:
    """settings: further arguments of `sample`."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return in_words(user_code.called(self.name), self.settings)

    def start(self, k: Backend, model: Model, count: int, base: np.ndarray, key: Key) -> Chains:
        """So many chains, before their first sweep."""
        require(isinstance(model, RBM), f"{self.name} is other software, which samples RBMs here")
        given: dict[str, Any] = {name: x.copy() for name, x in model.parameters.items()}
        given |= {"chains": count, "seed": int(key.seed)}
        sweeps = user_code.steps(self.name, SIGNATURE, self.settings, **given)
        return Chains(sweeps, np.empty((count, model.n_visible), np.uint8))

    def advance(self, k: Backend, handle: Handle, state: Chains, sweeps: int) -> Chains:
        """The chains after some sweeps; `UserError` for what are no states of theirs."""
        found: Any = state.v
        for _ in range(sweeps):
            found = next(state.sweeps)
        v = like(f"v of {self.name}", np.asarray(found), state.v.shape)
        require(bool(np.isin(v, (0, 1)).all()), f"v of {self.name} has states other than 0 and 1")
        return Chains(state.sweeps, v.astype(np.uint8))

    def rows(self, k: Backend, state: Chains) -> Rows:
        """The chains' v."""
        return k.put_rows(state.v)

    def facts(self, state: Chains) -> dict[str, Any]:
        """Nothing beside the draws."""
        return {}
