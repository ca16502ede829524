"""Models of whose `whole` rows show the first units only, and that are trained and judged as that."""

from ebmbench.models import dbm, general
from ebmbench.models.dbm import DBM
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.model import Array

Latent = DBM | GeneralBoltzmannMachine


def variational(model: Latent, rows: Array) -> Array:
    """The bound on log p(v) + log Z by mean field, nats, [B]; rows: v and the other units' means."""
    module = dbm if isinstance(model, DBM) else general
    return module.variational(model.whole, rows, model.n_visible)
