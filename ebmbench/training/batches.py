"""Batches of rows in a fixed random order, a new one each epoch."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Batched, Rows
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed, permutation, states

Redraw = Callable[[int], Rows]  # an epoch's number -> its rows, on the device


def redrawn(k: Backend, rows: np.ndarray, sampled: bool, seed: int) -> Redraw | None:
    """What draws binary rows anew each epoch where they are `sampled` from probabilities, or None.

    rows: float32 [n, n_visible] in [0, 1]. The same epochs of several trainers see the same draws.
    Raises `UserError` where nothing is to be drawn.
    """
    if not sampled:
        return None
    grey = rows.dtype == np.float32 and rows.min() >= 0 and rows.max() <= 1
    require(grey, "only grey rows, numbers between 0 and 1, can be sampled anew each epoch")
    return lambda epoch: k.put_rows(states(rows, Key(seed, Stream.DATA, epoch)))


class Source:
    """Rows on the device that are the same in every epoch, or `drawn` anew.

    Of those that are drawn only one epoch's are kept, and they are made again after a restart.
    """

    def __init__(self, k: Backend, rows: np.ndarray, redraw: Redraw | None = None) -> None:
        self._redraw, self._epoch = redraw, -1
        self.drawn = redraw is not None
        self._rows: Rows = k.put_rows(rows) if redraw is None else None

    def of(self, epoch: int) -> Rows:
        """All rows of an epoch."""
        if self._redraw is not None and epoch != self._epoch:
            self._rows = None  # make room first
            self._rows, self._epoch = self._redraw(epoch), epoch
        return self._rows


class Batches:
    """Which rows batch number 0, 1, ... holds: a function of the seed alone, whatever was taken before.

    size: rows a batch, at most all of them; an epoch's last one may be shorter; count: batches an epoch.
    """

    def __init__(self, k: Backend, n_rows: int, size: int, seed: int) -> None:
        require(isinstance(size, int), f"the batch size must be whole, but is {size}")
        require(size >= 1, f"the batch size must be at least 1, but is {size}")
        self.k = k
        self.n_rows = n_rows
        self.size = min(size, n_rows)
        self.count = -(-n_rows // self.size)
        self.seed = check_seed(seed)
        self._epoch, self._order = -1, np.empty(0, np.int64)  # that epoch's
        self._on_device: Any = None  # the same, once it is asked for

    def of(self, number: int, source: Source) -> Rows:
        """The rows of batch `number`, on the device."""
        return self.take(number, source.of(number // self.count))

    def take(self, number: int, rows: Rows) -> Rows:
        """The rows of batch `number`, on the device, of an array that holds all n_rows of them."""
        epoch, place = divmod(number, self.count)
        order, first = self._order_of(epoch), place * self.size
        if self._on_device is None:
            self._on_device = self.k.put_index(order)
        return self.k.take(rows, self._on_device, first, min(self.size, self.n_rows - first))

    def several(self, number: int, most: int, source: Source) -> Batched:
        """At most so many batches, from `number` on; of rows that are drawn anew those of one epoch."""
        first, place = divmod(number, self.count)
        if source.drawn:
            most = min(most, self.count - place)
        places = np.arange(place, place + most) % self.count
        sizes = np.minimum(self.size, self.n_rows - places * self.size)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        last, end = divmod(number + most - 1, self.count)
        orders = [self._order_of(epoch) for epoch in range(first, last + 1)]
        orders[-1] = orders[-1][: (end + 1) * self.size]
        orders[0] = orders[0][place * self.size :]
        return Batched(source.of(first), self.k.put_index(np.concatenate(orders)), starts)

    def _order_of(self, epoch: int) -> np.ndarray:
        """In which an epoch takes the rows."""
        if epoch != self._epoch:
            self._order = permutation(Key(self.seed, Stream.SHUFFLING, epoch), self.n_rows)
            self._epoch, self._on_device = epoch, None
        return self._order
