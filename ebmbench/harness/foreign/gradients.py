"""Gradients by code of the user's own.

    gradient(W, b, c, batch, seed, **settings)

returns an estimate of the gradient of a batch's mean log-likelihood, or of another objective, with
respect to an RBM's W, b and c, as three arrays of their shapes; W, b, c and batch, [rows, n_visible], are
float64. Each call has another seed, and shall not depend on the calls before.
"""

from typing import Any

import numpy as np

from ebmbench.errors import UserError
from ebmbench.harness import user_code
from ebmbench.models.rbm import RBM
from ebmbench.options import like, require

SIGNATURE = "gradient(W, b, c, batch, seed)"


class Steps:
    """Gradients of a batch at a model that does not change; settings: further arguments of `gradient`."""

    state = None  # nothing is kept from one to the next

    def __init__(
        self, name: str, settings: dict[str, Any], model: RBM, batch: np.ndarray, seed: int
    ) -> None:
        self._name, self._settings, self._model = name, settings, model
        self._gradient = user_code.function(name, SIGNATURE, settings)
        self._batch = batch.astype(np.float64)
        self._seeds = np.random.SeedSequence(seed)
        self._prepare()

    def _prepare(self) -> None:
        """What the next call is given: none of this is to be clocked."""
        given = {name: x.copy() for name, x in self._model.parameters.items()}
        (seed,) = self._seeds.spawn(1)
        self._given = given | {"batch": self._batch.copy(), "seed": int(seed.generate_state(1)[0])}

    def restart(self, run: int) -> None:
        """Nothing is kept, so there is nothing to begin afresh."""

    def __call__(self) -> list[np.ndarray]:
        """What the user's function returns, as arrays, for which whoever works aside is waited for."""
        found = self._gradient(**self._given, **self._settings)
        try:
            return [np.asarray(x, np.float64) for x in found]
        except (TypeError, ValueError, RuntimeError) as error:
            told = f"gradient of {self._name} must return three arrays, for W, b and c: {error}"
            raise UserError(told) from None

    def vector(self, gradient: Any) -> np.ndarray:
        """W, b and c of a gradient as one float64 vector; `UserError` for what is none."""
        self._prepare()
        parts: list[np.ndarray] = gradient
        if len(parts) != len(self._model.names):
            raise UserError(f"gradient of {self._name} must return three arrays, for W, b and c")
        for name, part in zip(self._model.names, parts, strict=True):
            like(f"{name} of {self._name}", part, self._model.parameters[name].shape)
            require(
                bool(np.isfinite(part).all()), f"{name} of {self._name} has values that are not finite"
            )
        return np.concatenate([np.ravel(part) for part in parts])
