"""Annealed importance sampling run backwards, from draws of the model to its base rates.

The mean of 1 / weight is 1 / Z, so the estimate of log Z is a stochastic upper bound where annealed
importance sampling gives a lower one (Burda, Grosse & Salakhutdinov 2015; Grosse, Ghahramani & Adams
2015): together they tell how well both are annealed. It is a bound from exact draws alone; every
estimate says where its chains started.
"""

from dataclasses import dataclass

from ebmbench.kernels.api import Backend
from ebmbench.models.model import Model
from ebmbench.partition import BaseRates, LogZ
from ebmbench.partition._start import Beginning
from ebmbench.partition._weights import summarise
from ebmbench.partition._works import Walks, reverse

NAME = "reverse_ais"


@dataclass(frozen=True)
class Config(Beginning):
    """See `Beginning`."""


def estimate(k: Backend, model: Model, config: Config, base: BaseRates, seed: int) -> LogZ:
    """Log Z from `config.chains` chains on backend k."""
    return of_walks(reverse(k, model, config, base, seed, config.chains), base)


def of_walks(back: Walks, base: BaseRates) -> LogZ:
    """The estimate from walks back: minus the log of their mean inverse weight."""
    mean, std_error, ess = summarise(-back.log_weights)
    return back.estimate(NAME, -mean, std_error, ess, base)
