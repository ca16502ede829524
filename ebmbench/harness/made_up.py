"""A model and data of MNIST's size that need no file: what speed is measured on.

Kernels that add only the rows of W whose unit is on, or has flipped, take a time that depends on the
states, so the share of units that are on is that of MNIST and of a model trained on it.
"""

from functools import cache

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream, normals, uniforms

ON_RATE = 0.13  # of MNIST's pixels, binarised
_WEIGHT, _VISIBLE, _HIDDEN = 0.1, -2.5, -1.5  # deviation of W; mean of b and of c


def name(n_visible: int, n_hidden: int) -> str:
    """How tables call the model."""
    return f"a made-up {n_visible}x{n_hidden} RBM"


@cache
def model(n_visible: int, n_hidden: int) -> RBM:
    """Normal weights and biases of a trained model's size: about an eighth and a quarter of units on."""
    key = Key(0, Stream.INITIAL_PARAMETERS)
    W = _WEIGHT * normals(key, n_visible, n_hidden)
    bias = normals(key._replace(chain=n_visible), 2, max(n_visible, n_hidden))
    return RBM(W, _VISIBLE + bias[0, :n_visible], _HIDDEN + bias[1, :n_hidden])


@cache
def rows(count: int, n_visible: int) -> np.ndarray:
    """Binary rows of independent pixels, `ON_RATE` of them on, uint8 [count, n_visible]."""
    return (uniforms(Key(0, Stream.SAMPLES), count, n_visible) < ON_RATE).astype(np.uint8)
