"""The checks that turn arrays from outside into rows and labels."""

from collections.abc import Sequence

import numpy as np

from ebmbench.errors import UserError


def as_rows(arrays: Sequence[np.ndarray], labels: Sequence[str], real: bool = False) -> list[np.ndarray]:
    """Check arrays of numbers and give all of them the same dtype.

    Parameters
    ----------
    arrays : sequence of numpy.ndarray
        Each [n_rows, n_visible], of bool, int or float.
    labels : sequence of str
        What an error message calls each array.
    real : bool
        Any finite numbers are rows; otherwise those in [0, 1].

    Returns
    -------
    list of numpy.ndarray
        uint8 if every value of every array is 0 or 1, otherwise float32.

    Raises
    ------
    UserError
        If an array is not 2-D, is empty, is not of numbers, has a value outside [0, 1] (or, where
        `real`, one that is not finite), or has another number of columns than the first one, which
        is the training set.
    """
    for array, label in zip(arrays, labels, strict=True):
        _check(array, label, real)
        if array.shape[1] != arrays[0].shape[1]:
            raise UserError(
                f"{label} has {array.shape[1]} columns where the training rows have {arrays[0].shape[1]}."
            )
    binary = all(((array == 0) | (array == 1)).all() for array in arrays)
    dtype = np.uint8 if binary else np.float32
    return [np.ascontiguousarray(array, dtype) for array in arrays]


def as_labels(array: np.ndarray, label: str, n_rows: int) -> np.ndarray:
    """Return class labels as int64 [n_rows], or raise UserError if they are not whole numbers."""
    if array.dtype.kind not in "iu":
        raise UserError(f"{label} holds {array.dtype} values; labels must be whole numbers.")
    if array.shape != (n_rows,):
        raise UserError(f"{label} has the shape {array.shape}, not ({n_rows},), a label for each row.")
    return array.astype(np.int64)


def _check(array: np.ndarray, label: str, real: bool) -> None:
    if array.dtype.kind not in "biuf":
        wanted = "numbers" if real else "numbers in [0, 1]"
        raise UserError(f"{label} holds {array.dtype} values; rows must be {wanted}.")
    if array.ndim != 2:
        raise UserError(f"{label} is {array.ndim}-D; it must be 2-D, one row for each example.")
    for size, what in zip(array.shape, ("rows", "columns"), strict=True):
        if size == 0:
            raise UserError(f"{label} has no {what}.")

    largest = np.finfo(np.float32).max
    lowest, highest = (-largest, largest) if real else (0, 1)
    inside = (array >= lowest) & (array <= highest)  # False for NaN too
    if inside.all():
        return
    row, column = np.argwhere(~inside)[0]
    value = array[row, column]
    outside = "beyond what float32 holds" if real else "outside [0, 1]"
    problem = outside if np.isfinite(value) else "not a finite number"
    grey = not real and array.min() >= 0 and 128 <= array.max() <= 255
    hint = "; divide by 255 first" if grey else ""
    raise UserError(
        f"{label} has the value {value} in row {row}, column {column} (counted from 0), "
        f"which is {problem}{hint}."
    )
