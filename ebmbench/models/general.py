"""The general Boltzmann machine, some of whose units are hidden (Ackley, Hinton & Sejnowski 1985).

E(v, h) = -vᵀRv - vᵀWh - hᵀSh - b.v - c.h with all units in {0, 1}, R and S strictly upper triangular, so
that each pair counts once; samples are rows. Without S it is semi-restricted (Osindero & Hinton 2008),
its hidden units independent given v; without R as well it is an RBM. Side by side v and h are the units
of a Boltzmann machine none of whose units are hidden: all that samples, anneals or enumerates one does so
for that `whole`, and log Z is the same.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import expit

from ebmbench.models import boltzmann
from ebmbench.models.bernoulli import entropy_of_means
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.model import Array, Named, real_array
from ebmbench.options import require


@dataclass(frozen=True, eq=False)
class GeneralBoltzmannMachine(Named):
    """Parameters, float64: R [n_visible, n_visible], W [n_visible, n_hidden], S [n_hidden, n_hidden].

    And b [n_visible], c [n_hidden]. Raises `UserError` where R or S is not strictly upper triangular,
    shapes disagree, there is no hidden unit or a value is not finite.
    """

    R: Array
    W: Array
    S: Array
    b: Array
    c: Array

    kind: ClassVar[str] = "general_boltzmann_machine"
    visible: ClassVar[str] = "binary"
    names: ClassVar[tuple[str, ...]] = ("R", "W", "S", "b", "c")

    def __post_init__(self) -> None:
        for name in self.names:
            object.__setattr__(self, name, real_array(name, getattr(self, name)))
        W = self.W
        require(W.ndim == 2 and W.size > 0, f"W must be a matrix and not empty, not {W.shape}")
        for n, couplings, bias in ((W.shape[0], "R", "b"), (W.shape[1], "S", "c")):
            for name, shape in ((couplings, (n, n)), (bias, (n,))):
                found = getattr(self, name).shape
                require(found == shape, f"{name} must have shape {shape} to fit W, but has {found}")
            boltzmann.check_triangular(couplings, getattr(self, couplings), boltzmann.ONCE)

    @property
    def n_visible(self) -> int:
        """Number of visible units."""
        return self.W.shape[0]

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.W.shape[1]

    @cached_property
    def whole(self) -> BoltzmannMachine:
        """The law of (v, h) as that of one machine's units, v first."""
        below = np.zeros((self.n_hidden, self.n_visible))
        R = np.block([[self.R, self.W], [below, self.S]])
        return BoltzmannMachine(R, np.concatenate([self.b, self.c]))

    def of_whole(self, whole: BoltzmannMachine) -> "GeneralBoltzmannMachine":
        """The machine of as many visible and hidden units whose `whole` is that."""
        n, units = self.n_visible, self.n_visible + self.n_hidden
        require(whole.n_visible == units, f"a machine of {whole.n_visible} units does not have {units}")
        R = whole.R
        return GeneralBoltzmannMachine(R[:n, :n], R[:n, n:], R[n:, n:], whole.b[:n], whole.b[n:])


def mean_field(model: BoltzmannMachine, v: Array, hidden: Array, sweeps: int) -> Array:
    """`sweeps` updates of a factorial posterior of the hidden units given v (Peterson & Anderson 1987).

    model: a `whole`; v: [B, n] of its first units; hidden: [B, n_visible - n], the means of the others
    to start from. Each update goes through the hidden units one after the other and sets a mean to
    sigmoid of its input from the others' as they then stand, which is the best that this one mean can be:
    the bound never falls. Returns v and the means, [B, n_visible].
    """
    n = v.shape[1]
    rows, square = np.concatenate([v, hidden], axis=1), boltzmann.square(model)
    for _ in range(sweeps):
        for i in range(n, model.n_visible):
            rows[:, i] = expit(model.b[i] + rows @ square[:, i])
    return rows


def variational(model: BoltzmannMachine, rows: Array, n: int) -> Array:
    """The bound on log p(v) + log Z, nats, [B]: E_q[-E] + H(q) of independent units with these means.

    rows: as `mean_field` returns, v being the first n columns. As no unit is joined to itself, the mean
    energy is that of the means. Without S it is log p(v) + log Z, where the means have converged.
    """
    return entropy_of_means(rows[:, n:]) - boltzmann.energy(model, rows)
