"""Annealed importance sampling (Neal 2001) for RBMs (Salakhutdinov & Murray 2008).

Chains run from a base-rate model, whose log Z is known, through intermediate temperatures to the
model; their weights average to Z / Z_base. The estimate of log Z is a stochastic lower bound: with
too few temperatures it is too low, and its standard error does not show it, so the schedule is part
of every result.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from ebmbench.kernels.api import Backend
from ebmbench.models.rbm import RBM, softplus
from ebmbench.options import require
from ebmbench.partition import BaseRates, LogZ
from ebmbench.randomness import Key, Stream

NAME = "ais"
PAPER = "paper"


@dataclass(frozen=True)
class Config:
    """betas: `paper`, or the number of evenly spaced inverse temperatures, at least 2; chains."""

    betas: int | str = 1000
    chains: int = 100
    arithmetic: str = "float"

    def __post_init__(self) -> None:
        if self.betas != PAPER:
            require(
                isinstance(self.betas, int),
                f"betas must be {PAPER!r} or a number of temperatures, but is {self.betas!r}",
            )
            require(
                2 <= int(self.betas) <= 10**8,
                f"the number of temperatures must lie between 2 and 10**8, but is {self.betas}",
            )
        require(self.chains >= 2, f"ais needs at least 2 chains, but is given {self.chains}")

    @property
    def schedule(self) -> np.ndarray:
        """The inverse temperatures, float64, from 0 to 1."""
        if self.betas == PAPER:
            parts = (0.0, 0.5, 500), (0.5, 0.9, 4_000), (0.9, 1.0, 10_000)
            return np.concatenate([np.linspace(*part) for part in parts])
        return np.linspace(0.0, 1.0, int(self.betas))

    @property
    def schedule_name(self) -> str:
        """The schedule in words."""
        if self.betas == PAPER:
            return "paper (500 on [0, 0.5], 4000 on [0.5, 0.9], 10000 on [0.9, 1])"
        return f"linear ({int(self.betas)} on [0, 1])"


def estimate(k: Backend, model: RBM, config: Config, base: BaseRates, seed: int) -> LogZ:
    """Log Z from `config.chains` chains on backend k.

    log_z_base = n_hidden log 2 + sum_i softplus(base_i), since the base model has no weights and no
    hidden biases.
    """
    handle = k.put(model, config.arithmetic)
    key = Key(seed, Stream.ANNEALING)
    annealed = k.anneal(handle, base.bias, config.schedule, config.chains, key)
    log_z_base = model.n_hidden * np.log(2.0) + softplus(base.bias).sum()
    log_weights = annealed.log_weights + log_z_base
    mean, std_error, ess = summarise(log_weights)
    return LogZ(NAME, mean, std_error, ess, config.schedule_name, base.source, log_weights)


def summarise(log_weights: np.ndarray) -> tuple[float, float, float]:
    """Log of the mean weight, its standard error (delta method) and the effective sample size."""
    n = len(log_weights)
    mean = float(logsumexp(log_weights) - np.log(n))
    relative = np.exp(log_weights - mean)  # weights over their mean
    std_error = float(relative.std(ddof=1) / np.sqrt(n))
    ess = float(relative.sum() ** 2 / (relative**2).sum())
    return mean, std_error, ess
