"""Handwritten digits of 8 x 8 pixels, which come with scikit-learn."""

import numpy as np

from ebmbench.datasets._dataset import Dataset

NAME = "digits"
DESCRIPTION = "handwritten digits, 8 x 8, black and white: 1437 to train on, 360 to test on"

# The pixels count ink from 0 to 16.
THRESHOLD = 8


def load() -> Dataset:
    """Load the binarised digits: train uint8 [1437, 64], test uint8 [360, 64], with labels.

    A pixel is on where it has half the ink or more. Every fifth picture, counted with the pictures
    in order of class, is a test picture; so each class gives a fifth, and the split depends on no
    random numbers.

    Returns
    -------
    Dataset
        The pictures of each part keep scikit-learn's order.

    References
    ----------
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998.
    """
    from sklearn.datasets import load_digits  # takes long to import

    pixels, labels = load_digits(return_X_y=True)
    rows = (pixels >= THRESHOLD).astype(np.uint8)
    in_test = np.zeros(len(rows), dtype=bool)
    in_test[np.argsort(labels, kind="stable")[::5]] = True
    return Dataset(
        name=NAME,
        train=rows[~in_test],
        test=rows[in_test],
        image_shape=(8, 8),
        ceiling=None,
        labels_train=labels[~in_test].astype(np.int64),
        labels_test=labels[in_test].astype(np.int64),
        source="scikit-learn's load_digits: Alpaydin & Kaynak, UCI repository (1998), CC BY 4.0",
    )
