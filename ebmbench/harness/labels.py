"""What a classifier learns from: rows as it sees them, and their labels."""

from typing import Any

import numpy as np

from ebmbench.datasets import Dataset
from ebmbench.errors import Unavailable
from ebmbench.kernels.api import Backend
from ebmbench.models.dbm import DBM
from ebmbench.options import require
from ebmbench.samplers.meanfield import augmented


def inputs_of(k: Backend, model: Any, rows: np.ndarray) -> np.ndarray:
    """What the classifier that a model initialises sees of rows: of a DBM its means, too."""
    return augmented(k, model, rows) if isinstance(model, DBM) else rows


def labels_of(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Of the rows to train and to test on; `UserError` if they are no classes, `Unavailable` if none."""
    train, test = data.labels_train, data.labels_test
    if train is None or test is None:
        raise Unavailable(f"data set {data.name} has no labels, so nothing can learn them")
    least, most = int(train.min()), int(train.max())
    sentence = f"the labels of {data.name} lie in {least} to {most}, but classes are 0, 1, 2 and so on"
    require(least >= 0 and most < len(train), sentence)
    strange = np.setdiff1d(test, train)
    sentence = f"test rows of {data.name} have labels that no training row has: {strange[:5].tolist()}"
    require(not len(strange), sentence)
    return train, test
