"""Bars and stripes on a 3 x 3 grid."""

from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets.bars_and_stripes import build

NAME = "bars_and_stripes_3x3"
DESCRIPTION = "bars and stripes, 3 x 3: 14 patterns, ceiling -log 14 = -2.6391 nats"


def load() -> Dataset:
    """Load the 3 x 3 grid: uint8 [14, 9]; see `ebmbench.datasets.bars_and_stripes.build`."""
    return build(3, NAME)
