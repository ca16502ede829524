"""Addresses: global memory whose arrays have bounds, and a block's shared memory."""

import numpy as np

GLOBAL = 1 << 32  # the address of the first byte
SHARED_WINDOW = 1 << 48  # where generic addresses see shared memory
_GUARD = 256  # bytes between arrays, that nobody may touch


class Fault(Exception):
    """A kernel did what a GPU would punish, or worse, not punish."""


class Memory:
    """Bytes with addresses; ranges that belong to nobody raise `Fault` when touched."""

    def __init__(self, size: int, base: int) -> None:
        # As 8-byte words, so that every view is aligned.
        self.words = np.full(-(-size // 8), ~np.uint64(0))
        self.base = base
        self.starts = np.empty(0, np.uint64)
        self.ends = np.empty(0, np.uint64)

    def own(self, start: int, size: int) -> None:
        """Allow an address range."""
        at = np.searchsorted(self.starts, np.uint64(start))
        self.starts = np.insert(self.starts, at, np.uint64(start))
        self.ends = np.insert(self.ends, at, np.uint64(start + size))

    def places(self, address: np.ndarray, size: int) -> np.ndarray:
        """Indices of elements of `size` bytes; every address must be aligned and owned whole."""
        if not address.size:
            return address.astype(np.intp)
        if np.bitwise_or.reduce(address, axis=None) & np.uint64(size - 1):
            raise Fault(f"an address is not a multiple of {size}")
        n = np.searchsorted(self.starts, address.min(), side="right") - 1
        if n < 0 or int(address.max()) + size > int(self.ends[n]):  # or in more than one array
            n = np.searchsorted(self.starts, address, side="right").astype(np.intp) - 1
            if (n < 0).any() or (address + np.uint64(size) > self.ends[n]).any():
                raise Fault("an access outside every array")
        return ((address - np.uint64(self.base)) >> np.uint64(size.bit_length() - 1)).astype(np.intp)

    def load(self, address: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """The values at these addresses."""
        return self.words.view(dtype)[self.places(address, dtype.itemsize)]

    def store(self, address: np.ndarray, values: np.ndarray) -> None:
        """Write values; the last of equal addresses stays."""
        self.words.view(values.dtype)[self.places(address, values.dtype.itemsize)] = values


class Heap(Memory):
    """Global memory that arrays are allocated from, each poisoned and fenced."""

    def __init__(self, size: int = 1 << 26) -> None:
        super().__init__(size, GLOBAL)
        self._next = GLOBAL + _GUARD

    def allocate(self, size: int) -> int:
        """The address of a fresh array."""
        address = self._next
        self._next += -(-max(size, 1) // _GUARD) * _GUARD + _GUARD
        if self._next - GLOBAL > 8 * self.words.size:
            raise MemoryError("the emulated GPU's memory is full")
        self.own(address, size)
        return address

    def array(self, address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """A view of an allocated array."""
        first = (address - GLOBAL) // dtype.itemsize
        return self.words.view(dtype)[first : first + int(np.prod(shape))].reshape(shape)
