"""What the estimators over single flips of v share: all bits of a row, or a random one."""

from collections.abc import Callable
from typing import Any, SupportsFloat

import numpy as np

from ebmbench.estimators._units import check_visible
from ebmbench.kernels.api import Backend, Handle, Phases, Rows, Tree
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, random_bits


def init_of(estimator: str) -> Callable[..., None]:
    """The `init` of an estimator of this name: nothing is kept between steps."""

    def init(k: Backend, model: Model, config: Any, key: Key, base: np.ndarray) -> None:
        """`Unavailable` where the visible units are not binary."""
        check_visible(model, RBM.visible, estimator)

    return init


def step(
    job: Callable[..., tuple[Phases, SupportsFloat]],
    stochastic: bool,
    model: Handle,
    batch: Rows,
    key: Key,
) -> tuple[Tree, None, dict[str, Any]]:
    """The job's gradient over all bits, or over one random bit a row."""
    bits = random_bits(key, len(batch), model.n_visible) if stochastic else None
    (gradient, means), value = job(model, batch, bits)
    return gradient, None, {"means": means, "objective": value}
