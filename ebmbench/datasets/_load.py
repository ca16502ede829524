"""From what the user typed to data: a dataset's name, or the path of a file."""

import os
from pathlib import Path

import numpy as np

from ebmbench.datasets import _user_file
from ebmbench.datasets._arrays import check_file
from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets._registry import names, registered
from ebmbench.discovery import unknown
from ebmbench.errors import UserError


def load(name_or_path: str | os.PathLike[str], real: bool = False) -> Dataset:
    """Load a built-in dataset by its name, or a user's file by its path.

    Parameters
    ----------
    name_or_path : str or os.PathLike
        One of `names()`, or the path of a ``.npz``, ``.npy``, ``.csv`` or ``.csv.gz`` file. What
        holds a dot or a slash is a path. A ``.npz`` has the arrays ``x_train`` and ``x_test`` (or
        ``train`` and ``test``) and, if wanted, the labels ``y_train`` and ``y_test``; or it has
        ``x``, and ``y`` if wanted, or a single array of any name. One array, and that of a ``.npy``
        or ``.csv`` file, is split: a fifth of its rows, always the same ones, becomes the test set.
        A ``.csv`` has commas and may start with a line of column titles. All values are numbers in
        [0, 1]; pickled objects are never loaded.
    real : bool
        For a model of Gaussian units: a file's values may be any finite numbers.

    Returns
    -------
    Dataset
        Its rows are uint8 if every value is 0 or 1, otherwise float32. For a file, the picture is
        a square where the number of columns is a square number.

    Raises
    ------
    UserError
        If there is no such dataset or file, or the file does not hold such rows.
    """
    source = os.fspath(name_or_path)
    if source in registered():
        return registered()[source].load()
    _require_path(source)
    return _user_file.load(source, real)


def read_rows(spec: str, real: bool = False) -> tuple[np.ndarray, Dataset | None]:
    """Read the rows that `spec` names.

    Parameters
    ----------
    spec : str
        ``NAME:train`` or ``NAME:test`` for one part of a built-in dataset; ``NAME`` alone means its
        test set. Or the path of a file as `load` takes it: then the rows are all those of its one
        array, or those of its test array where it has train and test. With ``:train`` or ``:test``
        behind the path, the rows are the part which `load` makes of the file.
    real : bool
        As for `load`.

    Returns
    -------
    rows : numpy.ndarray
        Shape [n_rows, n_visible], uint8 (0 and 1) or float32.
    dataset : Dataset or None
        The dataset from which they come; None for a file of one array, which has no train set.

    Raises
    ------
    UserError
        As `load` does, and if a built-in dataset has no such part.
    """
    source, part = _parsed(spec)
    if not _parted(source, part):
        return _user_file.read(source, real), None
    dataset = load(source, real)
    return (dataset.train if part == "train" else dataset.test), dataset


def read_labels(spec: str) -> np.ndarray:
    """Read the classes of the rows that `read_rows` gives for the same text.

    Returns
    -------
    numpy.ndarray
        int64 of shape [n_rows].

    Raises
    ------
    UserError
        As `read_rows`, and if the rows have no classes.
    """
    source, part = _parsed(spec)
    if _parted(source, part):
        dataset = load(source, real=True)
        labels = dataset.labels_train if part == "train" else dataset.labels_test
    else:
        labels = _user_file.read_labels(source)
    if labels is None:
        raise UserError(f"{spec} has no labels, so nobody can say which rows are told wrong.")
    return labels


def _parsed(spec: str) -> tuple[str, str]:
    """A dataset's name or a file's path, and which part of it, if that is said."""
    source, _, part = spec.rpartition(":")
    if source in registered() and part not in ("train", "test"):
        raise UserError(f"Unknown part {part!r} in {spec!r}; say {source}:train or {source}:test.")
    return (source, part) if part in ("train", "test") else (spec, "")


def _parted(source: str, part: str) -> bool:
    """Whether the rows are a part of a dataset, and not all rows of a file."""
    if source in registered():
        return True
    _require_path(source)
    return bool(part) or _user_file.has_two_parts(source)


def check_name(name: str) -> None:
    """`UserError` where `name` is neither a built-in dataset nor an existing file."""
    if name not in registered():
        _require_path(name)
        check_file(Path(name))


def _require_path(text: str) -> None:
    if any(mark in text for mark in "./\\"):
        return
    raise unknown("dataset", text, [*names(), "or the path of a .npz, .npy or .csv file"])
