"""Ways to log Z, one file each; a new file is found because it exists.

A file has NAME, a frozen `Config` and `estimate(k, model, config, base, seed) -> LogZ`.
"""

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from ebmbench import options
from ebmbench.discovery import registry, unknown
from ebmbench.models.gaussian_enumerate import log_normaliser
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM, softplus

# The least variance of a column beside the mean of all: with less a constant column would be alone
# with a precision that neither chains nor gradients can follow.
LEAST_VARIANCE = 0.1
_BLOCK = 4096  # rows of which float64 copies are held at a time


@dataclass(frozen=True, eq=False)
class BaseRates:
    """The model without weights that annealing starts from, and where its parameters come from.

    bias: its visible biases, [n_visible]; of Gaussian units mean and precision, [2, n_visible].
    """

    bias: np.ndarray
    source: str


def base_rates(
    rows: np.ndarray, source: str, kind: str = RBM.kind, least: float = LEAST_VARIANCE
) -> BaseRates:
    """The independent units that fit these rows best, for a kind of model.

    Binary units: biases log p / (1 - p) with p = (on + 5) / (rows + 10): the smoothing keeps pixels
    that are never on within reach. Gaussian units: mean and precision of each column, whose variance
    counts as at least `least`, a tenth, times the columns' mean variance, or as 1 where all columns are
    constant.
    """
    if kind == GaussianRBM.kind:
        mean = rows.mean(axis=0, dtype=np.float64)
        parts = (rows[first : first + _BLOCK] - mean for first in range(0, len(rows), _BLOCK))
        variance = sum((part**2).sum(axis=0) for part in parts) / len(rows)
        return normal_rates(mean, variance, source, least)
    return bit_rates(rows.sum(axis=0, dtype=np.float64), len(rows), source)


def bit_rates(on: np.ndarray, n_rows: int, source: str) -> BaseRates:
    """Independent bits that were on in so many of the rows."""
    p = (on + 5.0) / (n_rows + 10.0)
    return BaseRates(np.log(p) - np.log1p(-p), source)


def normal_rates(mean: np.ndarray, variance: np.ndarray, source: str, least: float) -> BaseRates:
    """Independent normals of these means and, but for the least that they may have, variances."""
    floor = least * variance.mean() or 1.0
    return BaseRates(np.stack([mean, 1.0 / np.maximum(variance, floor)]), source)


def log_z_base(model: Model, base: BaseRates) -> float:
    """Log Z of the base model, nats: n_hidden log 2 and that of its independent visible units.

    It has the model's units, but no weights and no hidden biases.
    """
    gaussian = isinstance(model, GaussianRBM)
    visible = log_normaliser(base.bias[1]) if gaussian else softplus(base.bias).sum()
    return float(model.n_hidden * np.log(2.0) + visible)


@dataclass(frozen=True, eq=False)
class LogZ:
    """An estimate of log Z in nats.

    std_error: of log_z (see the method), 0 where exact; ess: effective number of chains; schedule, base
    and start (where chains that walk back began) name what the estimate stands on; reached: whether a
    schedule that adapts reached the wanted error, None for others; log_weights: float64 [chains], of
    paths from the base to the model or back, log Z of the base included.
    """

    method: str
    log_z: float
    std_error: float
    ess: float | None
    schedule: str | None
    base: str | None
    start: str | None = None
    reached: bool | None = None
    log_weights: np.ndarray = field(default_factory=lambda: np.empty(0))


def known() -> dict[str, ModuleType]:
    """The methods by name."""
    return registry(__name__, ("Config", "estimate"))


def find(name: str, settings: dict[str, Any]) -> tuple[ModuleType, Any]:
    """A method's module and its config; `UserError` for what is not known."""
    if name not in known():
        raise unknown("method", name, list(known()))
    module = known()[name]
    return module, options.build(module.Config, settings, f"method {name}")
