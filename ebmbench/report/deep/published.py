"""What published models of the same data came to, with their sources."""

from typing import NamedTuple

from ebmbench.harness.measures import BOUND, ERROR, PARZEN
from ebmbench.report.deep.entries import Entry

_SH = "Salakhutdinov & Hinton 2009"


class Published(NamedTuple):
    """depth: hidden layers, or 0 for any number; bound: whether the model is at least as good as that."""

    dataset: str
    measure: str
    model: str
    depth: int
    value: float
    error: float | None
    bound: bool
    what: str
    source: str


_ALL = (
    Published("binarized_mnist", BOUND, "dbm", 2, -84.62, None, True, "DBM of 2 layers", _SH),
    Published("binarized_mnist", BOUND, "dbm", 3, -85.10, None, True, "DBM of 3 layers", _SH),
    Published("mnist", ERROR, "dbm", 2, 0.0095, None, False, "DBM of 2 layers", _SH),
    Published("mnist", ERROR, "dbm", 3, 0.0101, None, False, "DBM of 3 layers", _SH),
    Published("mnist", ERROR, "dbn", 0, 0.012, None, False, "DBN", _SH),
    Published("mnist", ERROR, "mlp", 0, 0.016, None, False, "network", _SH),
    Published("mnist", PARZEN, "gan", 0, 225.0, 2.0, False, "GAN", "Goodfellow et al. 2014"),
)


_TESTED_LIKE = {"dynamic_mnist": "binarized_mnist"}  # on the same rows


def like(entry: Entry) -> Published | None:
    """The published model that an entry is to be compared with, if there is one."""
    for one in _ALL:
        where = _TESTED_LIKE.get(entry.where, entry.where)
        same = (one.dataset, one.measure, one.model) == (where, entry.measure, entry.model)
        if same and one.depth in (0, len(entry.hidden)):
            return one
    return None
