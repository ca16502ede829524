"""The Bernoulli restricted Boltzmann machine (Smolensky 1986).

E(v, h) = -b.v - c.h - v.W.h with v, h in {0, 1}; samples are rows. Given one layer the units of the
other are independent, p(h_j = 1 | v) = sigmoid(beta (c_j + (vW)_j)), and summing h out leaves the
free energy F(v) = -b.v - sum_j softplus(c_j + (vW)_j), so that log p(v) = -F(v) - log Z.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit

from ebmbench.errors import UserError
from ebmbench.models.model import Array, Named, real_array

# `grid` arithmetic: multiples of 2**-16 whose sums stay below 2**8 fill the 24 bits of a float32, so
# a sum over 0/1 states is exact in any order.
GRID_STEP = 2.0**-16
GRID_BOUND = 2.0**8


@dataclass(frozen=True, eq=False)
class TwoLayers(Named):
    """What every model of a visible and a binary hidden layer has: W and the layers' biases b and c.

    Raises `UserError` where shapes disagree, a layer is empty or a value is not finite.
    """

    W: Array
    b: Array
    c: Array

    kind: ClassVar[str]
    visible: ClassVar[str]  # what the visible units are, for a person
    names: ClassVar[tuple[str, ...]] = ("W", "b", "c")

    def __post_init__(self) -> None:
        for name in self.names:
            object.__setattr__(self, name, real_array(name, getattr(self, name)))
        if self.W.ndim != 2 or 0 in self.W.shape:
            raise UserError(f"W must be [n_visible, n_hidden] and not empty, not {self.W.shape}")
        for name in self.names[1:]:
            length = self.n_hidden if name == "c" else self.n_visible
            shape = getattr(self, name).shape
            if shape != (length,):
                raise UserError(f"{name} must have shape ({length},) to fit W, but has {shape}")

    @property
    def n_visible(self) -> int:
        """Number of visible units."""
        return self.W.shape[0]

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.W.shape[1]

    @property
    def summed_units(self) -> int:
        """Number of units over whose states an exact sum runs: the hidden layer's."""
        return self.n_hidden


@dataclass(frozen=True, eq=False)
class RBM(TwoLayers):
    """Parameters: W float64 [n_visible, n_hidden], b float64 [n_visible], c float64 [n_hidden].

    Raises `UserError` where shapes disagree, a layer is empty or a value is not finite.
    """

    kind: ClassVar[str] = "bernoulli_rbm"
    visible: ClassVar[str] = "binary"

    @property
    def summed_units(self) -> int:
        """As for every kind, but v too is binary: the smaller layer's."""
        return min(self.n_visible, self.n_hidden)

    @property
    def transposed(self) -> "RBM":
        """The same distribution with the two layers' names exchanged."""
        return RBM(self.W.T, self.c, self.b)


def softplus(x: Array) -> Array:
    """log(1 + e**x), elementwise, without overflow; a third of the time of `np.logaddexp(0, x)`."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def hidden_input(model: RBM, v: Array) -> Array:
    """Pre-activations c + vW, [B, n_hidden]."""
    return model.c + v @ model.W


def visible_input(model: RBM, h: Array) -> Array:
    """Pre-activations b + hWᵀ, [B, n_visible]."""
    return model.b + h @ model.W.T


def hidden_probability(model: RBM, v: Array, beta: float | Array = 1.0) -> Array:
    """p(h_j = 1 | v) at inverse temperature beta, one or [B, 1], [B, n_hidden]."""
    return expit(beta * hidden_input(model, v))


def visible_probability(model: RBM, h: Array, beta: float = 1.0) -> Array:
    """p(v_i = 1 | h) at inverse temperature beta, [B, n_visible]."""
    return expit(beta * visible_input(model, h))


def energy(model: RBM, v: Array, h: Array) -> Array:
    """E(v, h) of rows that belong together, [B]."""
    return -(v @ model.b) - h @ model.c - np.einsum("bi,ij,bj->b", v, model.W, h)


def free_energy(model: RBM, v: Array) -> Array:
    """F(v) = -log sum_h e**-E(v, h), nats, [B]."""
    return -(v @ model.b) - softplus(hidden_input(model, v)).sum(axis=1)  # -v would wrap for uint8


def on_grid(model: RBM) -> RBM:
    """The nearest parameters for `grid` arithmetic: multiples of 2**-16.

    Raises `UserError` where a unit's sum |b_i| + sum_j |W_ij| (or the hidden units' like) reaches
    2**8, since its pre-activation might then need more than a float32's 24 bits.
    """
    W, b, c = (np.round(x / GRID_STEP) * GRID_STEP for x in (model.W, model.b, model.c))
    largest = max((np.abs(W).sum(0) + np.abs(c)).max(), (np.abs(W).sum(1) + np.abs(b)).max())
    if largest >= GRID_BOUND:
        raise UserError(
            f"grid arithmetic needs every unit's sum of |weights| and |bias| below {GRID_BOUND:g}, "
            f"but the largest is {largest:.4g}; use float arithmetic"
        )
    return RBM(W, b, c)
