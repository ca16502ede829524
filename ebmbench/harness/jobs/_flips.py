"""Jobs that take gradients over single flips of a batch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.harness import conformance
from ebmbench.harness.jobs._job import Cost, Job, Ours
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend
from ebmbench.peers import Peer, Work

_FLIP_OPERATIONS = 7  # a row, i and j: 2 of the value's product, a division and 4 of the gradient's sums


@dataclass(frozen=True)
class _Flips(Job):
    """Value and gradient of an objective over single flips of a batch."""

    rows: int = 100

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"{self.name.replace('_', ' ').capitalize()}, batch {self.rows:,}"

    def cost(self, subject: Subject) -> Cost:
        """A row, visible unit and hidden unit each; W read and its gradient written."""
        weights = subject.model.W.size
        operations = float(_FLIP_OPERATIONS) * weights * self.rows
        return Cost(operations, weights, 4.0 * weights + self.rows * subject.model.n_visible)

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        host = subject.rows(self.rows)
        handle, rows = k.put(subject.model, arithmetic), k.put_rows(host)
        last: dict[str, Any] = {}

        def run() -> None:
            last["phases"], last["value"] = getattr(k, self.name)(handle, rows)

        def result() -> dict[str, np.ndarray]:
            return {"value": last["value"], **k.get_tree(handle, last["phases"].gradient)}

        def put() -> None:
            k.put(subject.model, arithmetic)
            k.put_rows(host)

        return Ours(Work(run, k.synchronize, result), put, result)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return peer.start(self.name, subject.model, subject.rows(self.rows))

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """A piece of it, against the reference."""
        work.run()
        conformance.check_gradient(what, self.name, subject.model, subject.rows(self.rows), work.result())


@dataclass(frozen=True)
class Pseudolikelihood(_Flips):
    """See `_Flips`."""

    name = "pseudolikelihood"


@dataclass(frozen=True)
class RatioMatching(_Flips):
    """See `_Flips`."""

    name = "ratio_matching"
