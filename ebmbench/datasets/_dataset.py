"""What a dataset is."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ebmbench.options import require


# Without eq=False the generated == would compare arrays and raise; two datasets hold the same data
# when their digests agree.
@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to train on and rows to test on.

    Attributes
    ----------
    name : str
        What `ebmbench.datasets.load` was given: a dataset's name, or the path of a user's file.
    train, test : numpy.ndarray
        Shapes [n_train, n_visible] and [n_test, n_visible], both of the same dtype unless ``sampled``:
        uint8 with the values 0 and 1 when the data are binary, otherwise float32, in [0, 1] unless a
        file was loaded as real. For a toy distribution whose law is known, both are the whole support,
        each pattern once.
    image_shape : tuple of int or None
        Height and width with which a row is drawn as a picture; None if it is no picture.
    ceiling : float or None
        The highest mean log-likelihood, in nats per row, that any model can have on ``test``, which
        is minus the entropy of the law; None if the law is unknown.
    labels_train, labels_test : numpy.ndarray or None
        Class of each row, int64 of shapes [n_train] and [n_test]; None if there are no classes.
    image_order : str
        "C" if a row holds its picture line by line, "F" if column by column.
    sampled : bool
        Whether ``train`` holds probabilities, from which binary rows are drawn anew each epoch.
    source : str
        One line: where the data come from, with the paper and the licence.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    image_shape: tuple[int, int] | None
    ceiling: float | None
    labels_train: np.ndarray | None = None
    labels_test: np.ndarray | None = None
    image_order: Literal["C", "F"] = "C"
    source: str = ""
    sampled: bool = False

    @property
    def n_visible(self) -> int:
        """Number of columns, one for each visible unit."""
        return self.train.shape[1]

    @property
    def is_binary(self) -> bool:
        """Whether every value of the rows to train on is 0 or 1."""
        return self.train.dtype == np.uint8

    def require_fixed(self) -> None:
        """Raise `UserError` where rows are drawn anew each epoch, for models that do not draw them."""
        require(
            not self.sampled,
            f"{self.name} draws its rows anew each epoch, which is for models of binary units",
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hexadecimal over dtype, shape and bytes of ``train`` and then of ``test``."""
        return _digest(self.train, self.test)

    @cached_property
    def labels_digest(self) -> str:
        """The same over the labels that there are."""
        parts = (self.labels_train, self.labels_test)
        return _digest(*(part for part in parts if part is not None))


def _digest(*parts: np.ndarray) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(f"{part.dtype.str}{part.shape}".encode())
        sha.update(part.tobytes())
    return sha.hexdigest()
