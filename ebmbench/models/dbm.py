"""The deep Boltzmann machine (Salakhutdinov & Hinton 2009): layers of binary units tied to the next ones.

E(v, h) = -b.v - sum_l c^l.h^l - v.W^1 h^1 - h^1.W^2 h^2 - ...; samples are rows. No two even layers
(v, h², h⁴, ...) are tied, nor two odd ones: given the odd layers the even ones are independent units,
and the other way about. A DBM is therefore an RBM whose visible units are the even layers side by side
and whose hidden units are the odd ones, with zeros in W where two layers are not neighbours. All that
samples, anneals or enumerates an RBM does so for that `whole`, and log Z is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np
from scipy.special import expit

from ebmbench.models.bernoulli import entropy_of_means
from ebmbench.models.mlp import MLP, check_chain
from ebmbench.models.model import Array, real_array
from ebmbench.models.rbm import RBM, TwoLayers, hidden_input
from ebmbench.options import require


@dataclass(frozen=True, eq=False)
class DBM:
    """Parameters: weights W^l float64 [n_{l-1}, n_l] and biases b, c^1, ..., c^L, float64 [n_l].

    Raises `UserError` where layers do not chain, one is empty or a value is not finite.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    kind: ClassVar[str] = "dbm"
    visible: ClassVar[str] = "binary"

    def __post_init__(self) -> None:
        require(len(self.weights) >= 1, "a DBM needs at least one hidden layer")
        weights = tuple(real_array(f"W{n + 1}", W) for n, W in enumerate(self.weights))
        for n, W in enumerate(weights, 1):
            require(W.ndim == 2 and W.size > 0, f"W{n} must be a matrix and not empty, not {W.shape}")
        check_chain([W.shape for W in weights])
        object.__setattr__(self, "weights", weights)
        names = self.names[len(weights) :]
        require(
            len(self.biases) == len(names),
            f"{len(weights)} layers of weights need {len(names)} biases, not {len(self.biases)}",
        )
        biases = tuple(real_array(name, b) for name, b in zip(names, self.biases, strict=True))
        for name, b, n in zip(names, biases, self.sizes, strict=True):
            require(b.shape == (n,), f"{name} must have shape ({n},), but has {b.shape}")
        object.__setattr__(self, "biases", biases)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, v first."""
        return (self.weights[0].shape[0], *(W.shape[1] for W in self.weights))

    @property
    def n_visible(self) -> int:
        """Number of units of v."""
        return self.sizes[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters: W1, ..., WL, b, c1, ..., cL."""
        layers = range(1, len(self.weights) + 1)
        return (*(f"W{n}" for n in layers), "b", *(f"c{n}" for n in layers))

    @property
    def parameters(self) -> dict[str, Array]:
        """By name."""
        return dict(zip(self.names, (*self.weights, *self.biases), strict=True))

    @cached_property
    def whole(self) -> RBM:
        """The same law as a bipartite one: an RBM of the even and the odd layers."""
        W = np.zeros((sum(self.sizes[0::2]), sum(self.sizes[1::2])))
        for n, weights in enumerate(self.weights):
            W[block(self.sizes, n)] = weights if n % 2 == 0 else weights.T
        b, c = (np.concatenate(self.biases[first::2]) for first in (0, 1))
        return RBM(W, b, c)

    def of_whole(self, whole: RBM) -> "DBM":
        """The DBM of layers of these sizes whose `whole` is that."""
        even, odd = spans(self.sizes)
        fits = (whole.n_visible, whole.n_hidden) == (even[-1].stop, odd[-1].stop)
        sizes = list(self.sizes)
        require(fits, f"a bipartite W of shape {whole.W.shape} does not have layers of {sizes} units")
        weights = [whole.W[block(sizes, n)] for n in range(len(sizes) - 1)]
        sides = (whole.b, even), (whole.c, odd)
        biases = [sides[n % 2][0][sides[n % 2][1][n // 2]] for n in range(len(sizes))]
        return DBM(tuple(W.T if n % 2 else W for n, W in enumerate(weights)), tuple(biases))


def spans(sizes: Sequence[int]) -> tuple[list[slice], list[slice]]:
    """Where each even and each odd layer stands among its side's units."""
    found: tuple[list[slice], list[slice]] = ([], [])
    for n, size in enumerate(sizes):
        before = found[n % 2]
        first = before[-1].stop if before else 0
        before.append(slice(first, first + size))
    return found


def block(sizes: Sequence[int], n: int) -> tuple[slice, slice]:
    """Where the weights between layers n and n + 1 stand in the bipartite W, transposed for odd n."""
    even, odd = spans(sizes)
    return even[(n + 1) // 2], odd[n // 2]


def mask(sizes: Sequence[int]) -> Array:
    """1 where the bipartite W ties neighbours, else 0, uint8 [n_even, n_odd]."""
    found = np.zeros((sum(sizes[0::2]), sum(sizes[1::2])), np.uint8)
    for n in range(len(sizes) - 1):
        found[block(sizes, n)] = 1
    return found


def mean_field(model: RBM, v: Array, even: Array, sweeps: int) -> Array:
    """`sweeps` updates of a factorial posterior of the hidden layers given v (S&H 2009, eq. 6).

    model: a bipartite one; v: [B, n] of its first visible units; even: [B, n_visible - n], the means of
    the others to start from. Each update sets the odd layers' means and then the even ones', each to
    sigmoid of their input from the neighbours' means, so that the bound rises with both. Returns the
    means of the visible side, v first, [B, n_visible]; the odd layers' are p(h|those).
    """
    n = v.shape[1]
    rows = np.concatenate([v, even], axis=1)
    for _ in range(sweeps):
        odd = expit(hidden_input(model, rows))
        rows[:, n:] = expit(model.b[n:] + odd @ model.W[n:].T)
    return rows


def variational(model: RBM, rows: Array, n: int) -> Array:
    """The bound on log p(v) + log Z, nats, [B]: E_q[-E] + H(q), odd layers at their best means.

    rows: as `mean_field` returns, v being the first n columns. With the odd layers at sigmoid(x), x their
    input, c.h + rows W.h + H(h) is the sum of softplus(x) (S&H 2009, eq. 5).
    """
    odd = np.logaddexp(0.0, hidden_input(model, rows)).sum(axis=1)
    return rows @ model.b + odd + entropy_of_means(rows[:, n:])


def composed(layers: Sequence[TwoLayers]) -> DBM:
    """The DBM of RBMs trained one upon the other with doubled inputs (S&H 2009, section 3.1, figure 2).

    In a DBM a hidden layer hears the layer below and the one above. In the stack an RBM has but one of
    them, and its layer hears that one twice: with x = c' + h^{l-1} W^l of the RBM below and y = b' +
    h^{l+1} W^{l+1}ᵀ of the one above, p(h^l|h^{l-1}) = sigmoid(2x) and p(h^l|h^{l+1}) = sigmoid(2y).
    Together each has its say once: the mean of the inputs 2x and 2y is c' + b' + h^{l-1} W^l + h^{l+1}
    W^{l+1}ᵀ, the DBM's input with the weights as they are and the biases added. Layers v and h^L have
    one neighbour in the DBM too, so nothing of theirs is doubled.
    """
    require(len(layers) >= 1, "a DBM needs at least one hidden layer")
    check_chain([layer.W.shape for layer in layers])
    for layer in layers:
        require(isinstance(layer, RBM), "a DBM is composed of RBMs with binary units")
    between = (below.c + above.b for below, above in pairwise(layers))
    return DBM(tuple(layer.W for layer in layers), (layers[0].b, *between, layers[-1].c))


def classifier_layers(depth: int) -> int:
    """Layers of weights of the `classifier` that a DBM of so many hidden layers initialises."""
    return min(depth, 2 + depth % 2) + 1


def classifier(model: DBM, classes: int) -> MLP:
    """A network that starts as the DBM's mean field, with outputs of zero (S&H 2009, section 3.3).

    Its input is v and the posterior means of the even hidden layers, [B, even units] as `mean_field`
    returns them: for two hidden layers v and mu^2. The first layer has the bipartite W, for two hidden
    layers W^1 above W^2ᵀ, and so gives the odd layers' means, sigmoid(c + rows W). The second one has
    its transpose without v's part, W^2 for two layers, and gives sigmoid(b + odd Wᵀ). That is one update
    of `mean_field`: where the means in the input have converged it returns them. If the uppermost hidden
    layer is an odd one, a third layer W^L gives its means from those of the one below.
    """
    bipartite, n = model.whole, model.n_visible
    count = len(model.weights)
    weights, biases = [bipartite.W], [bipartite.c]
    if count >= 2:
        weights.append(bipartite.W[n:].T)
        biases.append(bipartite.b[n:])
    if count >= 3 and count % 2 == 1:
        below = spans(model.sizes)[0][-1]
        last = np.zeros((bipartite.n_visible - n, model.sizes[-1]))
        last[below.start - n : below.stop - n] = model.weights[-1]
        weights.append(last)
        biases.append(model.biases[-1])
    weights.append(np.zeros((weights[-1].shape[1], classes)))
    biases.append(np.zeros(classes))
    return MLP(tuple(weights), tuple(biases), (*("sigmoid" for _ in biases[1:]), "linear"))
