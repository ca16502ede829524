"""An Ising model on a torus as the two colours of a chequerboard, each of which is drawn at once.

Row r of the colour that begins holds the spins at columns 2 j + r mod 2, the other one the spins between
them, so that an array of half the width has all of a colour. Written for any library of arrays with
`roll` and `where`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def halves(v: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Both colours, [chains, height, width / 2], of rows v [chains, height * width]."""
    pairs = v.reshape(-1, height, width // 2, 2)
    odd = np.arange(height)[None, :, None] % 2 == 1
    left, right = pairs[..., 0], pairs[..., 1]
    return np.where(odd, right, left), np.where(odd, left, right)


def whole(first: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rows [chains, height * width] of both colours."""
    odd = np.arange(first.shape[1])[None, :, None] % 2 == 1
    pairs = np.stack([np.where(odd, other, first), np.where(odd, first, other)], axis=-1)
    return pairs.reshape(len(first), -1)


def heard(roll: Callable, where: Callable, odd: Array, other: Array, begins: bool) -> Array:
    """How many neighbours are on of each spin of a colour, from the other one; begins: which it is.

    odd: whether a row's number is odd, [1, height, 1].
    """
    left, right = roll(other, 1, 2), roll(other, -1, 2)
    aside = where(odd, right, left) if begins else where(odd, left, right)
    return other + roll(other, 1, 1) + roll(other, -1, 1) + aside
