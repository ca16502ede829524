"""Jobs that train: an epoch of SML, and of contrastive divergence."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ebmbench.harness import conformance
from ebmbench.harness.jobs._job import Cost, Job, Ours
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend
from ebmbench.options import require
from ebmbench.peers import Peer, Work
from ebmbench.training.fit import Fit
from ebmbench.training.sgd import SGD

_RATE, _MOMENTUM = 1e-6, 0.5  # so small that the model stays what it is
_EPOCHS = 10**6  # more than anyone can clock


@dataclass(frozen=True)
class _Epoch(Job):
    """Updates with momentum, one for each whole batch of the rows."""

    rows: int = 60_000
    batch: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.batch <= self.rows,
            f"batch of job {self.name} is {self.batch}, more than its {self.rows} rows",
        )

    @property
    def updates(self) -> int:
        """Whole batches of the rows."""
        return self.rows // self.batch

    @property
    def sweeps(self) -> int:
        """Of the chains, an update."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, Any]:
        """Of our estimator of the same name."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        name = f"{self.name.upper()}-{self.sweeps}"
        return f"{name}, {self.updates:,} updates, batch {self.batch:,}"

    def cost(self, subject: Subject) -> Cost:
        """Two products a sweep and four of the phases an update; W and its velocity read and written."""
        size = subject.model.W.size
        operations = (4.0 * self.sweeps + 8.0) * size * self.batch * self.updates
        states = 3.0 * self.batch * subject.model.n_visible * self.updates
        return Cost(operations, 4.0 * size * self.updates, states)

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`; the library's own loop."""
        require(arithmetic == "float", f"a model trains in float arithmetic, not in {arithmetic}")
        model, rows = subject.model, subject.rows(self.rows)
        optimiser = SGD(_RATE, _MOMENTUM)
        fit = Fit(k, model, rows, self.name, self.settings, optimiser, _EPOCHS, self.batch, seed)

        def put() -> None:
            k.put(model, arithmetic)
            k.put_rows(rows)

        def result() -> dict[str, np.ndarray]:
            trained = fit.model
            return {name: getattr(trained, name) for name in trained.names}

        return Ours(Work(partial(fit.advance, self.updates), k.synchronize, result), put, result)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return self._peer(peer, subject, self.updates, _RATE, _MOMENTUM)

    def _peer(self, peer: Peer, subject: Subject, updates: int, rate: float, momentum: float) -> Work:
        raise NotImplementedError

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """A piece of it: the parameters stay finite, which `result` sees to."""
        work.run()
        work.result()

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """One update at a large rate."""

        def update(rate: float) -> dict[str, np.ndarray]:
            work = self._peer(peer, subject, 1, rate, 0.0)
            work.run()
            return work.result()

        what, precision = f"peer {peer.name}", peer.place.precision
        conformance.check_update(what, self.name, subject.model, update, precision, self.batch)


@dataclass(frozen=True)
class SML(_Epoch):
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
class CD(_Epoch):
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
