"""The walks that estimates of log Z are made of: forward from the base, back from the model.

A forward walk and a reverse one are the same path seen from its two ends. With w the path's log weight,
log Z_base included, P_reverse / P_forward = e**w / Z, so that E_forward[e**w] = Z and
E_reverse[e**-w] = 1 / Z (Jarzynski 1997; Crooks 2000). Both walks give w.
"""

from typing import NamedTuple

import numpy as np

from ebmbench.errors import Unavailable
from ebmbench.kernels.api import Backend
from ebmbench.models.model import Model
from ebmbench.partition import BaseRates, LogZ, log_z_base
from ebmbench.partition._adaptive import anneal_to_error
from ebmbench.partition._schedule import Annealing, Schedule
from ebmbench.partition._start import Beginning, draws
from ebmbench.randomness import Key, Stream


class Walks(NamedTuple):
    """Log weights w, float64 [chains]; how they came about; `start`: see `LogZ`."""

    log_weights: np.ndarray
    schedule: Schedule
    start: str | None = None

    def first(self, count: int) -> "Walks":
        """The first `count` of the walks."""
        return self._replace(log_weights=self.log_weights[:count])

    def estimate(
        self, method: str, log_z: float, std_error: float, ess: float | None, base: BaseRates
    ) -> LogZ:
        """What a method makes of the walks, with all that it stands on."""
        _, name, reached = self.schedule
        return LogZ(
            method, log_z, std_error, ess, name, base.source, self.start, reached, self.log_weights
        )


def _check_annealable(model: Model) -> None:
    """`Unavailable` where a model comes normalised."""
    if model.summed_units == 0:
        raise Unavailable(
            f"a {model.kind} comes normalised, so there is nothing to anneal: "
            "its log Z is 0, by the method exact"
        )


def forward(
    k: Backend, model: Model, config: Annealing, base: BaseRates, seed: int, chains: int
) -> Walks:
    """Walks from the base to the model. An adaptive schedule is found with all of config.chains."""
    _check_annealable(model)
    handle, offset = k.put(model, config.arithmetic), log_z_base(model, base)
    key = Key(seed, Stream.ANNEALING)
    if config.adaptive:
        gains, schedule = anneal_to_error(k, handle, base.bias, config, key)
        return Walks(offset + gains, schedule).first(chains)
    schedule = config.schedule
    return Walks(offset + k.anneal(handle, base.bias, schedule.betas, chains, key).log_weights, schedule)


def reverse(
    k: Backend,
    model: Model,
    config: Beginning,
    base: BaseRates,
    seed: int,
    chains: int,
    schedule: Schedule | None = None,
) -> Walks:
    """Walks from draws of the model back to the base; `schedule`: that of walks forward, if there are."""
    _check_annealable(model)
    if schedule is None:
        found = config.adaptive and forward(k, model, config, base, seed, config.chains).schedule
        schedule = found or config.schedule
    handle = k.put(model, config.arithmetic)
    v, start = draws(k, handle, config, base, seed, chains)
    key = Key(seed, Stream.REVERSE_ANNEALING)
    gains = k.anneal(handle, base.bias, schedule.betas[::-1], v, key).log_weights
    return Walks(log_z_base(model, base) - gains, schedule, start)
