"""Bars and stripes on a 4 x 4 grid."""

import numpy as np

from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets._support import all_bit_patterns, uniform_over

NAME = "bars_and_stripes"
DESCRIPTION = "bars and stripes, 4 x 4: 30 patterns, ceiling -log 30 = -3.4012 nats"


def load() -> Dataset:
    """Load the 4 x 4 grid: uint8 [30, 16]; see `build`."""
    return build(4, NAME)


def build(side: int, name: str) -> Dataset:
    """Build bars and stripes on a grid of `side` x `side` pixels.

    A pattern has all its columns constant (bars) or all its rows constant (stripes). The convention
    is MacKay's: each distinct pattern once and equally likely. The two patterns that are both bars
    and stripes, all off and all on, thus count once. Under the other convention in use (first toss
    for the direction, then for each line) they are twice as likely, and the ceiling is another.

    Parameters
    ----------
    side : int
        Pixels along a side.
    name : str
        Name of the dataset.

    Returns
    -------
    Dataset
        2**(side + 1) - 2 patterns of side**2 pixels, uint8.

    References
    ----------
    D. J. C. MacKay, Information Theory, Inference, and Learning Algorithms, 2003, chapter 43.
    """
    lines = all_bit_patterns(side)
    bars = np.tile(lines, side)
    stripes = np.repeat(lines, side, axis=1)
    return uniform_over(
        np.unique(np.vstack([bars, stripes]), axis=0),
        name,
        image_shape=(side, side),
        source="computed; MacKay, Information Theory, Inference, and Learning Algorithms (2003)",
    )
