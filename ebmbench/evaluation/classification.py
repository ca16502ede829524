"""How many rows a classifier tells wrong."""

from typing import NamedTuple

import numpy as np

from ebmbench.kernels.api import Backend
from ebmbench.models.augmented import AugmentedMLP
from ebmbench.models.mlp import MLP
from ebmbench.models.rows import check_labels, check_rows, one_hot
from ebmbench.samplers.meanfield import augmented

_BLOCK = 1000  # rows on the device at a time


class Classified(NamedTuple):
    """wrong: of n_rows; mean: log-likelihood of the right class, nats a row.

    of_one_class: the share that would be told wrong by who always says these labels' most frequent class.
    """

    wrong: int
    n_rows: int
    mean: float
    of_one_class: float

    @property
    def error(self) -> float:
        """The share of rows told wrong, in [0, 1]."""
        return self.wrong / self.n_rows

    @property
    def std_error(self) -> float:
        """Of the error as an estimate of that on new rows of the same kind.

        A binomial's, as if two more rows had been told right and two wrong (Agresti & Coull 1998), so
        that a few rows without an error leave a doubt.
        """
        n = self.n_rows + 4
        share = (self.wrong + 2) / n
        return float(np.sqrt(share * (1.0 - share) / n))


def classify(k: Backend, model: MLP | AugmentedMLP, rows: np.ndarray, labels: np.ndarray) -> Classified:
    """What a network makes of rows [n, inputs] with labels [n]: the class of its largest output.

    An `AugmentedMLP` takes rows of v, [n, n_visible]. Raises `UserError` where rows or labels do not fit.
    """
    if isinstance(model, AugmentedMLP):
        rows = augmented(k, model.dbm, check_rows(rows, model.n_visible))
        model = model.mlp
    rows = check_rows(rows, model.sizes[0], real=True)
    labels = check_labels(labels, len(rows), model.sizes[-1])
    targets, handle = one_hot(labels, model.sizes[-1]), k.put(model)
    wrong, total = 0, 0.0
    for first in range(0, len(rows), _BLOCK):
        here = slice(first, first + _BLOCK)
        activations = k.forward(handle, k.put_rows(rows[here]))
        mean, count = k.get_rows(k.cross_entropy(handle, activations, k.put_rows(targets[here])).tally)
        wrong += int(count)
        total += float(mean) * len(rows[here])
    return Classified(wrong, len(rows), total / len(rows), error_of_one_class(labels, labels))


def error_of_one_class(labels: np.ndarray, of: np.ndarray) -> float:
    """The share of labels that are not the most frequent class of others."""
    return float((labels != np.bincount(of).argmax()).mean())


def gains(error: float, std_error: float, of_one_class: float) -> bool:
    """Whether a classifier is better, by three standard errors, than who always says one class."""
    return error + 3.0 * std_error < of_one_class
