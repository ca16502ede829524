"""Ways to log Z, one file each; a new file is found because it exists.

A file has NAME, a frozen `Config` and `estimate(k, model, config, base, seed) -> LogZ`.
"""

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from ebmbench import options
from ebmbench.discovery import registry, unknown
from ebmbench.models.rbm import RBM, softplus


@dataclass(frozen=True, eq=False)
class BaseRates:
    """Visible biases [n_visible] of the model that annealing starts from, and where they come from."""

    bias: np.ndarray
    source: str


def base_rates(rows: np.ndarray, source: str) -> BaseRates:
    """Biases of the independent-pixel model of these rows, log p / (1 - p).

    p = (on + 5) / (rows + 10): the smoothing keeps pixels that are never on within reach.
    """
    p = (rows.sum(axis=0, dtype=np.float64) + 5.0) / (len(rows) + 10.0)
    return BaseRates(np.log(p) - np.log1p(-p), source)


def log_z_base(model: RBM, base: BaseRates) -> float:
    """Log Z of the base model, nats: n_hidden log 2 + sum_i softplus(base_i).

    It has the model's units, but no weights and no hidden biases.
    """
    return float(model.n_hidden * np.log(2.0) + softplus(base.bias).sum())


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
