"""Models and data that need no file: what speed is measured on.

Kernels that add only the rows of W whose unit is on, or has flipped, take a time that depends on the
states. So `model` has MNIST's share of units on, and `Recipe` makes models in which the share of units on
and the share that flips a sweep are what one asks for.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from scipy.special import logit

from ebmbench.models.rbm import RBM, visible_probability
from ebmbench.options import require
from ebmbench.randomness import HIDDEN, VISIBLE, Key, Stream, normals, uniforms

ON_RATE = 0.13  # of MNIST's pixels, binarised
_WEIGHT, _VISIBLE, _HIDDEN = 0.1, -2.5, -1.5  # deviation of W; mean of b and of c
_REST = 0.1  # deviation of a pre-activation by the weights that hold no pair together


def name(n_visible: int, n_hidden: int) -> str:
    """How tables call the model."""
    return f"a made-up {n_visible}x{n_hidden} RBM"


@cache
def model(n_visible: int, n_hidden: int) -> RBM:
    """Normal weights and biases of a trained model's size: about an eighth and a quarter of units on."""
    key = Key(0, Stream.INITIAL_PARAMETERS)
    W = _WEIGHT * normals(key, n_visible, n_hidden)
    bias = normals(key._replace(chain=n_visible), 2, max(n_visible, n_hidden))
    return RBM(W, _VISIBLE + bias[0, :n_visible], _HIDDEN + bias[1, :n_hidden])


@cache
def rows(count: int, n_visible: int) -> np.ndarray:
    """Binary rows of independent pixels, `ON_RATE` of them on, uint8 [count, n_visible]."""
    return (uniforms(Key(0, Stream.SAMPLES), count, n_visible) < ON_RATE).astype(np.uint8)


@cache
def labels(count: int, classes: int) -> np.ndarray:
    """Classes of as many rows, drawn evenly, int64 [count]."""
    return (uniforms(Key(1, Stream.SAMPLES), 1, count)[0] * classes).astype(np.int64)


@dataclass(frozen=True)
class Recipe:
    """A model whose law, and whose Gibbs chains, are known in closed form but for small weights.

    Visible unit i hangs on hidden unit i mod n_hidden alone, as a star's leaf on its centre. A centre is
    on with probability r, a leaf with probability p1 where its centre is and p0 where it is not,
    r = r p1 + (1 - r) p0. The joint law of r, p1 and p0 is an RBM's: b = logit p0, the star's weight is
    logit p1 - logit p0 and c = logit r + leaves log((1 - p1) / (1 - p0)). One sweep after the other a
    leaf correlates with itself by (p1 - p0)**2.

    To that come normal weights between all units, small enough to move a pre-activation by about 0.1,
    and biases that take back their mean; so no weight is 0, and all of the above holds but for about 1 %.

    on_rate: r, the share of both layers' units that are on, in (0, 1); persistence: the correlation of a
    visible unit with itself a sweep later, in [0, 1): 0 is hot, and `flip_rate` falls to 0 as it nears 1.
    """

    n_visible: int
    n_hidden: int
    on_rate: float = ON_RATE
    persistence: float = 0.8  # of MNIST's pixels under a trained model 4 % flip a sweep

    def __post_init__(self) -> None:
        sizes = (self.n_visible, self.n_hidden)
        require(
            all(type(size) is int and size >= 1 for size in sizes),
            f"a model's numbers of units must be whole numbers of at least 1, but are {list(sizes)}",
        )
        require(
            0 < self.on_rate < 1,
            f"on_rate must lie between 0 and 1, both excluded, but is {self.on_rate}",
        )
        require(
            0 <= self.persistence < 1,
            f"persistence must be at least 0 and below 1, but is {self.persistence}",
        )

    @property
    def flip_rate(self) -> float:
        """The share of visible units that differ from one sweep to the next."""
        return 2 * self.on_rate * (1 - self.on_rate) * (1 - self.persistence)

    @property
    def name(self) -> str:
        """How tables call the model."""
        return (
            f"a made-up {self.n_visible}x{self.n_hidden} RBM (on-rate {self.on_rate:g}, "
            f"persistence {self.persistence:g})"
        )

    def draws(self, count: int, seed: int) -> np.ndarray:
        """Draws from the model's law (but for the small weights), uint8 [count, n_visible]."""
        key = Key(seed, Stream.EXACT)
        h = uniforms(key, count, self.n_hidden, HIDDEN) < self.on_rate
        p = visible_probability(made(self), h.astype(np.float64))
        return (uniforms(key, count, self.n_visible, VISIBLE) < p).astype(np.uint8)


@lru_cache(maxsize=1)  # the largest hold 128 MiB
def made(recipe: Recipe) -> RBM:
    """The model of a recipe."""
    n_visible, n_hidden, r = recipe.n_visible, recipe.n_hidden, recipe.on_rate
    difference = np.sqrt(recipe.persistence)  # p1 - p0
    p0 = r * (1 - difference)
    p1 = p0 + difference
    centre = np.arange(n_visible) % n_hidden
    leaves = np.bincount(centre, minlength=n_hidden)
    W = normals(Key(0, Stream.INITIAL_PARAMETERS), n_visible, n_hidden)
    W *= _REST / np.sqrt(max(n_visible, n_hidden) * r * (1 - r))
    b = logit(p0) - r * W.sum(axis=1)
    c = logit(r) + leaves * np.log((1 - p1) / (1 - p0)) - r * W.sum(axis=0)
    W[np.arange(n_visible), centre] += logit(p1) - logit(p0)
    return RBM(W, b, c)
