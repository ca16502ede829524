"""Feed-forward networks: the classifier that a deep model initialises, and the two players of a GAN.

Layer l takes a^{l-1} to a^l = f_l(c^l + a^{l-1} W^l), a^0 being the input; samples are rows.
Back-propagation (Rumelhart, Hinton & Williams 1986): with delta^l the derivative of an objective by a^l
and x^l = delta^l f_l'(.), the gradients of W^l and c^l are a^{l-1}ᵀ x^l and the sum of x^l over rows,
and delta^{l-1} = x^l W^lᵀ. Every f' is a function of the output a: no pre-activation need be kept.
Where a unit of a^{l-1} is left out (`models.dropout`), its a and its delta are both 0 here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import expit, log_softmax

from ebmbench.discovery import unknown
from ebmbench.errors import UserError
from ebmbench.models.dropout import Dropout, thinned
from ebmbench.models.model import Array, real_array
from ebmbench.models.rbm import softplus
from ebmbench.options import require
from ebmbench.scalar import ACTIVATIONS, LEAK


@dataclass(frozen=True, eq=False)
class MLP:
    """Parameters: weights W^l float64 [n_{l-1}, n_l], biases c^l float64 [n_l], and each layer's f_l.

    activations: of `scalar.ACTIVATIONS`, one a layer. Raises `UserError` where layers do not chain, one
    is empty, a value is not finite or an activation is not known.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activations: tuple[str, ...]

    kind: ClassVar[str] = "mlp"

    def __post_init__(self) -> None:
        count = len(self.weights)
        require(count >= 1, "a network needs at least one layer of weights")
        require(
            count == len(self.biases) == len(self.activations),
            f"{count} layers of weights need as many biases and activations, "
            f"not {len(self.biases)} and {len(self.activations)}",
        )
        for name in self.activations:
            if name not in ACTIVATIONS:
                raise unknown("activation", name, list(ACTIVATIONS))
        weights = tuple(real_array(f"W{n + 1}", W) for n, W in enumerate(self.weights))
        biases = tuple(real_array(f"c{n + 1}", c) for n, c in enumerate(self.biases))
        for n, (W, c) in enumerate(zip(weights, biases, strict=True), 1):
            if W.ndim != 2 or 0 in W.shape:
                raise UserError(f"W{n} must be [inputs, outputs] and not empty, not {W.shape}")
            require(c.shape == (W.shape[1],), f"c{n} must have shape ({W.shape[1]},), but has {c.shape}")
        check_chain([W.shape for W in weights])
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", biases)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, the input's first."""
        return (self.weights[0].shape[0], *(W.shape[1] for W in self.weights))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters: W1, c1, W2, ..."""
        return tuple(f"{kind}{n + 1}" for n in range(len(self.weights)) for kind in ("W", "c"))

    @property
    def parameters(self) -> dict[str, Array]:
        """By name."""
        arrays = (x for pair in zip(self.weights, self.biases, strict=True) for x in pair)
        return dict(zip(self.names, arrays, strict=True))

    @classmethod
    def of(cls, parameters: Mapping[str, Array], activations: Sequence[str]) -> "MLP":
        """The network of these `parameters`."""
        numbers = range(1, len(activations) + 1)
        try:
            weights, biases = (tuple(parameters[f"{kind}{n}"] for n in numbers) for kind in "Wc")
        except KeyError as error:
            raise UserError(
                f"a network of {len(activations)} layers needs the parameter {error.args[0]}"
            ) from None
        return cls(weights, biases, tuple(activations))


@dataclass(frozen=True, eq=False)
class Activations:
    """What a pass leaves behind for the losses and back-propagation.

    given: a^0 = x, ..., a^L, each [B, n_l]; taken: what the layer above takes of each but the last, the
    same array where none of its units is left out.
    """

    given: list[Any]
    taken: list[Any]
    dropout: Dropout

    def thinned(self, layer: int) -> bool:
        """Whether units of a layer, the input being 0, are left out."""
        return self.dropout.rates[layer] > 0

    @property
    def outputs(self) -> Any:
        """The last layer's."""
        return self.given[-1]


