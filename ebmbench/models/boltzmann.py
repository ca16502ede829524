"""The Boltzmann machine whose units are all visible (Ackley, Hinton & Sejnowski 1985).

E(v) = -vᵀRv - b.v with v in {0, 1} and R strictly upper triangular, so that each pair of units counts
once; samples are rows. Given all others, unit i is on with probability sigmoid(x_i), where
x_i = b_i + sum_j (R + Rᵀ)_ij v_j. Its parameters are identifiable: no two machines have the same law.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.errors import UserError
from ebmbench.models.enumerate import (
    blocks,
    check_enumerable,
    drawn_states,
    log_sum,
    normalised,
    states,
)
from ebmbench.models.model import Array, Named, real_array
from ebmbench.randomness import VISIBLE, Key

ONCE = "since each pair of units counts once"  # why couplings are upper triangular


@dataclass(frozen=True, eq=False)
class BoltzmannMachine(Named):
    """Parameters: R float64 [n_visible, n_visible], strictly upper triangular, b float64 [n_visible].

    Raises `UserError` where R is anything else, shapes disagree or a value is not finite.
    """

    R: Array
    b: Array

    kind: ClassVar[str] = "boltzmann_machine"
    visible: ClassVar[str] = "binary"
    names: ClassVar[tuple[str, ...]] = ("R", "b")

    def __post_init__(self) -> None:
        check_couplings(self, ONCE)

    @property
    def n_visible(self) -> int:
        """Number of units."""
        return self.R.shape[0]

    @property
    def square(self) -> Array:
        """R + Rᵀ."""
        return square(self)

    @property
    def n_hidden(self) -> int:
        """No unit is hidden."""
        return 0

    @property
    def summed_units(self) -> int:
        """All units are summed over."""
        return self.n_visible


def check_couplings(model: Any, reason: str) -> None:
    """Turn a model's parameters, couplings among its units and b, into float64 arrays.

    `UserError` where the couplings are not strictly upper triangular, which has this reason, shapes
    disagree, there is no unit or a value is not finite.
    """
    for name in model.names:
        object.__setattr__(model, name, real_array(name, getattr(model, name)))
    name = model.names[0]
    couplings, b = getattr(model, name), model.b
    if couplings.ndim != 2 or couplings.shape[0] != couplings.shape[1] or couplings.size == 0:
        raise UserError(f"{name} must be [n_visible, n_visible] and not empty, not {couplings.shape}")
    check_triangular(name, couplings, reason)
    if b.shape != couplings.shape[:1]:
        raise UserError(f"b must have shape ({len(couplings)},) to fit {name}, but has {b.shape}")


def check_triangular(name: str, couplings: Array, reason: str) -> None:
    """`UserError` with this reason where couplings are not strictly upper triangular."""
    if np.tril(couplings).any():
        raise UserError(
            f"{name} must be strictly upper triangular, {reason}, "
            "but holds a value on or below its diagonal"
        )


class PairMoments(NamedTuple):
    """Expected statistics: vv [n_visible, n_visible], strictly upper triangular, and v [n_visible].

    Of a Markov field vv is [n_edges].
    """

    vv: Array
    v: Array


def energy(model: BoltzmannMachine, v: Array) -> Array:
    """E(v), nats, [B]; with no unit to sum out it is the free energy too."""
    return -(v * (model.b + v @ model.R)).sum(axis=1)


def square(model: BoltzmannMachine) -> Array:
    """R + Rᵀ: its row i is what unit i adds to the inputs of all others."""
    return model.R + model.R.T


def unit_input(model: BoltzmannMachine, v: Array) -> Array:
    """x_i = b_i + sum_j (R + Rᵀ)_ij v_j of every unit, [B, n_visible]."""
    return model.b + v @ square(model)


def unit_probability(model: BoltzmannMachine, v: Array, beta: float = 1.0) -> Array:
    """p(v_i = 1 | all other units) at inverse temperature beta, [B, n_visible]."""
    return expit(beta * unit_input(model, v))


def differences(model: BoltzmannMachine, v: Array) -> Array:
    """D_i = E(vⁱ) - E(v) of binary rows with bit i flipped in vⁱ, nats, [B, n_visible]."""
    return (2.0 * v - 1.0) * unit_input(model, v)


def gradient(model: BoltzmannMachine, v: Array, weights: Array) -> dict[str, Array]:
    """Mean over rows of sum_i weights_i dD_i / d(R, b), weights [B, n_visible]."""
    signed = weights * (2.0 * v - 1.0)
    pairs = signed.T @ v
    return {"R": np.triu(pairs + pairs.T, 1) / len(v), "b": signed.mean(axis=0)}


def statistics(model: BoltzmannMachine, v: Array, weights: Array) -> PairMoments:
    """Sum over rows of weights [B] times v_i v_j (i < j) and v_i, which are -dE/dR and -dE/db."""
    return PairMoments(np.triu((weights[:, None] * v).T @ v, 1), weights @ v)


def log_z(model: BoltzmannMachine) -> float:
    """Log Z = log sum_v e**-E(v), nats, over all states in blocks of bounded memory."""
    check_enumerable(model)
    return log_sum(lambda v: energy(model, v), model.n_visible)


def moments(model: BoltzmannMachine) -> tuple[float, PairMoments]:
    """Log Z and the machine's expected v_i v_j and v_i."""
    total = log_z(model)
    vv, v = np.zeros_like(model.R), np.zeros_like(model.b)
    for s in blocks(model.n_visible):
        part = statistics(model, s, np.exp(-energy(model, s) - total))
        vv += part.vv
        v += part.v
    return total, PairMoments(vv, v)


def draws(model: BoltzmannMachine, count: int, key: Key) -> Array:
    """Independent draws of v, float64 [count, n_visible], as `enumerate.draws` of an RBM."""
    check_enumerable(model)
    return drawn_states(lambda v: -energy(model, v), model.n_visible, count, key, VISIBLE)


def distribution(model: BoltzmannMachine) -> Array:
    """p(v) of all states in the order of `enumerate.states`, [2**n_visible]; for small machines."""
    return normalised(-energy(model, states(model.n_visible)))
