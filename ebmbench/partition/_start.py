"""Where walks back from the model begin: draws of the model, exact or nearly so.

Reverse annealing bounds log Z from above only from exact draws. From chains that have not reached every
mode it may fall below, so how it started is part of every result.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.discovery import unknown
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models import boltzmann, elimination, enumerate, gaussian_enumerate
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.partition import BaseRates
from ebmbench.partition._schedule import Annealing
from ebmbench.randomness import Key, Stream
from ebmbench.samplers import gibbs, tempering

AUTO, EXACT, TEMPERING, CHAIN = "auto", "exact", "parallel_tempering", "chain"
_EXACT = {
    GaussianRBM.kind: gaussian_enumerate,
    BoltzmannMachine.kind: boltzmann,
    MarkovField.kind: elimination,
}
STARTS = (AUTO, EXACT, TEMPERING, CHAIN)
_SOON = 20  # units that are summed over, up to which exact draws take seconds


@dataclass(frozen=True)
class Beginning(Annealing):
    """What a method that also walks back is told.

    start: `exact` draws by enumeration, `parallel_tempering` or a `chain` of Gibbs sampling, both from
    the base rates, or `auto`, which is exact where at most 20 units are summed over and else
    parallel_tempering; sweeps: of either sampler before its states are taken for draws; temperatures:
    of parallel tempering.
    """

    start: str = AUTO
    sweeps: int = 1000
    temperatures: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start not in STARTS:
            raise unknown("start of reverse annealing", self.start, list(STARTS))
        require(self.sweeps >= 1, f"the number of sweeps must be at least 1, but is {self.sweeps}")
        tempering.spaced(self.temperatures)

    def start_of(self, model: Model) -> str:
        """The start that is taken with this model."""
        if self.start != AUTO:
            return self.start
        return EXACT if model.summed_units <= _SOON else TEMPERING


def draws(
    k: Backend, handle: Handle, config: Beginning, base: BaseRates, seed: int, count: int
) -> tuple[Rows, str]:
    """`count` states v of the model on the device, and in words where they come from."""
    model, key = k.get(handle), Key(seed, Stream.BURN_IN)
    start = config.start_of(model)
    if start == EXACT:
        exact: Any = _EXACT.get(model.kind, enumerate)
        return k.put_rows(exact.draws(model, count, key._replace(stream=Stream.EXACT))), "exact draws"
    if start == TEMPERING:
        betas = tempering.spaced(config.temperatures)
        ladders = tempering.start(k, model, count, betas, base.bias, key)
        ladders = tempering.advance(k, handle, ladders, config.sweeps)
        rates = tempering.swap_rates(ladders)
        return tempering.coldest(k, ladders), (
            f"parallel tempering ({config.temperatures} temperatures, {config.sweeps} sweeps, "
            f"swap rates from {np.nanmin(rates):.2f})"
        )
    chains = gibbs.start(k, model, count, key, base.bias)
    chains = gibbs.advance(k, handle, chains, config.sweeps)
    return chains.v, f"Gibbs chains ({config.sweeps} sweeps from the base rates)"
