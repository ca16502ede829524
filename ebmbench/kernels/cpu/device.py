"""Where models and rows live: aligned float32 arrays whose rows end on a whole vector.

W is kept a second time transposed, because v -> h adds rows of W and h -> v rows of its transpose.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.simd import CACHE_LINE, before_line
from ebmbench.kernels.cpu.threads import launch
from ebmbench.kernels.cpu.transpose import turn
from ebmbench.models.rbm import RBM

BINARY = np.dtype(np.uint8)  # of states; asked at each launch, where NumPy's own name takes 1 us
_WIDE = 64  # vectors from which on one more is cheap
_MANY = 8  # ... where it is left out of the work


def padded(n: int) -> int:
    """The number of columns with which n of them are stored.

    Whole vectors, and in wide matrices an odd number of them: a distance between rows that is a power of
    two would put a column's neighbours in all rows into a few sets of the cache, which then miss.
    """
    vectors = whole(n) // LANES
    return LANES * (vectors + 1 if vectors >= _WIDE and vectors % 2 == 0 else vectors)


def whole(n: int) -> int:
    """The number of columns of as many vectors as hold n of them."""
    return -(-n // LANES) * LANES


def apart(n: int) -> int:
    """How far apart rows of n numbers lie that a product of dense matrices takes many of.

    An odd number of vectors, from a few on: 512 columns would lie 2,048 bytes apart, which costs a
    product with 784 such rows a fifth of its time.
    """
    vectors = whole(n) // LANES
    return LANES * (vectors | 1 if vectors >= _MANY else vectors)


def aligned_empty(*shape: int) -> np.ndarray:
    """A float32 array that starts on a cache line, with whatever was there."""
    return _aligned(np.empty, shape)


def aligned_zeros(*shape: int) -> np.ndarray:
    """A float32 array of zeros that starts on a cache line."""
    return _aligned(np.zeros, shape)


def _aligned(make: Callable[..., np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    size = 4 * math.prod(shape)
    try:
        raw = make(size + CACHE_LINE, np.uint8)
    except MemoryError as error:
        raise MemoryError(shape, np.dtype(np.float32)) from error
    return np.ndarray(shape, np.float32, raw, before_line(raw))


def store(values: np.ndarray, columns: Callable[[int], int] = padded) -> np.ndarray:
    """A copy as float32 whose rows are padded with zeros to as many columns."""
    out = aligned_zeros(*values.shape[:-1], columns(values.shape[-1]))
    out[..., : values.shape[-1]] = values
    return out


@dataclass(eq=False)
class Model:
    """A model's device arrays: W [n_visible, padded], Wt [n_hidden, padded], b and c [padded].

    stored: Wt as it was when it was last needed, stale since an update that wrote integers instead;
    integers and what follows: see `standing`.
    """

    n_visible: int
    n_hidden: int
    arithmetic: str
    W: np.ndarray
    stored: np.ndarray
    b: np.ndarray
    c: np.ndarray
    kind: str = RBM.kind
    stale: bool = False
    integers: tuple | None = None
    asked: bool = False
    step: float = 0.0
    spare: tuple = ()

    @property
    def Wt(self) -> np.ndarray:  # noqa: N802
        """The transpose of W."""
        if self.stale:
            launch(turn, self.W.size, self.W, self.n_hidden, self.stored)
            self.stale = False
        return self.stored

    @property
    def to_hidden(self) -> np.ndarray:
        """What v is multiplied by on its way to the hidden units, [n_visible, padded]."""
        return self.W


def put(model: RBM, arithmetic: str) -> Model:
    """See `Backend.put`."""
    W, Wt, b, c = (store(x) for x in (model.W, model.W.T, model.b, model.c))
    return Model(model.n_visible, model.n_hidden, arithmetic, W, Wt, b, c)


def get(model: Model) -> RBM:
    """See `Backend.get`."""
    nv, nh = model.n_visible, model.n_hidden
    return RBM(model.W[:, :nh], model.b[:nv], model.c[:nh])


def put_rows(rows: np.ndarray) -> np.ndarray:
    """See `Backend.put_rows`."""
    rows = np.ascontiguousarray(rows)
    binary = bool(((rows == 0) | (rows == 1)).all())
    return rows.astype(np.uint8 if binary else np.float32)


def get_tree(model: Model, tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    columns = {"W": model.n_hidden, "b": model.n_visible, "c": model.n_hidden}
    columns["log_precision"] = model.n_visible
    return {name: np.array(np.asarray(value)[..., : columns[name]]) for name, value in tree.items()}


def put_tree(model: Model, tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """See `Backend.put_tree`."""
    return {name: store(np.asarray(value)) for name, value in tree.items()}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "put_rows": put_rows,
    "get_rows": np.array,
    "put_evidence": lambda evidence: evidence.astype(np.float32),
    "put_index": lambda index: index,
    "take": lambda rows, index, first, count: rows.take(index[first : first + count], 0),
    "stack": lambda first, second: np.concatenate([first, second]),
    "is_binary": lambda rows: rows.dtype == BINARY,
    "synchronize": lambda: None,
    "describe": lambda: {
        "device": "cpu",
        "library": f"Numba {numba.__version__}",
        "threads": numba.get_num_threads(),
        "pool": numba.threading_layer(),
    },
}
JOBS = {"put": put, "get": get, "get_tree": get_tree, "put_tree": put_tree}
