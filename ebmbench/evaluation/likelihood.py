"""Log-likelihood: log p(v) = -F(v) - log Z, in nats a row; a log density where v is real."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from ebmbench import partition
from ebmbench.kernels.api import Backend
from ebmbench.models.model import Model
from ebmbench.models.rows import check_states
from ebmbench.options import require
from ebmbench.partition import BaseRates, LogZ, base_rates
from ebmbench.randomness import check_seed


@dataclass(frozen=True, eq=False)
class Likelihood:
    """mean: nats a row over n_rows; the uncertainty is log Z's; seconds: the estimate of log Z."""

    mean: float
    n_rows: int
    log_z: LogZ
    seconds: float

    what: ClassVar[str] = "log-likelihood"


def mean_free_energy(k: Backend, model: Model, rows: np.ndarray) -> float:
    """Mean F(v) of rows, nats."""
    return float(k.free_energy(k.put(model), k.put_rows(rows)).mean())


def evaluate(
    k: Backend,
    model: Model,
    rows: np.ndarray,
    method: str = "ais",
    settings: dict[str, Any] | None = None,
    base: BaseRates | None = None,
    seed: int = 0,
) -> Likelihood:
    """Mean log-likelihood of rows [n, n_visible] with log Z by `method`.

    settings: of the method (for ais: betas, chains, arithmetic); base: what annealing starts from,
    better taken from training data than, as it is by default, from the rows themselves.
    """
    rows, base = prepared(model, rows, base, seed)
    module, config = partition.find(method, settings or {})
    k.synchronize()
    started = perf_counter()
    log_z = module.estimate(k, model, config, base, seed)
    k.synchronize()
    seconds = perf_counter() - started
    mean = -mean_free_energy(k, model, rows) - log_z.log_z
    return Likelihood(mean, len(rows), log_z, seconds)


def prepared(
    model: Model, rows: np.ndarray, base: BaseRates | None, seed: int
) -> tuple[np.ndarray, BaseRates]:
    """The rows, checked against the model, and where annealing starts: by default at their rates.

    `UserError` for a model without a free energy.
    """
    deep = f"a {model.kind} has no free energy to be summed: see lower_bound and evaluate_gan"
    require(hasattr(model, "summed_units"), deep)
    rows = check_states(rows, model)
    check_seed(seed)
    return rows, base or base_rates(rows, "base rates of the rows given", model.kind)
