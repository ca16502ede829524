"""Rows of data as models take them."""

import numpy as np

from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.model import Model
from ebmbench.options import require

LARGEST = float(np.finfo(np.float32).max)


def check_rows(
    rows: np.ndarray, n_visible: int | None = None, binary: bool = False, real: bool = False
) -> np.ndarray:
    """`rows` as an array [n, n_visible] of at least one row, all values in [0, 1].

    binary: only 0 and 1; real: any numbers that a float32 can hold.
    Raises `UserError` that says what is wrong.
    """
    rows = np.asarray(rows)
    require(rows.dtype.kind in "buif", f"the data must be numbers, not {rows.dtype}")
    require(rows.ndim == 2, f"the data must be a table of rows, but have {rows.ndim} dimensions")
    require(rows.shape[0] > 0, "the data have no rows")
    require(rows.shape[1] > 0, "the data have no columns")
    require(bool(np.isfinite(rows).all()), "the data hold a value that is not finite")
    if real:
        largest = max(float(rows.max()), -float(rows.min()))
        require(largest <= LARGEST, f"the data hold a value that float32 cannot: {largest:g}")
    else:
        require(bool(((rows >= 0) & (rows <= 1)).all()), "the data hold a value outside [0, 1]")
    if n_visible is not None:
        require(
            rows.shape[1] == n_visible,
            f"the data have {rows.shape[1]} columns, but the model has {n_visible} visible units",
        )
    if binary:
        require(
            bool(((rows == 0) | (rows == 1)).all()),
            "the data are grey, but a model of binary units gives a probability to 0 and 1 only; "
            "binarise them first",
        )
    return rows


def check_states(rows: np.ndarray, model: Model) -> np.ndarray:
    """Rows to which the model gives a probability, or a density: as `check_rows`."""
    real = isinstance(model, GaussianRBM)
    return check_rows(rows, model.n_visible, binary=not real, real=real)


def check_labels(labels: np.ndarray, n_rows: int, classes: int) -> np.ndarray:
    """Labels as int64 [n_rows], each from 0 to classes - 1; `UserError` that says what is wrong."""
    labels = np.asarray(labels)
    require(labels.dtype.kind in "iu", f"labels must be whole numbers, not {labels.dtype}")
    require(labels.shape == (n_rows,), f"{n_rows} rows need as many labels, not the shape {labels.shape}")
    for label in (int(labels.min(initial=0)), int(labels.max(initial=0))):
        require(
            0 <= label < classes,
            f"labels are numbers of classes, here from 0 to {classes - 1}, but one is {label}",
        )
    return labels.astype(np.int64)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """A row of zeros for each label with a one in its place, uint8 [n, classes]."""
    return (labels[:, None] == np.arange(classes)).astype(np.uint8)
