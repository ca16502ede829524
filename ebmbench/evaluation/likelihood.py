"""Log-likelihood: log p(v) = -F(v) - log Z, in nats a row."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ebmbench import partition
from ebmbench.errors import UserError
from ebmbench.kernels.api import Backend
from ebmbench.models.rbm import RBM
from ebmbench.partition import BaseRates, LogZ


@dataclass(frozen=True, eq=False)
class Likelihood:
    """mean: nats a row over n_rows; the uncertainty is log Z's; seconds: the estimate of log Z."""

    mean: float
    n_rows: int
    log_z: LogZ
    seconds: float


def base_rates(rows: np.ndarray, source: str) -> BaseRates:
    """Biases of the independent-pixel model of these rows, log p / (1 - p).

    p = (on + 5) / (rows + 10): the smoothing keeps pixels that are never on within reach.
    """
    p = (rows.sum(axis=0, dtype=np.float64) + 5.0) / (len(rows) + 10.0)
    return BaseRates(np.log(p) - np.log1p(-p), source)


def mean_free_energy(k: Backend, model: RBM, rows: np.ndarray) -> float:
    """Mean F(v) of rows, nats."""
    return float(k.free_energy(k.put(model), k.put_rows(rows)).mean())


def evaluate(
    k: Backend,
    model: RBM,
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
    check_rows(model, rows)
    base = base or base_rates(rows, "base rates of the rows given")
    module, config = partition.find(method, settings or {})
    started = perf_counter()
    log_z = module.estimate(k, model, config, base, seed)
    k.synchronize()
    seconds = perf_counter() - started
    mean = -mean_free_energy(k, model, rows) - log_z.log_z
    return Likelihood(mean, len(rows), log_z, seconds)


def check_rows(model: RBM, rows: np.ndarray) -> None:
    """`UserError` where rows do not fit the model."""
    if rows.shape[1] != model.n_visible:
        raise UserError(
            f"the data have {rows.shape[1]} columns, but the model has {model.n_visible} visible units"
        )
