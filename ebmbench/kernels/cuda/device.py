"""Where models and rows live: float32 arrays in the GPU's memory whose rows end on a whole line.

W is kept a second time transposed, because v -> h adds rows of W and h -> v rows of its transpose.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda import direct
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.faults import explained
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload
from ebmbench.models.rbm import RBM
from ebmbench.options import require

LINE = 32  # floats: what a warp reads at once


def padded(n: int) -> int:
    """The number of columns with which n of them are stored."""
    return -(-n // LINE) * LINE


def padded_rows(values: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
    """A copy whose rows are padded with zeros."""
    out = np.zeros((*values.shape[:-1], padded(values.shape[-1])), dtype)
    out[..., : values.shape[-1]] = values
    return out


def store(values: np.ndarray) -> Array:
    """A copy on the device as float32 whose rows are padded with zeros."""
    return upload(padded_rows(values))


@dataclass(eq=False)
class Model:
    """A model's device arrays: W [n_visible, padded], Wt [n_hidden, padded], b and c [padded]."""

    n_visible: int
    n_hidden: int
    arithmetic: str
    W: Array
    Wt: Array
    b: Array
    c: Array
    kind: str = RBM.kind
    derived: dict[str, Any] = field(default_factory=dict)  # what a path makes of W once, by its name

    @property
    def to_hidden(self) -> Array:
        """What v is multiplied by on its way to the hidden units, [n_visible, padded]."""
        return self.W

    @cached_property
    def flat(self) -> tuple[Array, Array]:
        """`to_hidden` and Wt as one row each, in the same memory: what an offset of 32 bits reaches.

        Raises `UserError` where it does not.
        """
        sentence = f"W must hold fewer than {2**32} numbers, but holds {self.W.size}"
        require(self.W.size < 2**32 and self.Wt.size < 2**32, sentence)
        return self.to_hidden.ravel(), self.Wt.ravel()


def put(model: RBM, arithmetic: str) -> Model:
    """See `Backend.put`."""
    W, Wt, b, c = (store(x) for x in (model.W, model.W.T, model.b, model.c))
    return Model(model.n_visible, model.n_hidden, arithmetic, W, Wt, b, c)


def get(model: Model) -> RBM:
    """See `Backend.get`."""
    nv, nh = model.n_visible, model.n_hidden
    return RBM(download(model.W)[:, :nh], download(model.b)[:nv], download(model.c)[:nh])


def put_rows(rows: np.ndarray) -> Array:
    """See `Backend.put_rows`."""
    rows = np.ascontiguousarray(rows)
    binary = bool(((rows == 0) | (rows == 1)).all())
    return upload(rows, np.uint8 if binary else np.float32)


def get_tree(model: Model, tree: dict[str, Array]) -> dict[str, np.ndarray]:
    """See `Backend.get_tree`."""
    columns = {"W": model.n_hidden, "b": model.n_visible, "c": model.n_hidden}
    columns["log_precision"] = model.n_visible
    return {name: np.array(download(value)[..., : columns[name]]) for name, value in tree.items()}


def put_tree(model: Model, tree: dict[str, np.ndarray]) -> dict[str, Array]:
    """See `Backend.put_tree`."""
    return {name: store(np.asarray(value)) for name, value in tree.items()}


@kernel("rows[:,::1], int64[::1], int64, rows[:,::1]")
def _take(rows, index, first, out):
    columns = out.shape[1]
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        r = n // columns
        out[r, n - r * columns] = rows[index[first + r], n - r * columns]


def take(rows: Array, index: Any, first: int, count: int) -> Array:
    """See `Backend.take`."""
    if isinstance(index, np.ndarray):
        index = put_index(index)
    out = empty((count, rows.shape[1]), rows.dtype)
    if out.size:
        _take(blocks(out.size, _take.threads), rows, index, first, out)
    return out


@kernel("rows[:,::1], float32[:,::1]")
def _widen(rows, out):
    columns = out.shape[1]
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        r = n // columns
        out[r, n - r * columns] = rows[r, n - r * columns]


def floats(rows: Array) -> Array:
    """A copy as float32."""
    out = empty(rows.shape)
    if out.size:
        _widen(blocks(out.size, _widen.threads), rows, out)
    return out


def as_float(rows: Array) -> Array:
    """As float32, which they may be already."""
    return rows if rows.dtype == np.float32 else floats(rows)


def alike(first: Array, second: Array) -> tuple[Array, Array]:
    """Both as they are where they are of one dtype, else both as float32."""
    if first.dtype == second.dtype:
        return first, second
    return as_float(first), as_float(second)


@kernel("rows[:,::1], rows[:,::1], rows[:,::1]")
def _stack(first, second, out):
    above, columns = first.shape[0], out.shape[1]
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        r = n // columns
        j = n - r * columns
        out[r, j] = first[r, j] if r < above else second[r - above, j]


def stack(first: Array, second: Array) -> Array:
    """See `Backend.stack`."""
    first, second = alike(first, second)
    out = empty((len(first) + len(second), first.shape[1]), first.dtype)
    if out.size:
        _stack(blocks(out.size, _stack.threads), first, second, out)
    return out


def put_index(index: np.ndarray) -> Array:
    """See `Backend.put_index`."""
    return upload(index, np.int64)


def blocks(work: int, threads: int) -> int:
    """Blocks of a grid for so many pieces of work, one a thread where the GPU has room for it."""
    return max(1, min(-(-work // threads), 4096))


def synchronize() -> None:
    """See `Backend.synchronize`."""
    with explained():
        cuda.synchronize()


def describe() -> dict[str, Any]:
    """See `Backend.describe`."""
    if SIMULATED:
        return {"device": "CUDA simulator"}
    from importlib.metadata import version

    with explained():
        gpu = cuda.get_current_device()
        name = gpu.name.decode() if isinstance(gpu.name, bytes) else gpu.name
        return {
            "device": name,
            "library": f"numba-cuda {version('numba-cuda')}",
            "compute_capability": ".".join(map(str, gpu.compute_capability)),
            "multiprocessors": gpu.MULTIPROCESSOR_COUNT,
            "launches": direct.described(),
        }


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "put_rows": put_rows,
    "get_rows": download,
    "put_evidence": lambda evidence: upload(evidence, np.float32),
    "put_index": put_index,
    "take": take,
    "stack": stack,
    "is_binary": lambda rows: rows.dtype == np.uint8,
    "synchronize": synchronize,
    "describe": describe,
}
JOBS = {"put": put, "get": get, "get_tree": get_tree, "put_tree": put_tree}
