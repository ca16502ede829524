"""Generative adversarial networks (Goodfellow et al. 2014): a generator and a discriminator.

The generator takes noise z to a row G(z); the discriminator's only output x is the logit of its
belief that a row is data, D = sigmoid(x). The payoff V = E_data[log D] + E_z[log(1 - D(G(z)))] is what
the discriminator climbs; the generator descends it (`minimax`), or climbs E_z[log D(G(z))]
(`non_saturating`).
For a fixed generator the best discriminator is D = p_data / (p_data + p_G) (their proposition 1).
"""

from dataclasses import dataclass
from typing import ClassVar

from ebmbench.models.mlp import MLP
from ebmbench.models.model import Array
from ebmbench.options import require

# What the generator climbs, as (inner, outer) of `mlp.logistic`: outer softplus(inner x) of its logits x.
FORMS = {"minimax": (1.0, 1.0), "non_saturating": (-1.0, -1.0)}


@dataclass(frozen=True, eq=False)
class GAN:
    """D takes what G gives and ends in one linear unit; `UserError` where the players do not fit."""

    generator: MLP
    discriminator: MLP

    kind: ClassVar[str] = "gan"

    def __post_init__(self) -> None:
        made, taken = self.generator.sizes[-1], self.discriminator.sizes[0]
        require(made == taken, f"the generator gives {made} numbers, but the discriminator takes {taken}")
        ends = self.discriminator.sizes[-1], self.discriminator.activations[-1]
        require(ends == (1, "linear"), f"the discriminator must end in one linear unit, not in {ends}")

    @property
    def n_visible(self) -> int:
        """Length of a row."""
        return self.discriminator.sizes[0]

    @property
    def n_latent(self) -> int:
        """Length of the noise z."""
        return self.generator.sizes[0]

    @property
    def parameters(self) -> dict[str, Array]:
        """By name, with a G or D before that of the player's own."""
        players = {"G": self.generator, "D": self.discriminator}
        return {f"{who}{name}": x for who, mlp in players.items() for name, x in mlp.parameters.items()}
