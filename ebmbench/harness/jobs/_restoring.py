"""The job that imputes: half of the pixels of rows are missing, and chains find how probable each is."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ebmbench.evaluation.damage import missing
from ebmbench.harness import conformance
from ebmbench.harness.gate import Red
from ebmbench.harness.jobs._job import Cost, Job, Ours
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend, load
from ebmbench.options import require
from ebmbench.peers import Peer, Work
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.gibbs import independent

_MISSING = 0.5
_CHECKED, _FEW = 200, 10  # rows of a check, and its sweeps: the reference is slow
_JUDGE = "reference"
_OTHER = 2**32 - 1  # the judge's seed, which no case has


@dataclass(frozen=True)
class Restore(Job):
    """A walk of a chain a row, given the pixels that are left."""

    name = "restore"

    rows: int = 500
    sweeps: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.sweeps >= 2, f"sweeps of job {self.name} must be at least 2, but are {self.sweeps}")

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"Imputation, {self.rows:,} rows, {self.sweeps:,} sweeps"

    def cost(self, subject: Subject) -> Cost:
        """Two products a sweep; states, a byte a unit, evidence and means, 4 bytes each, once."""
        model = subject.model
        numbers = self.rows * (model.n_hidden + 9 * model.n_visible)
        return Cost(4.0 * model.W.size * self.rows * self.sweeps, model.W.size, numbers)

    def _given(self, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
        """Where chains start, uint8, and evidence: missing pixels start from base rates."""
        evidence = missing(subject.rows(self.rows), _MISSING, 0).evidence
        k, bias = load(_JUDGE), subject.base().bias + evidence
        start = independent(k, subject.model, self.rows, Key(0, Stream.SAMPLES), bias)
        return k.get_rows(start).astype(np.uint8), evidence

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        start, evidence = self._given(subject)
        handle, v, known = k.put(subject.model, arithmetic), k.put_rows(start), k.put_evidence(evidence)
        last: dict[str, Any] = {}
        key = Key(seed, Stream.SAMPLES)

        def run() -> None:
            last["means"] = k.posterior(handle, v, known, self.sweeps, self.sweeps // 2, key)

        def result() -> dict[str, np.ndarray]:
            return {"means": k.get_rows(last["means"]).astype(np.float64)}

        def put() -> None:
            k.put(subject.model, arithmetic)
            k.put_rows(start)
            k.put_evidence(evidence)

        return Ours(Work(run, k.synchronize, result), put, lambda: k.get_rows(last["means"]))

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        start, evidence = self._given(subject)
        return peer.start(self.name, subject.model, start, evidence, self.sweeps)

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """A piece of it: probabilities, and what is known stays."""
        work.run()
        _, evidence = self._given(subject)
        means, known = work.result()["means"], np.isinf(evidence)
        if not ((means >= 0.0) & (means <= 1.0)).all():
            raise Red(f"{what}: a mean is no probability")
        if not (np.abs(means - (evidence > 0))[known] < 1e-6).all():
            raise Red(f"{what}: a pixel that is known was drawn")

    def check_ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> None:
        """Few sweeps of enough rows, beside the reference's chains."""
        work = self._few.ours(k, subject, arithmetic, seed).work
        self._few._beside(f"backend {k.name}", subject.rounded(arithmetic), work, "float32")

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """The same of a peer."""
        work = self._few.theirs(peer, subject)
        self._few._beside(f"peer {peer.name}", subject, work, peer.place.precision)

    @property
    def _few(self) -> "Restore":
        return replace(self, rows=max(self.rows, _CHECKED), sweeps=min(self.sweeps, _FEW))

    def _beside(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        self.check(what, subject, work, precision)
        judge = self.ours(load(_JUDGE), subject, "float", _OTHER).work
        judge.run()
        conformance.check_means_of_chains(
            what, work.result()["means"], judge.result()["means"], precision
        )
