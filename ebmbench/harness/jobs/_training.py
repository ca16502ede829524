"""Jobs that train: gradients over single flips, and an epoch of SML."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ebmbench.harness import conformance, made_up
from ebmbench.harness.jobs._job import Cost, Job, Ours
from ebmbench.kernels.api import Backend
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.peers import Peer, Work
from ebmbench.training.fit import Fit
from ebmbench.training.sgd import SGD

_RATE, _MOMENTUM = 1e-6, 0.5  # so small that the model stays what it is
_EPOCHS = 10**6  # more than anyone can clock
_FLIP_OPERATIONS = 7  # a row, i and j: 2 of the value's product, a division and 4 of the gradient's sums


@dataclass(frozen=True)
class _Flips(Job):
    """Value and gradient of an objective over single flips of a batch."""

    rows: int = 100

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"{self.name.replace('_', ' ').capitalize()}, batch {self.rows:,}"

    def cost(self, model: RBM) -> Cost:
        """A row, visible unit and hidden unit each; W read and its gradient written."""
        operations = float(_FLIP_OPERATIONS) * model.W.size * self.rows
        return Cost(operations, model.W.size, 4.0 * model.W.size + self.rows * model.n_visible)

    def ours(self, k: Backend, model: RBM, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        host = made_up.rows(self.rows, model.n_visible)
        handle, rows = k.put(model, arithmetic), k.put_rows(host)
        last: dict[str, Any] = {}

        def run() -> None:
            last["phases"], last["value"] = getattr(k, self.name)(handle, rows)

        def result() -> dict[str, np.ndarray]:
            return {"value": last["value"], **k.get_tree(handle, last["phases"].gradient)}

        def put() -> None:
            k.put(model, arithmetic)
            k.put_rows(host)

        return Ours(Work(run, k.synchronize, result), put, result)

    def theirs(self, peer: Peer, model: RBM) -> Work:
        """The same by a peer."""
        return peer.start(self.name, model, made_up.rows(self.rows, model.n_visible))

    def check(self, what: str, model: RBM, work: Work, precision: str) -> None:
        """A piece of it, against the reference."""
        work.run()
        rows = made_up.rows(self.rows, model.n_visible)
        conformance.check_gradient(what, self.name, model, rows, work.result())


@dataclass(frozen=True)
class Pseudolikelihood(_Flips):
    """See `_Flips`."""

    name = "pseudolikelihood"
    peers_job = "pseudolikelihood"


@dataclass(frozen=True)
class RatioMatching(_Flips):
    """See `_Flips`."""

    name = "ratio_matching"
    peers_job = "ratio_matching"


@dataclass(frozen=True)
class SML(Job):
    """An epoch of SML-1 with momentum, and as many chains as a batch has rows."""

    name = "sml"
    peers_job = "sml"

    rows: int = 60_000
    batch: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.batch <= self.rows, f"batch of job sml is {self.batch}, more than its {self.rows} rows"
        )

    @property
    def updates(self) -> int:
        """Whole batches of the rows."""
        return self.rows // self.batch

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"SML-1, {self.updates:,} updates, batch {self.batch:,}"

    def cost(self, model: RBM) -> Cost:
        """Six products an update; W and its velocity read and written."""
        operations = 12.0 * model.W.size * self.batch * self.updates
        weights = 4.0 * model.W.size * self.updates
        return Cost(operations, weights, 3.0 * self.batch * model.n_visible * self.updates)

    def ours(self, k: Backend, model: RBM, arithmetic: str, seed: int) -> Ours:
        """See `Ours`; the library's own loop."""
        require(arithmetic == "float", f"a model trains in float arithmetic, not in {arithmetic}")
        rows = made_up.rows(self.rows, model.n_visible)
        fit = Fit(
            k,
            model,
            rows,
            "sml",
            {"chains": self.batch},
            SGD(_RATE, _MOMENTUM),
            _EPOCHS,
            self.batch,
            seed,
        )

        def put() -> None:
            k.put(model, arithmetic)
            k.put_rows(rows)

        def result() -> dict[str, np.ndarray]:
            trained = fit.model
            return {name: getattr(trained, name) for name in trained.names}

        return Ours(Work(partial(fit.advance, self.updates), k.synchronize, result), put, result)

    def theirs(self, peer: Peer, model: RBM) -> Work:
        """The same by a peer."""
        return self._peer(peer, model, self.updates, _RATE, _MOMENTUM)

    def _peer(self, peer: Peer, model: RBM, updates: int, rate: float, momentum: float) -> Work:
        rows = made_up.rows(self.rows, model.n_visible)
        return peer.start("sml", model, rows, rows[: self.batch], self.batch, updates, rate, momentum)

    def check(self, what: str, model: RBM, work: Work, precision: str) -> None:
        """A piece of it: the parameters stay finite, which `result` sees to."""
        work.run()
        work.result()

    def check_peer(self, peer: Peer, model: RBM) -> None:
        """One update at a large rate."""

        def update(rate: float) -> dict[str, np.ndarray]:
            work = self._peer(peer, model, 1, rate, 0.0)
            work.run()
            return work.result()

        conformance.check_sml(f"peer {peer.name}", model, update)
