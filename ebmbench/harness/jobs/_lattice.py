"""Sweeps of an Ising model on a torus, the job that hardware for sampling is compared by."""

from dataclasses import dataclass, replace
from functools import cache
from math import isfinite
from typing import Any

import numpy as np

from ebmbench.harness import conformance
from ebmbench.harness.jobs._job import Job, Ours
from ebmbench.harness.jobs._sampling import ours_of_chains
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend
from ebmbench.models.graph import lattice
from ebmbench.models.markov_field import MarkovField, ising
from ebmbench.options import require
from ebmbench.partition import BaseRates
from ebmbench.peers import Peer, Work
from ebmbench.randomness import Key, Stream, uniforms

_LARGEST = 4096  # side: some 16 million spins


@cache
def _torus(side: int, coupling: float) -> MarkovField:
    return ising(lattice(side, side, wrapped=True), coupling)


@dataclass(frozen=True)
class Ising(Job):
    """Sweeps of many chains: the fields of one colour of a chequerboard, and then those of the other.

    side: of the torus, even; coupling: of neighbouring spins; 0.44 is where an infinite lattice begins to
    order by itself.
    """

    name = "ising"
    of_rbms = False

    side: int = 64
    coupling: float = 0.44
    chains: int = 128
    sweeps: int = 20

    def __post_init__(self) -> None:
        object.__setattr__(self, "coupling", float(self.coupling))
        super().__post_init__()
        require(isfinite(self.coupling), f"coupling of job {self.name} must be finite")
        even = self.side % 2 == 0 and 4 <= self.side <= _LARGEST
        told = f"even and from 4 to {_LARGEST:,}, but is {self.side}"
        require(even, f"side of job {self.name} must be {told}")

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"Ising, {self.chains:,} chains, {self.sweeps:,} sweeps"

    @property
    def units(self) -> dict[str, int | None]:
        """Of the torus."""
        return {"n_visible": self.side**2, "n_hidden": None}

    @property
    def draws(self) -> int:
        """Spins that a piece draws."""
        return self.chains * self.sweeps * self.side**2

    def check_source(self, model: str | dict) -> None:
        """Of no other model."""
        require(not model, f"job {self.name} makes its own model, so none can be named")

    def called(self, model: str | dict, n_visible: int, n_hidden: int) -> str:
        """How tables call the model."""
        return f"a {self.side}x{self.side} torus, J {self.coupling:g}"

    def load(self, model: str | dict, dataset: str, n_visible: int, n_hidden: int) -> Subject:
        """The torus, whose chains start from fair coins."""
        require(not dataset, f"job {self.name} starts from fair coins, so no data set can be named")
        units = self.side**2

        def rows(count: int) -> np.ndarray:
            return (uniforms(Key(0, Stream.SAMPLES), count, units) < 0.5).astype(np.uint8)

        return Subject(
            self.called("", 0, 0), _torus(self.side, self.coupling), rows,
            lambda: BaseRates(np.zeros(units), "fair coins"),
        )  # fmt: skip

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        return ours_of_chains(k, subject, arithmetic, seed, self.chains, self.sweeps)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        model, torus = subject.model, (self.side, self.side)
        weight, bias = float(model.R[0]), float(model.b[0])
        return peer.start("ising", torus, weight, bias, subject.rows(self.chains), self.sweeps)

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """A piece of it, and its last colour held against the conditional law."""
        work.run()
        conformance.check_last_colour(what, subject.model, work.result()["v"], precision)

    def check_ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> None:
        """One sweep from known rows."""
        work = replace(self, sweeps=1).ours(k, subject, arithmetic, seed).work
        self._check_first(f"backend {k.name}", subject, work, "float32")

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """One sweep from known rows."""
        work = replace(self, sweeps=1).theirs(peer, subject)
        self._check_first(f"peer {peer.name}", subject, work, peer.place.precision)

    def _check_first(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        work.run()
        rows: Any = subject.rows(self.chains)
        conformance.check_colours(what, subject.model, rows, work.result()["v"], precision)
