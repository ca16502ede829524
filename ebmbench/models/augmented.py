"""The classifier that a DBM initialises: a network that sees v and what the DBM makes of it.

Salakhutdinov & Hinton 2009, section 3.3: the input is augmented by the means of the posterior given v,
which the DBM finds by mean field and which stay as they are while the network is trained.
"""

from dataclasses import dataclass
from typing import ClassVar

from ebmbench.models.dbm import DBM
from ebmbench.models.mlp import MLP
from ebmbench.models.model import Array
from ebmbench.options import require


@dataclass(frozen=True, eq=False)
class AugmentedMLP:
    """mlp takes v and the means of the dbm's even hidden layers, side by side; `UserError` otherwise."""

    dbm: DBM
    mlp: MLP

    kind: ClassVar[str] = "augmented_mlp"

    def __post_init__(self) -> None:
        made, taken = sum(self.dbm.sizes[0::2]), self.mlp.sizes[0]
        require(made == taken, f"the network takes {taken} numbers, but v and the DBM's means are {made}")

    @property
    def n_visible(self) -> int:
        """Number of units of v."""
        return self.dbm.n_visible

    @property
    def parameters(self) -> dict[str, Array]:
        """By name, those of the DBM with `dbm_` before them."""
        return {f"dbm_{name}": x for name, x in self.dbm.parameters.items()} | self.mlp.parameters
