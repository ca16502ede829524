"""The labelled shifter ensemble."""

import numpy as np

from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets._support import all_bit_patterns, uniform_over

NAME = "labelled_shifter"
DESCRIPTION = "labelled shifter: 768 patterns of 19 bits, ceiling -log 768 = -6.6438 nats"


def load() -> Dataset:
    """Load the labelled shifter ensemble: uint8 [768, 19].

    A row is a pattern of 8 bits, the same pattern shifted by one place with wrap-around, and 3 bits
    of which one is on and says how it was shifted: left, not at all, right. All 256 * 3 rows are
    equally likely. No single pixel says anything about the shift; that takes both patterns.

    Returns
    -------
    Dataset
        Train and test are the whole support.

    References
    ----------
    G. E. Hinton and T. J. Sejnowski, Learning and relearning in Boltzmann machines, 1986.
    J. Melchior, A. Fischer and L. Wiskott, How to center deep Boltzmann machines, JMLR 17, 2016.
    """
    patterns = all_bit_patterns(8)
    blocks = [
        np.hstack([patterns, np.roll(patterns, shift, axis=1), np.tile(label, (len(patterns), 1))])
        for shift, label in zip((-1, 0, 1), np.eye(3, dtype=np.uint8), strict=True)
    ]
    return uniform_over(
        np.vstack(blocks),
        NAME,
        image_shape=(1, 19),
        source="computed; Hinton & Sejnowski (1986), Melchior, Fischer & Wiskott (JMLR 17, 2016)",
    )
