"""Dropout: a pass through a network from which some units are left out (Srivastava et al. 2014).

Unit i of layer l of row r is kept where its uniform, of chain key.chain + r, step key.step and layer l of
the key's stream, is below 1 - rate; what it gives then counts 1 / (1 - rate) times, so that each unit
above hears on average what it hears from all of them, and the whole network needs no other weights.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from ebmbench.models.model import Array
from ebmbench.options import require
from ebmbench.randomness import LAYERS, Key, Stream, uniforms


class Dropout(NamedTuple):
    """rates: the share left out of each layer but the last, the input first; key: of its uniforms."""

    rates: tuple[float, ...]
    key: Key

    def kept(self, layer: int) -> np.float32:
        """The share of a layer's units that is kept."""
        return np.float32(1.0 - self.rates[layer])

    @staticmethod
    @cache
    def none(layers: int) -> "Dropout":
        """That which leaves nothing out of the layers that so many layers of weights take."""
        return Dropout((0.0,) * layers, Key(0, Stream.DROPOUT))

    @staticmethod
    def of_step(rates: tuple[float, ...], seed: int, step: int) -> "Dropout | None":
        """That of a step of training; None where nothing is left out."""
        return Dropout(rates, Key(seed, Stream.DROPOUT, step)) if any(rates) else None


def rates_of(given: float | Sequence[float], layers: int) -> tuple[float, ...]:
    """A rate for each layer that a layer of weights takes: one number is that of the hidden layers.

    Raises `UserError` where there are not `layers` of them, or one is not in [0, 1).
    """
    for rate in given if isinstance(given, Sequence) else (given,):
        good = isinstance(rate, int | float) and not isinstance(rate, bool) and 0.0 <= rate < 1.0
        require(good, f"a dropout rate must be at least 0 and below 1, but is {rate!r}")
    if not isinstance(given, Sequence):
        require(layers > 1 or given == 0, "a network without hidden layers has nothing to drop out")
        given = 0.0, *[given] * (layers - 1)
    rates = tuple(given)
    require(
        len(rates) == layers,
        f"{layers} layers of weights take {layers} dropout rates, the input's first, or one for all "
        f"hidden layers, but there are {len(rates)}",
    )
    require(not any(rates) or layers <= LAYERS, f"dropout is for at most {LAYERS} layers, not {layers}")
    return rates


def thinned(a: Array, layer: int, dropout: Dropout) -> Array:
    """What a layer that gave a, [B, units], says with units left out."""
    kept = dropout.kept(layer)
    return np.where(uniforms(dropout.key, len(a), a.shape[1], layer) < kept, a / np.float64(kept), 0.0)
