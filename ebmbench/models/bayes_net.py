"""The Bayesian network of binary units without hidden ones: a fully visible sigmoid belief network.

Neal 1992, "Connectionist learning of belief networks"; Frey 1998. Units come in an order, and the parents
of unit j are among those before it: p(v_j = 1 | v_1 ... v_{j-1}) = sigmoid(x_j), x_j = b_j + sum_{i<j}
v_i W_ij; samples are rows. Its energy is E(v) = -log p(v) = sum_j softplus(x_j) - v_j x_j, so log Z = 0:
it is what a Boltzmann machine would be if it came normalised. Where W_ij = 0, unit i is no parent of j.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit

from ebmbench.models.boltzmann import check_couplings
from ebmbench.models.enumerate import states
from ebmbench.models.model import Array, Named
from ebmbench.models.rbm import softplus
from ebmbench.randomness import VISIBLE, Key, fine_uniforms


@dataclass(frozen=True, eq=False)
class BayesNet(Named):
    """Parameters: W float64 [n_visible, n_visible], strictly upper triangular, b float64 [n_visible].

    Raises `UserError` where W is anything else, shapes disagree or a value is not finite.
    """

    W: Array
    b: Array

    kind: ClassVar[str] = "bayes_net"
    visible: ClassVar[str] = "binary"
    names: ClassVar[tuple[str, ...]] = ("W", "b")

    def __post_init__(self) -> None:
        check_couplings(self, "since a unit's parents come before it")

    @property
    def n_visible(self) -> int:
        """Number of units."""
        return self.W.shape[0]

    @property
    def n_hidden(self) -> int:
        """No unit is hidden."""
        return 0

    @property
    def summed_units(self) -> int:
        """Nothing is summed over: the law comes normalised."""
        return 0


def unit_input(model: BayesNet, v: Array) -> Array:
    """x_j = b_j + sum_{i<j} v_i W_ij of every unit, [B, n_visible]."""
    return model.b + v @ model.W


def input_given_rest(model: BayesNet, v: Array, x: Array, i: int) -> Array:
    """Log p(v with unit i on) - log p(v with it off), [B]: its log odds given its Markov blanket.

    Those are its parents, its children and their parents (Pearl 1988). x: `unit_input` of v.
    """
    weights, children = model.W[i, i + 1 :], v[:, i + 1 :]
    off = x[:, i + 1 :] - v[:, i : i + 1] * weights
    return x[:, i] + children @ weights - (softplus(off + weights) - softplus(off)).sum(axis=1)


def energy(model: BayesNet, v: Array) -> Array:
    """E(v) = -log p(v), nats, [B]; of rows in [0, 1] the cross-entropy."""
    x = unit_input(model, v)
    return (softplus(x) - v * x).sum(axis=1)


def errors(model: BayesNet, v: Array) -> Array:
    """v - p(v = 1 | parents), [B, n_visible]: what log p(v) rises by with each unit's input."""
    return v - expit(unit_input(model, v))


def gradient(model: BayesNet, v: Array) -> dict[str, Array]:
    """The mean over rows of the gradient of log p(v)."""
    delta = errors(model, v)
    return {"W": np.triu(v.T @ delta, 1) / len(v), "b": delta.mean(axis=0)}


def draws(model: BayesNet, count: int, key: Key) -> Array:
    """Independent draws of v, float64 [count, n_visible], each unit after its parents.

    Row r is chain key.chain + r and takes the uniforms of layer VISIBLE of step key.step.
    """
    u = fine_uniforms(key, count, model.n_visible, VISIBLE)
    v = np.zeros((count, model.n_visible))
    for j in range(model.n_visible):
        v[:, j] = u[:, j] < expit(model.b[j] + v @ model.W[:, j])
    return v


def log_z(model: BayesNet) -> float:
    """Log Z = 0, whatever the size."""
    return 0.0


def distribution(model: BayesNet) -> Array:
    """p(v) of all states in the order of `enumerate.states`, [2**n_visible]; for small networks."""
    return np.exp(-energy(model, states(model.n_visible)))
