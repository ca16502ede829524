"""Ways to log Z, one file each; a new file is found because it exists.

A file has NAME, a frozen `Config` and `estimate(k, model, config, base, seed) -> LogZ`.
"""

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from ebmbench import options
from ebmbench.discovery import registry, unknown


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


@dataclass(frozen=True, eq=False)
class LogZ:
    """An estimate of log Z in nats.

    std_error: of log_z, by the delta method, 0 where exact; ess: effective number of chains; schedule
    and base name what the estimate stands on; log_weights: float64 [chains], log_z_base included.
    """

    method: str
    log_z: float
    std_error: float
    ess: float | None
    schedule: str | None
    base: str | None
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
