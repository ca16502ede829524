"""Generative adversarial networks (Goodfellow et al. 2014): a generator and a discriminator.

The generator takes noise z to a row G(z); the discriminator's only output x is the logit of its
belief that a row is data, D = sigmoid(x). The payoff V = E_data[log D] + E_z[log(1 - D(G(z)))] is what
the discriminator climbs; the generator descends it (`minimax`), or climbs E_z[log D(G(z))]
(`non_saturating`).
For a fixed generator the best discriminator is D = p_data / (p_data + p_G) (their proposition 1).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebmbench.models.mlp import MLP, Loss, logistic
from ebmbench.models.model import Array
from ebmbench.options import require
from ebmbench.randomness import Key, uniforms

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
    def visible(self) -> str:
        """What the rows are, for a person: between 0 and 1, or any real numbers."""
        return "grey" if self.generator.activations[-1] == "sigmoid" else "real"

    @property
    def n_latent(self) -> int:
        """Length of the noise z."""
        return self.generator.sizes[0]

    @property
    def parameters(self) -> dict[str, Array]:
        """By name, with a G or D before that of the player's own."""
        players = {"G": self.generator, "D": self.discriminator}
        return {f"{who}{name}": x for who, mlp in players.items() for name, x in mlp.parameters.items()}


def latent(key: Key, count: int, units: int) -> Array:
    """Noise z, uniform on [-1, 1] (as in Radford et al. 2016), float32 [count, units].

    2u - 1 is exact in float32, so every backend is given the same bits, and costs next to nothing.
    """
    return 2.0 * uniforms(key, count, units) - np.float32(1.0)


def payoff(outputs: Array, data: int) -> Loss:
    """V of a discriminator's outputs x [B, 1], of which the first `data` are of data, the rest of fakes.

    The mean of log D over the data plus that of log(1 - D) over the fakes, D = sigmoid(x).
    tally: V, then the numbers of rows of data and of fakes with D > 1/2.
    """
    known, made = logistic(outputs[:data], -1.0, -1.0), logistic(outputs[data:], 1.0, -1.0)
    value = known.tally[0] + made.tally[0]
    delta = np.concatenate([known.delta, made.delta])
    return Loss(delta, np.array([value, known.tally[1], made.tally[1]]))
