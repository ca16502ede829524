"""MNIST in black and white, sampled anew each epoch, and tested on the usual sampling."""

import numpy as np

from ebmbench.datasets import binarized_mnist, mnist
from ebmbench.datasets._dataset import Dataset

NAME = "dynamic_mnist"
DESCRIPTION = "MNIST sampled to binary anew each epoch, tested on the rows of binarized_mnist"


def load() -> Dataset:
    """Load dynamically binarised MNIST: train float32 [60000, 784], test uint8 [10000, 784].

    The rows to train on are the grey values, with which the pixels of an epoch are set to 1: that is how
    Salakhutdinov and his colleagues trained the models whose figures on `binarized_mnist` are published.
    A model that always sees the same sampling learns its noise, too. A row reads its picture column by
    column, as those of `binarized_mnist` do.

    Returns
    -------
    Dataset
        The rows to train on in MNIST's order, those to test on in that of `binarized_mnist`.

    Raises
    ------
    UserError
        If a file is neither there nor to be had, or is not the original.

    References
    ----------
    R. Salakhutdinov and G. Hinton, Deep Boltzmann machines, AISTATS 2009 (and the published code).
    """
    grey, sampled = mnist.load(), binarized_mnist.load()
    upright = grey.train.reshape(-1, 28, 28)
    return Dataset(
        name=NAME,
        train=np.ascontiguousarray(upright.transpose(0, 2, 1)).reshape(len(upright), -1),
        test=sampled.test,
        image_shape=(28, 28),
        ceiling=None,
        image_order=sampled.image_order,
        source=f"{grey.source}; test rows: {sampled.source}",
        sampled=True,
    )
