"""Toy distributions: uniform over a few patterns, so that everything about them is known."""

import math

import numpy as np

from ebmbench.datasets._dataset import Dataset


def uniform_over(patterns: np.ndarray, name: str, image_shape: tuple[int, int], source: str) -> Dataset:
    """Return the uniform distribution over `patterns`, uint8 [n_patterns, n_visible], all distinct.

    Train and test are both the whole support, so a mean over either is an exact expectation. The
    ceiling is minus the entropy, -log(n_patterns) nats.
    """
    return Dataset(
        name=name,
        train=patterns,
        test=patterns.copy(),
        image_shape=image_shape,
        ceiling=-math.log(len(patterns)),
        source=source,
    )


def all_bit_patterns(n_bits: int) -> np.ndarray:
    """Return every pattern of `n_bits` bits in counting order: uint8 [2**n_bits, n_bits]."""
    numbers = np.arange(2**n_bits)[:, None]
    return ((numbers >> np.arange(n_bits)[::-1]) & 1).astype(np.uint8)
