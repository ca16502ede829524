"""The pairwise Markov random field: a Boltzmann machine on a graph; a unit hears but its neighbours.

Besag 1974; Geman & Geman 1984; on a lattice with one coupling the Ising model. E(v) = -sum_e R_e v_i v_j
- b.v over the edges e = (i, j) with v in {0, 1}; samples are rows. Given all others, unit i is on with
probability sigmoid(x_i), x_i = b_i + sum of R_e over its neighbours that are on.

What would be sums over all states are sums over those of a few units at a time (see `elimination`).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit

from ebmbench.errors import UserError
from ebmbench.models.boltzmann import BoltzmannMachine, PairMoments
from ebmbench.models.enumerate import normalised, states
from ebmbench.models.graph import Graph
from ebmbench.models.model import Array, Named, real_array


@dataclass(frozen=True, eq=False)
class MarkovField(Named):
    """Parameters: R float64 [n_edges], one for each of the graph's edges, b float64 [n_visible].

    Raises `UserError` where shapes disagree or a value is not finite.
    """

    graph: Graph
    R: Array
    b: Array

    kind: ClassVar[str] = "markov_field"
    visible: ClassVar[str] = "binary"
    names: ClassVar[tuple[str, ...]] = ("R", "b")

    def __post_init__(self) -> None:
        if not isinstance(self.graph, Graph):
            raise UserError(f"a Markov field needs a Graph, not {type(self.graph).__name__}")
        for name, count in (("R", len(self.graph.edges)), ("b", self.graph.n)):
            value = real_array(name, getattr(self, name))
            if value.shape != (count,):
                raise UserError(
                    f"{name} must have shape ({count},) to fit the graph, but has {value.shape}"
                )
            object.__setattr__(self, name, value)

    @property
    def n_visible(self) -> int:
        """Number of units."""
        return self.graph.n

    @property
    def n_hidden(self) -> int:
        """No unit is hidden."""
        return 0

    @property
    def summed_units(self) -> int:
        """Units that have as many states as an elimination visits."""
        return self.graph.states_bits


def ising(graph: Graph, coupling: float | Array, field: float | Array = 0.0) -> MarkovField:
    """The Ising model, p(s) ~ e**(sum_e J_e s_i s_j + sum_i h_i s_i) with s = 2v - 1 in {-1, 1}.

    coupling: J, one number or one an edge; field: h, one number or one a unit. Its log partition function
    is `log_z` of what is returned plus `ising_offset`.
    """
    J, h = (
        _one_each(name, value, count)
        for name, value, count in (("coupling", coupling, len(graph.edges)), ("field", field, graph.n))
    )
    around = np.bincount(graph.edges.ravel(), np.repeat(J, 2), graph.n)
    return MarkovField(graph, 4.0 * J, 2.0 * h - 2.0 * around)


def ising_offset(model: MarkovField) -> float:
    """What is to be added to log Z for that of spins of -1 and 1, nats: sum of J - sum of h."""
    return -float(model.R.sum() / 4.0 + model.b.sum() / 2.0)


def _one_each(name: str, value: float | Array, count: int) -> Array:
    """One number for all, or one each."""
    found = real_array(name, value)
    if found.shape not in ((1,), (count,)):
        raise UserError(f"{name} must be one number or {count}, but has the shape {found.shape}")
    return np.broadcast_to(found, count)


def square(model: MarkovField) -> csr_array:
    """R as a sparse symmetric matrix [n_visible, n_visible]: row i is what unit i adds to all inputs."""
    starts, units, edges = model.graph.neighbours
    return csr_array((model.R[edges], units, starts), shape=(model.n_visible, model.n_visible))


def dense(model: MarkovField) -> BoltzmannMachine:
    """The same law as a Boltzmann machine, whose other pairs of units have a coupling of 0."""
    R = np.zeros((model.n_visible, model.n_visible))
    R[tuple(model.graph.edges.T)] = model.R
    return BoltzmannMachine(R, model.b)


def unit_input(model: MarkovField, v: Array) -> Array:
    """x_i = b_i + sum over neighbours of R_e v_j, [B, n_visible]."""
    return model.b + v @ square(model)


def energy(model: MarkovField, v: Array) -> Array:
    """E(v), nats, [B]; with no unit to sum out it is the free energy too."""
    return -(v * (model.b + unit_input(model, v))).sum(axis=1) / 2.0  # an edge counts at both its ends


def unit_probability(model: MarkovField, v: Array, beta: float = 1.0) -> Array:
    """p(v_i = 1 | all other units) at inverse temperature beta, [B, n_visible]."""
    return expit(beta * unit_input(model, v))


def differences(model: MarkovField, v: Array) -> Array:
    """D_i = E(vⁱ) - E(v) of binary rows with bit i flipped in vⁱ, nats, [B, n_visible]."""
    return (2.0 * v - 1.0) * unit_input(model, v)


def gradient(model: MarkovField, v: Array, weights: Array) -> dict[str, Array]:
    """Mean over rows of sum_i weights_i dD_i / d(R, b), weights [B, n_visible]."""
    i, j = model.graph.edges.T
    signed = weights * (2.0 * v - 1.0)
    return {
        "R": (signed[:, i] * v[:, j] + signed[:, j] * v[:, i]).mean(axis=0),
        "b": signed.mean(axis=0),
    }


def statistics(model: MarkovField, v: Array, weights: Array) -> PairMoments:
    """Sum over rows of weights [B] times v_i v_j of each edge and v_i, which are -dE/dR and -dE/db."""
    i, j = model.graph.edges.T
    return PairMoments(weights @ (v[:, i] * v[:, j]), weights @ v)


def distribution(model: MarkovField) -> Array:
    """p(v) of all states in the order of `enumerate.states`, [2**n_visible]; for small fields."""
    return normalised(-energy(model, states(model.n_visible)))
