"""Jobs that train: an epoch of SML, and of contrastive divergence."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.harness import conformance
from ebmbench.harness.jobs._epoch import EPOCHS, MOMENTUM, RATE, Epoch
from ebmbench.harness.jobs._job import Cost
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend
from ebmbench.peers import Peer, Work
from ebmbench.training.fit import Fit
from ebmbench.training.sgd import SGD


@dataclass(frozen=True)
class _Chains(Epoch):
    """Updates of an RBM with momentum."""

    @property
    def sweeps(self) -> int:
        """Of the chains, an update."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, Any]:
        """Of our estimator of the same name."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """As tables call it."""
        return f"{self.name.upper()}-{self.sweeps}"

    def cost(self, subject: Subject) -> Cost:
        """Two products a sweep and four of the phases an update; W and its velocity read and written."""
        size = subject.model.W.size
        operations = (4.0 * self.sweeps + 8.0) * size * self.batch * self.updates
        states = 3.0 * self.batch * subject.model.n_visible * self.updates
        return Cost(operations, 4.0 * size * self.updates, states)

    def trainer(self, k: Backend, subject: Subject, seed: int) -> Fit:
        """The library's own loop."""
        rows, optimiser = subject.rows(self.rows), SGD(RATE, MOMENTUM)
        return Fit(k, subject.model, rows, self.name, self.settings, optimiser, EPOCHS, self.batch, seed)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return self._peer(peer, subject, self.updates, RATE, MOMENTUM)

    def _peer(self, peer: Peer, subject: Subject, updates: int, rate: float, momentum: float) -> Work:
        raise NotImplementedError

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """One update at a large rate."""

        def update(rate: float) -> dict[str, np.ndarray]:
            work = self._peer(peer, subject, 1, rate, 0.0)
            work.run()
            return work.result()

        what, precision = f"peer {peer.name}", peer.place.precision
        conformance.check_update(what, self.name, subject.model, update, precision, self.batch)


@dataclass(frozen=True)
class SML(_Chains):
    """An epoch of SML-1 with momentum, and as many chains as a batch has rows."""

    name = "sml"

    @property
    def sweeps(self) -> int:
        """One."""
        return 1

    @property
    def settings(self) -> dict[str, Any]:
        """The chains."""
        return {"chains": self.batch}

    def _peer(self, peer: Peer, subject: Subject, updates: int, rate: float, momentum: float) -> Work:
        rows = subject.rows(self.rows)
        chains = rows[: self.batch]
        return peer.start("sml", subject.model, rows, chains, self.batch, updates, rate, momentum)


@dataclass(frozen=True)
class CD(_Chains):
    """An epoch of CD-k with momentum."""

    name = "cd"

    k: int = 1

    @property
    def sweeps(self) -> int:
        """k."""
        return self.k

    @property
    def settings(self) -> dict[str, Any]:
        """k."""
        return {"k": self.k}

    def _peer(self, peer: Peer, subject: Subject, updates: int, rate: float, momentum: float) -> Work:
        rows = subject.rows(self.rows)
        return peer.start("cd", subject.model, rows, self.batch, updates, self.k, rate, momentum)
