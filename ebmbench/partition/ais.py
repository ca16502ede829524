"""Annealed importance sampling (Neal 2001) for RBMs (Salakhutdinov & Murray 2008).

Chains run from a base-rate model, whose log Z is known, through intermediate temperatures to the
model; their weights average to Z / Z_base. The estimate of log Z is a stochastic lower bound: with
too few temperatures it is too low, and its standard error does not show it, so the schedule is part
of every result.
"""

from dataclasses import dataclass

from ebmbench.kernels.api import Backend
from ebmbench.models.model import Model
from ebmbench.partition import BaseRates, LogZ
from ebmbench.partition._schedule import Annealing
from ebmbench.partition._weights import summarise
from ebmbench.partition._works import Walks, forward

NAME = "ais"


@dataclass(frozen=True)
class Config(Annealing):
    """See `Annealing`."""


def estimate(k: Backend, model: Model, config: Config, base: BaseRates, seed: int) -> LogZ:
    """Log Z from `config.chains` chains on backend k."""
    return of_walks(forward(k, model, config, base, seed, config.chains), base)


def of_walks(there: Walks, base: BaseRates) -> LogZ:
    """The estimate from walks forward: log of their mean weight."""
    mean, std_error, ess = summarise(there.log_weights)
    return there.estimate(NAME, mean, std_error, ess, base)
