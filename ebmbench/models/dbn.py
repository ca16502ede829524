"""The deep belief network (Hinton, Osindero & Teh 2006): an RBM at the top, directed layers below it.

p(v, h^1, ..., h^L) = p(v|h^1) p(h^1|h^2) ... p(h^{L-1}, h^L), the last factor being the top RBM's law and
each other one the conditional of the RBM of its two layers. Samples are rows. The posterior is
approximated upwards, q(h^l|h^{l-1}) being the same RBM's conditional.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebmbench.models import bernoulli, gaussian_rbm
from ebmbench.models.gaussian_enumerate import log_normaliser
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.mlp import MLP, check_chain
from ebmbench.models.model import Array
from ebmbench.models.rbm import RBM, TwoLayers
from ebmbench.options import require


@dataclass(frozen=True, eq=False)
class DBN:
    """layers: the RBMs from the bottom up; only the lowest may have Gaussian visible units.

    Raises `UserError` where there is none or they do not chain.
    """

    layers: tuple[TwoLayers, ...]

    kind: ClassVar[str] = "dbn"

    def __post_init__(self) -> None:
        require(len(self.layers) >= 1, "a DBN needs at least one layer")
        check_chain([layer.W.shape for layer in self.layers])
        for layer in self.layers[1:]:
            require(
                isinstance(layer, RBM), "only the lowest layer of a DBN may have Gaussian visible units"
            )

    @property
    def visible(self) -> str:
        """What the visible units are, for a person."""
        return self.layers[0].visible

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, v first."""
        return (self.layers[0].n_visible, *(layer.n_hidden for layer in self.layers))

    @property
    def n_visible(self) -> int:
        """Number of units of v."""
        return self.sizes[0]

    @property
    def parameters(self) -> dict[str, Array]:
        """By name: W1, b1, c1, W2, ...; with precision1 where v is Gaussian."""
        return {
            f"{name}{n}": getattr(layer, name)
            for n, layer in enumerate(self.layers, 1)
            for name in layer.names
        }


def log_given(layer: TwoLayers, x: Array, v: Array) -> Array:
    """log p(v|h) of rows that belong together, nats (a log density where v is Gaussian), [B].

    x: what h gives to the visible units, b + W h (their mean if Gaussian).
    """
    if isinstance(layer, GaussianRBM):
        return -gaussian_rbm.quadratic(x, layer.precision, v) - log_normaliser(layer.precision)
    return bernoulli.log_probability(x, v)


def classifier(layers: tuple[TwoLayers, ...], classes: int) -> MLP:
    """A network of sigmoid layers with the recognition weights, and an output layer of zeros on top.

    Of Gaussian visible units the first layer sees the precision times v.
    """
    inputs = [
        layer.W * layer.precision[:, None] if isinstance(layer, GaussianRBM) else layer.W
        for layer in layers
    ]
    weights = (*inputs, np.zeros((layers[-1].n_hidden, classes)))
    biases = (*(layer.c for layer in layers), np.zeros(classes))
    return MLP(weights, biases, (*("sigmoid" for _ in layers), "linear"))
