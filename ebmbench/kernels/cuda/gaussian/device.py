"""Where a model lives: as `cuda.device`, with the precision, its logarithm and precision * W."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebmbench.kernels.cuda import device
from ebmbench.kernels.cuda.device import get_tree, put_tree, store
from ebmbench.kernels.cuda.memory import Array, download
from ebmbench.models.gaussian_rbm import GaussianRBM


@dataclass(eq=False)
class Model:
    """A model's device arrays: to_hidden = precision * W [n_visible, padded], the rest as `cuda.device`.

    log_precision is what an update changes; precision, [padded], is what all jobs read.
    """

    n_visible: int
    n_hidden: int
    arithmetic: str
    W: Array
    Wt: Array
    to_hidden: Array
    b: Array
    c: Array
    log_precision: Array
    precision: Array
    kind: str = GaussianRBM.kind
    derived: dict[str, Any] = field(default_factory=dict)  # what a path makes of W once, by its name

    flat = device.Model.flat


def put(model: GaussianRBM, arithmetic: str) -> Model:
    """See `Backend.put`."""
    names = model.W, model.W.T, model.b, model.c, model.log_precision, model.precision
    W, Wt, b, c, log_precision, precision = map(store, names)
    # In float32, as an update forms it.
    to_hidden = store(model.precision.astype(np.float32)[:, None] * model.W.astype(np.float32))
    return Model(
        model.n_visible, model.n_hidden, arithmetic, W, Wt, to_hidden, b, c, log_precision, precision
    )


def get(model: Model) -> GaussianRBM:
    """See `Backend.get`."""
    nv, nh = model.n_visible, model.n_hidden
    arrays = model.W, model.b, model.c, model.precision, model.log_precision
    W, b, c, precision, log_precision = map(download, arrays)
    found = GaussianRBM(W[:, :nh], b[:nv], c[:nh], precision[:nv])
    return found.with_log_precision(log_precision[:nv])


JOBS = {"put": put, "get": get, "get_tree": get_tree, "put_tree": put_tree}
