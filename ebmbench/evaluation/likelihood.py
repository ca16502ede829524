"""Log-likelihood: log p(v) = -F(v) - log Z, in nats a row; a log density where v is real."""

import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from ebmbench import partition
from ebmbench.kernels.api import Backend
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.model import Model
from ebmbench.models.rows import check_states
from ebmbench.options import require
from ebmbench.partition import BaseRates, LogZ, base_rates
from ebmbench.randomness import check_seed

_SAME = 6  # decimals to which equal rows have equal values


@dataclass(frozen=True, eq=False)
class Likelihood:
    """values: log p(v) of each row, nats, float64 [n]; seconds: the estimate of log Z.

    An error of log Z moves all of them alike. density: whether they are those of real rows.
    """

    values: np.ndarray
    log_z: LogZ
    seconds: float
    density: bool = field(default=False, kw_only=True)

    what: ClassVar[str] = "log-likelihood"

    @property
    def mean(self) -> float:
        """Nats a row."""
        return float(self.values.mean())

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    @property
    def rows_std_error(self) -> float | None:
        """Standard error of the mean from the choice of the rows, nats; None of a single row.

        Models that are judged by the same rows share much of it: their rows' differences vary less.
        """
        n = self.n_rows
        return float(self.values.std(ddof=1)) / math.sqrt(n) if n > 1 else None

    @property
    def excess(self) -> float:
        """Nats by which log Z is at least too low: log of what the rows' probabilities add up to.

        Those of different rows add up to 1 at most, so what is above 0 is an error. Rows of the same
        probability, to `_SAME` decimals of a nat, count once, as if they were one row. -inf of densities,
        of which nothing is known.
        """
        if self.density or np.isnan(self.values).any():
            return -math.inf
        return float(np.logaddexp.reduce(np.unique(self.values.round(_SAME))))


def free_energies(k: Backend, model: Model, rows: np.ndarray) -> np.ndarray:
    """F(v) of rows [n, n_visible], nats, float64 [n]."""
    return np.asarray(k.free_energy(k.put(model), k.put_rows(rows)), np.float64)


def mean_free_energy(k: Backend, model: Model, rows: np.ndarray) -> float:
    """Mean F(v) of rows, nats."""
    return float(free_energies(k, model, rows).mean())


def evaluate(
    k: Backend,
    model: Model,
    rows: np.ndarray,
    method: str = "ais",
    settings: dict[str, Any] | None = None,
    base: BaseRates | None = None,
    seed: int = 0,
) -> Likelihood:
    """Log-likelihood of rows [n, n_visible], each and in the mean, with log Z by `method`.

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
    return likelihood_of(model, -free_energies(k, model, rows), log_z, seconds)


def likelihood_of(model: Model, weights: np.ndarray, log_z: LogZ, seconds: float) -> Likelihood:
    """Of rows with these log weights -F(v), nats, float64 [n]."""
    return Likelihood(weights - log_z.log_z, log_z, seconds, density=isinstance(model, GaussianRBM))


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
