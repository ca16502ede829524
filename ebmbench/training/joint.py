"""Training a Boltzmann machine whose hidden units are tied to each other: a deep one, or a general one.

The gradient of a weight is the mean of the product of its two units given the data less that under the
model. Given data the hidden units' posterior is replaced by its best factorial form, found by mean field;
the model is followed by chains that persist (Salakhutdinov & Hinton 2009, algorithm 1). Both are the jobs
of the model's `whole`. Of a DBM, an RBM of its even and odd layers, the moments of rows [v, means of the
even layers] are those of the posterior, as the odd layers' means are p(odd|rows); of a general machine
those of rows [v, means] are, as the mean of a product is that of the means. A chain is the whole's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend, Rows, Tree
from ebmbench.models import dbm
from ebmbench.models.dbm import DBM
from ebmbench.models.latent import Latent
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import base_rates
from ebmbench.randomness import Key, Stream, check_seed, normals
from ebmbench.samplers import gibbs
from ebmbench.samplers.meanfield import silent
from ebmbench.training.batches import Redraw, Source
from ebmbench.training.initial import check_hidden
from ebmbench.training.sgd import SGD
from ebmbench.training.states import State, joined, part
from ebmbench.training.trainer import Trainer


def initial_dbm(rows: np.ndarray, hidden: Sequence[int], seed: int, scale: float = 0.01) -> DBM:
    """As `initial_model`: W from normals of standard deviation `scale`, b at the base rates, c = 0.

    Joint training gets no further than one layer from here unless it is centred (Montavon & Müller 2012).
    """
    rows = check_rows(rows)
    require(len(hidden) >= 1, "a DBM needs at least one hidden layer")
    check_hidden(*hidden)
    sizes = [rows.shape[1], *hidden]
    key = Key(check_seed(seed), Stream.INITIAL_PARAMETERS)
    weights = (
        scale * normals(key.advance(n), below, above)
        for n, (below, above) in enumerate(zip(sizes, hidden, strict=False))
    )
    return DBM(tuple(weights), (base_rates(rows, "data").bias, *(np.zeros(n) for n in hidden)))


@dataclass(frozen=True)
class Phases:
    """How both phases of the gradient are found.

    chains: how many persist; sweeps: theirs an update; mean_field: at most so many updates of the means,
    from a pass upwards, or until none moves by more than `tolerance`, for which a device may have to be
    waited for. Ten leave the bound some 1e-4 nats from its maximum (see `samplers.meanfield.silent`).
    """

    chains: int = 100
    sweeps: int = 5
    mean_field: int = 10
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        for name, what in (
            ("chains", "number of chains"),
            ("sweeps", "number of the chains' sweeps an update"),
            ("mean_field", "number of updates of mean field"),
        ):
            value = getattr(self, name)
            require(value >= 1, f"the {what} must be at least 1, but is {value}")
        sentence = f"the tolerance of mean field must be at least 0, but is {self.tolerance}"
        require(self.tolerance >= 0, sentence)


class Joint(Trainer):
    """One training run of a `Latent` model; rows: [n, n_visible] in [0, 1]; redraw: as `Fit` takes it.

    Raises `UserError` for what cannot be.
    """

    def __init__(
        self,
        k: Backend,
        model: Latent,
        rows: np.ndarray,
        optimiser: SGD | None = None,
        epochs: int = 10,
        batch_size: int = 100,
        seed: int = 0,
        phases: Phases | None = None,
        redraw: Redraw | None = None,
    ) -> None:
        sentence = f"Joint trains a dbm or a general_boltzmann_machine, not a {model.kind}"
        require(isinstance(model, Latent), sentence)
        rows = check_rows(rows, model.n_visible)
        self._phases = phases or Phases()
        self._start, whole = model, model.whole
        # Of up to two layers of weights every even layer is tied to every odd one.
        mask = None
        if isinstance(model, DBM) and len(model.weights) >= 3:
            mask = dbm.mask(model.sizes)
        super().__init__(k, whole, len(rows), optimiser or SGD(), epochs, batch_size, seed, mask=mask)
        self._source = Source(k, rows, redraw)
        self._chains = gibbs.start(k, whole, self._phases.chains, Key(self.seed, Stream.CHAINS))
        others = whole.n_visible - model.n_visible
        self._silent = silent(k, self.batch_size, others) if others else None

    @property
    def model(self) -> Latent:
        """See `Trainer`."""
        return self._start.of_whole(self._ascent.model)

    def _posterior(self, batch: Rows) -> Rows:
        if self._silent is None:
            return batch
        handle, start = self._ascent.handle, self._silent[: len(batch)]
        return self.k.mean_field(handle, batch, start, self._phases.mean_field, self._phases.tolerance)[0]

    def _gradient(self) -> tuple[Tree, Tree | None]:
        given = self._posterior(self._shuffled.of(self.done, self._source))
        self._chains = gibbs.advance(self.k, self._ascent.handle, self._chains, self._phases.sweeps)
        return self.k.moments(self._ascent.handle, given, self._chains.v)

    def state(self) -> State:
        """See `Trainer`; with the chains."""
        return super().state() | joined(chains=gibbs.saved(self.k, self._chains))

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Trainer`."""
        super().restore(state)
        self._chains = gibbs.restored(self.k, self._chains, part(state, "chains"))
