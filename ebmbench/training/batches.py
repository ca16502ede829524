"""Batches of rows in a fixed random order, a new one each epoch."""

from typing import Any

from ebmbench.kernels.api import Backend, Rows
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed, permutation


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
        self._epoch = -1
        self._order: Any = None  # of that epoch, on the device

    def take(self, number: int, rows: Rows) -> Rows:
        """The rows of batch `number`, on the device, of an array that holds all n_rows of them."""
        epoch, place = divmod(number, self.count)
        if epoch != self._epoch:
            order = permutation(Key(self.seed, Stream.SHUFFLING, epoch), self.n_rows)
            self._epoch, self._order = epoch, self.k.put_index(order)
        first = place * self.size
        return self.k.take(rows, self._order, first, min(self.size, self.n_rows - first))
