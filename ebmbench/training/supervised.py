"""Training a network to classify: softmax cross-entropy by back-propagation.

A classifier that a DBN or a DBM initialises (Hinton & Salakhutdinov 2006; Salakhutdinov & Hinton 2009,
section 3.3) is trained as one that starts anywhere else.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Rows, Tree
from ebmbench.models.dropout import Dropout, rates_of
from ebmbench.models.mlp import MLP
from ebmbench.models.rows import check_labels, check_rows, one_hot
from ebmbench.options import require
from ebmbench.training.adam import Adam
from ebmbench.training.sgd import SGD
from ebmbench.training.trainer import Trainer


class Supervised(Trainer):
    """One training run of a network whose last layer is linear, a unit a class.

    rows: [n, sizes[0]], any finite numbers; labels: whole numbers [n] from 0 to sizes[-1] - 1; dropout:
    see `models.dropout.rates_of`. Raises `UserError` for what cannot be.
    """

    def __init__(
        self,
        k: Backend,
        model: MLP,
        rows: np.ndarray,
        labels: np.ndarray,
        optimiser: SGD | Adam | None = None,
        epochs: int = 10,
        batch_size: int = 100,
        seed: int = 0,
        dropout: float | Sequence[float] = 0.0,
    ) -> None:
        require(isinstance(model, MLP), f"Supervised trains an mlp, not a {model.kind}")
        rows = check_rows(rows, model.sizes[0], real=True)
        labels = check_labels(labels, len(rows), model.sizes[-1])
        require(
            model.activations[-1] == "linear",
            f"a classifier ends in a linear layer, but this network in {model.activations[-1]}",
        )
        super().__init__(k, model, len(rows), optimiser or SGD(), epochs, batch_size, seed)
        self._rows: Rows = k.put_rows(rows)
        self._targets: Rows = k.put_rows(one_hot(labels, model.sizes[-1]))
        self._rates = rates_of(dropout, len(model.sizes) - 1)
        self._tally: Any = None

    @property
    def info(self) -> dict[str, Any]:
        """Of the last batch: the mean log-likelihood, nats a row, and how many rows were told wrong.

        Both before the update, of the network that `dropout` has left of it, and fetched when they are
        asked for; empty before the first update.
        """
        if self._tally is None:
            return self._info
        value, wrong = self.k.get_rows(self._tally)
        return {"objective": float(value), "wrong": int(wrong)}

    def _gradient(self) -> tuple[Tree, Tree | None]:
        k, handle = self.k, self._ascent.handle
        dropout = Dropout.of_step(self._rates, self.seed, self.done)
        activations = k.forward(handle, self._shuffled.take(self.done, self._rows), dropout)
        targets = self._shuffled.take(self.done, self._targets)
        delta, self._tally = k.cross_entropy(handle, activations, targets)
        return k.backward(handle, activations, delta), None