class Loss(NamedTuple):
    """Of a batch: delta [B, outputs], the derivative of the mean objective, and what is counted.

    tally: float64, the mean objective in nats a row, then numbers of rows (see the job).
    """

    delta: Array
    tally: Array


def check_chain(shapes: Sequence[tuple[int, ...]]) -> None:
    """`UserError` unless each layer takes as many units as the one below has."""
    for n, (below, above) in enumerate(pairwise(shapes), 1):
        require(
            below[1] == above[0],
            f"layers do not chain: layer {n} has {below[1]} units, but layer {n + 1} takes {above[0]}",
        )


def dashed(sizes: Sequence[int]) -> str:
    """Units of layers as a person reads them: 784-500-1000."""
    return "-".join(map(str, sizes))


def activate(name: str, x: Array) -> Array:
    """f(x), elementwise."""
    if name == "sigmoid":
        return expit(x)
    if name == "tanh":
        return np.tanh(x)
    if name == "relu":
        return np.maximum(x, 0.0)
    return np.where(x > 0, x, LEAK * x) if name == "leaky_relu" else x


def slope(name: str, a: Array) -> Array:
    """f'(x) as a function of a = f(x); 0 (or the leak) where x = 0 for units that are cut off there."""
    if name == "sigmoid":
        return a * (1.0 - a)
    if name == "tanh":
        return 1.0 - a**2
    if name == "relu":
        return (a > 0).astype(float)
    return np.where(a > 0, 1.0, LEAK) if name == "leaky_relu" else np.ones_like(a)


def forward(model: MLP, x: Array, dropout: Dropout | None = None) -> Activations:
    """What the layers give and take, without the units that `dropout` leaves out."""
    found = Activations([np.asarray(x, float)], [], dropout or Dropout.none(len(model.weights)))
    for n, (W, c, name) in enumerate(zip(model.weights, model.biases, model.activations, strict=True)):
        a = found.given[n]
        found.taken.append(thinned(a, n, found.dropout) if found.thinned(n) else a)
        found.given.append(activate(name, c + found.taken[n] @ W))
    return found


def backward(model: MLP, passed: Activations, delta: Array) -> tuple[dict[str, Array], Array]:
    """Gradients by name from delta, the objective's derivative with respect to a^L; and that for a^0."""
    gradient: dict[str, Array] = {}
    for n in range(len(model.weights), 0, -1):
        x = delta * slope(model.activations[n - 1], passed.given[n])
        gradient[f"W{n}"] = passed.taken[n - 1].T @ x
        gradient[f"c{n}"] = x.sum(axis=0)
        delta = x @ model.weights[n - 1].T
        if passed.thinned(n - 1):
            delta = thinned(delta, n - 1, passed.dropout)
    return {name: gradient[name] for name in model.names}, delta


def cross_entropy(outputs: Array, targets: Array) -> Loss:
    """Mean log-likelihood of targets, rows of probabilities, under softmax(outputs); rows told wrong.

    A row is told right where its largest output, the first of equals, is that of its largest target.
    """
    logs = log_softmax(outputs, axis=1)
    wrong = (outputs.argmax(axis=1) != targets.argmax(axis=1)).sum()
    value = (targets * logs).sum() / len(outputs)
    # Of sum_k t_k (x_k - logsumexp x), whose targets need not sum to one.
    delta = (targets - targets.sum(axis=1, keepdims=True) * np.exp(logs)) / len(outputs)
    return Loss(delta, np.array([value, wrong]))


def logistic(outputs: Array, inner: float, outer: float) -> Loss:
    """Mean of outer softplus(inner x) over outputs x [B, 1]; rows with x > 0.

    A discriminator with D = sigmoid(x) has log D = -softplus(-x) and log(1 - D) = -softplus(x).
    """
    value = outer * softplus(inner * outputs).mean()
    delta = outer * inner * expit(inner * outputs) / len(outputs)
    return Loss(delta, np.array([value, (outputs > 0).sum()]))
