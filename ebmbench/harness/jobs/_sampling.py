"""Jobs that sample: Gibbs sweeps and annealing."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ebmbench.harness import conformance, gate
from ebmbench.harness.jobs._job import Cost, Job, Ours
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend, load
from ebmbench.models.kinds import computed_as
from ebmbench.options import require
from ebmbench.partition import _schedule as schedule
from ebmbench.partition import log_z_base
from ebmbench.partition._weights import summarise
from ebmbench.peers import Peer, Work
from ebmbench.randomness import Key, Stream

_FEW, _CHAINS = 50, 100  # temperatures of a check, and the chains of a peer's at least
_JUDGES = {"cpu": "reference"}  # of other backends the cpu
_TILE = 128  # chains from which on the backend cuda samples on tensor cores


def ours_of_chains(
    k: Backend, subject: Subject, arithmetic: str, seed: int, chains: int, sweeps: int
) -> Ours:
    """Sweeps of so many chains from the subject's rows; a piece goes on where the last one ended."""
    rows = subject.rows(chains)
    handle, state = k.put(subject.model, arithmetic), {"v": k.put_rows(rows)}
    key = Key(seed, Stream.CHAINS)

    def run() -> None:
        nonlocal key
        state["v"], state["h"] = k.gibbs(handle, state["v"], sweeps, key)
        key = key.advance(sweeps)

    def result() -> dict[str, np.ndarray]:
        return {name: k.get_rows(x).astype(np.float64) for name, x in state.items()}

    def put() -> None:
        k.put(subject.model, arithmetic)
        k.put_rows(rows)

    return Ours(Work(run, k.synchronize, result), put, lambda: k.get_rows(state["v"]))


@dataclass(frozen=True)
class Gibbs(Job):
    """Sweeps of many chains: h and then v, each drawn given the other."""

    name = "gibbs"

    chains: int = 100
    sweeps: int = 100

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"Gibbs, {self.chains:,} chains, {self.sweeps:,} sweeps"

    @property
    def on_tensor_cores(self) -> bool:
        """Where the chains fill a tile."""
        return self.chains >= _TILE

    def cost(self, subject: Subject) -> Cost:
        """Two products a sweep; v and h of each chain, a byte a unit, read and written once."""
        model = subject.model
        states = self.chains * (2 * model.n_visible + model.n_hidden)
        return Cost(4.0 * model.W.size * self.chains * self.sweeps, model.W.size, states)

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        return ours_of_chains(k, subject, arithmetic, seed, self.chains, self.sweeps)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return peer.start("gibbs", subject.model, subject.rows(self.chains), self.sweeps)

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """A piece of it, and its last sweep held against the conditional law."""
        work.run()
        conformance.check_gibbs(what, subject.model, work.result(), precision)

    def check_ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> None:
        """One sweep from known rows."""
        work = replace(self, sweeps=1).ours(k, subject, arithmetic, seed).work
        self._check_first("backend " + k.name, subject.rounded(arithmetic), work, "float32")

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """One sweep from known rows."""
        work = replace(self, sweeps=1).theirs(peer, subject)
        self._check_first(f"peer {peer.name}", subject, work, peer.place.precision)

    def _check_first(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        work.run()
        rows = subject.rows(self.chains)
        conformance.check_first_sweep(what, subject.model, rows, work.result(), precision)


@dataclass(frozen=True)
class Annealing(Job):
    """Annealed importance sampling: a sweep and a weight at each temperature.

    betas: of evenly spaced temperatures, or `paper`, see `partition`.
    """

    name = "ais"

    chains: int = 100
    betas: int | str = 14_500

    def __post_init__(self) -> None:
        require(not self._told.adaptive, f"betas of job {self.name} must be known beforehand")

    @property
    def _told(self) -> schedule.Annealing:
        return schedule.Annealing(self.betas, self.chains)

    @property
    def _betas(self) -> np.ndarray:
        return self._told.schedule.betas

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        spaced = " of the paper" if self.betas == schedule.PAPER else ""
        return f"AIS, {self.chains:,} chains, {len(self._betas):,} temperatures{spaced}"

    def cost(self, subject: Subject) -> Cost:
        """Two products a temperature; the weights come from pre-activations that are there anyway."""
        model = subject.model
        states = self.chains * (model.n_visible + 8)
        return Cost(4.0 * model.W.size * self.chains * len(self._betas), model.W.size, states)

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`; log Z comes from the last piece's weights."""
        model, base, betas = subject.model, subject.base(), self._betas
        handle = k.put(model, arithmetic)
        last: dict[str, Any] = {}

        def run() -> None:
            last["found"] = k.anneal(handle, base.bias, betas, self.chains, Key(seed, Stream.ANNEALING))

        def facts() -> dict[str, Any]:
            log_z, std_error, _ = summarise(last["found"].log_weights)
            return {
                "log_z": log_z + log_z_base(model, base),
                "std_error": std_error,
                "log_z_schedule": self._told.schedule.name,
                "log_z_base": base.source,
            }

        work = Work(run, k.synchronize, lambda: {"log_weights": last["found"].log_weights})
        return Ours(work, lambda: k.put(model, arithmetic), lambda: k.get_rows(last["found"].v), facts)

    def check_ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> None:
        """Log Z of as many chains and few temperatures, that of another backend."""
        found, judge = [], _JUDGES.get(k.name, "cpu")
        gate.demand(judge, computed_as(subject.model))
        for one in (k, load(judge)):
            work = self._few.ours(one, subject, arithmetic, seed).work
            work.run()
            found.append(summarise(work.result()["log_weights"])[:2])
        conformance.check_log_z(f"AIS of backend {k.name} beside another", *found)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return peer.start("ais", subject.model, subject.base().bias, self._betas, self.chains)

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """The mean log weight at few temperatures, that of a backend.

        Unlike log Z, the log of a mean that few chains decide, it is as good as normal.
        """
        few = replace(self._few, chains=max(self.chains, _CHAINS))
        found = []
        for work in (few.theirs(peer, subject), few.ours(load("cpu"), subject, "float", 0).work):
            work.run()
            weights = work.result()["log_weights"]
            found.append((float(weights.mean()), float(weights.std(ddof=1) / np.sqrt(len(weights)))))
        conformance.check_log_z(f"AIS of peer {peer.name} beside ours", *found)

    @property
    def _few(self) -> "Annealing":
        return replace(self, betas=min(len(self._betas), _FEW))

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """A piece of it: the weights are finite."""
        work.run()
        require(bool(np.isfinite(work.result()["log_weights"]).all()), f"{what}: a weight is not finite")
