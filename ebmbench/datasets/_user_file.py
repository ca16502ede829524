"""A user's file as a dataset: which of its arrays is what, and the split into train and test."""

import math
from pathlib import Path

import numpy as np

from ebmbench.datasets._arrays import read_arrays
from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets._rows import as_labels, as_rows
from ebmbench.errors import UserError

PAIRS = (("x_train", "x_test"), ("train", "test"))
ROLES = (*PAIRS[0], *PAIRS[1], "y_train", "y_test", "x", "y")


def load(file: str, real: bool = False) -> Dataset:
    """Load a file with one array, which is split, or with a train and a test array."""
    arrays = read_arrays(Path(file), ROLES)
    keys = _row_keys(file, arrays)
    parts = as_rows([arrays[key] for key in keys], [_label(file, key) for key in keys], real)
    if len(parts) == 2:
        train, test = parts
        labels_train = _labels(file, arrays, "y_train", len(train))
        labels_test = _labels(file, arrays, "y_test", len(test))
        source = f"the file {file!r}"
    else:
        in_test = _test_mask(file, len(parts[0]))
        train, test = parts[0][~in_test], parts[0][in_test]
        labels = _labels(file, arrays, "y", len(in_test))
        labels_train = None if labels is None else labels[~in_test]
        labels_test = None if labels is None else labels[in_test]
        source = f"the file {file!r}, a fixed fifth of its rows as the test set"
    side = math.isqrt(train.shape[1])
    return Dataset(
        name=file,
        train=train,
        test=test,
        image_shape=(side, side) if side * side == train.shape[1] else None,
        ceiling=None,
        labels_train=labels_train,
        labels_test=labels_test,
        source=source,
    )


def has_two_parts(file: str) -> bool:
    """Whether the file has a train and a test array of its own."""
    return len(_row_keys(file, read_arrays(Path(file), ROLES))) == 2


def read(file: str, real: bool = False) -> np.ndarray:
    """Return all rows of a file of one array."""
    arrays = read_arrays(Path(file), ROLES)
    key = _row_keys(file, arrays)[-1]
    return as_rows([arrays[key]], [_label(file, key)], real)[0]


def read_labels(file: str) -> np.ndarray | None:
    """Return the labels of all rows of a file of one array; None where it has none."""
    arrays = read_arrays(Path(file), ROLES)
    return _labels(file, arrays, "y", len(arrays[_row_keys(file, arrays)[-1]]))


def _row_keys(file: str, arrays: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Return the names of the train and the test array, or of the one array to be split."""
    for pair in PAIRS:
        missing = [key for key in pair if key not in arrays]
        if not missing:
            return pair
        if len(missing) == 1:
            raise UserError(f"The file {file!r} has no array {missing[0]!r} beside its partner.")
    if "x" in arrays:
        return ("x",)
    if len(arrays) == 1:
        return tuple(arrays)
    raise UserError(
        f"The file {file!r} holds the arrays {', '.join(arrays) or '(none)'}; name them x_train "
        "and x_test, or give a single array x."
    )


def _label(file: str, key: str) -> str:
    """Return what an error message calls this array; a .npy or .csv file has one without a name."""
    return f"The array {key!r} of {file!r}" if key else f"The file {file!r}"


def _labels(file: str, arrays: dict[str, np.ndarray], key: str, n_rows: int) -> np.ndarray | None:
    return as_labels(arrays[key], _label(file, key), n_rows) if key in arrays else None


def _test_mask(file: str, n_rows: int) -> np.ndarray:
    """Choose a fifth of the rows, at least one, as the test set: bool [n_rows].

    The choice depends on nothing but the number of rows. It ranks the raw output of PCG64 because
    numpy promises that stream for ever, while it may change how a `Generator` permutes.
    """
    if n_rows < 2:
        raise UserError(f"The file {file!r} has only 1 row; a train and a test set need 2.")
    order = np.argsort(np.random.PCG64(0).random_raw(n_rows), kind="stable")
    in_test = np.zeros(n_rows, dtype=bool)
    in_test[order[: max(1, n_rows // 5)]] = True
    return in_test
