"""Jobs that sample: Gibbs sweeps and annealing."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ebmbench.harness import conformance, made_up
from ebmbench.harness.jobs._job import Cost, Job, Ours
from ebmbench.kernels.api import Backend, load
from ebmbench.models.arithmetic import rounded
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.partition import base_rates, log_z_base
from ebmbench.partition._weights import summarise
from ebmbench.peers import Peer, Work
from ebmbench.randomness import Key, Stream

_FEW = 50  # temperatures of a check
_JUDGES = {"cpu": "reference"}  # of other backends the cpu
_TILE = 128  # chains from which on the backend cuda samples on tensor cores


@dataclass(frozen=True)
class Gibbs(Job):
    """Sweeps of many chains: h and then v, each drawn given the other."""

    name = "gibbs"
    peers_job = "gibbs"

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

    def cost(self, model: RBM) -> Cost:
        """Two products a sweep; v and h of each chain, a byte a unit, read and written once."""
        states = self.chains * (2 * model.n_visible + model.n_hidden)
        return Cost(4.0 * model.W.size * self.chains * self.sweeps, model.W.size, states)

    def ours(self, k: Backend, model: RBM, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        rows = made_up.rows(self.chains, model.n_visible)
        handle, state = k.put(model, arithmetic), {"v": k.put_rows(rows)}
        key = Key(seed, Stream.CHAINS)

        def run(sweeps: int = self.sweeps) -> None:
            nonlocal key
            state["v"], state["h"] = k.gibbs(handle, state["v"], sweeps, key)
            key = key.advance(sweeps)

        def result() -> dict[str, np.ndarray]:
            return {name: k.get_rows(x).astype(np.float64) for name, x in state.items()}

        def put() -> None:
            k.put(model, arithmetic)
            k.put_rows(rows)

        return Ours(Work(run, k.synchronize, result), put, lambda: k.get_rows(state["v"]))

    def theirs(self, peer: Peer, model: RBM) -> Work:
        """The same by a peer."""
        return peer.start("gibbs", model, made_up.rows(self.chains, model.n_visible), self.sweeps)

    def check(self, what: str, model: RBM, work: Work, precision: str) -> None:
        """A piece of it, and its last sweep held against the conditional law."""
        work.run()
        conformance.check_gibbs(what, model, work.result(), precision)

    def check_ours(self, k: Backend, model: RBM, arithmetic: str, seed: int) -> None:
        """One sweep from known rows."""
        work = replace(self, sweeps=1).ours(k, model, arithmetic, seed).work
        self._check_first("backend " + k.name, rounded(model, arithmetic), work, "float32")

    def check_peer(self, peer: Peer, model: RBM) -> None:
        """One sweep from known rows."""
        work = replace(self, sweeps=1).theirs(peer, model)
        self._check_first(f"peer {peer.name}", model, work, peer.place.precision)

    def _check_first(self, what: str, model: RBM, work: Work, precision: str) -> None:
        work.run()
        rows = made_up.rows(self.chains, model.n_visible)
        conformance.check_first_sweep(what, model, rows, work.result(), precision)


@dataclass(frozen=True)
class Annealing(Job):
    """Annealed importance sampling: a sweep and a weight at each temperature, evenly spaced."""

    name = "ais"

    chains: int = 100
    betas: int = 14_500

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in vars(self).items():
            require(value >= 2, f"{name} of job {self.name} must be at least 2, but is {value}")

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"AIS, {self.chains:,} chains, {self.betas:,} temperatures"

    def cost(self, model: RBM) -> Cost:
        """Two products a temperature; the weights come from pre-activations that are there anyway."""
        states = self.chains * (model.n_visible + 8)
        return Cost(4.0 * model.W.size * self.chains * self.betas, model.W.size, states)

    def ours(self, k: Backend, model: RBM, arithmetic: str, seed: int) -> Ours:
        """See `Ours`; log Z comes from the last piece's weights."""
        base = base_rates(made_up.rows(1000, model.n_visible), "made-up rows")
        handle, betas = k.put(model, arithmetic), np.linspace(0.0, 1.0, self.betas)
        last: dict[str, Any] = {}

        def run() -> None:
            last["found"] = k.anneal(handle, base.bias, betas, self.chains, Key(seed, Stream.ANNEALING))

        def facts() -> dict[str, Any]:
            weights = last["found"].log_weights + log_z_base(model, base)
            return {"log_z": float(logsumexp(weights) - np.log(len(weights)))}

        work = Work(run, k.synchronize, lambda: {"log_weights": last["found"].log_weights})
        return Ours(work, lambda: k.put(model, arithmetic), lambda: k.get_rows(last["found"].v), facts)

    def check_ours(self, k: Backend, model: RBM, arithmetic: str, seed: int) -> None:
        """Log Z of as many chains and few temperatures, that of another backend."""
        few, found = replace(self, betas=min(self.betas, _FEW)), []
        for one in (k, load(_JUDGES.get(k.name, "cpu"))):
            work = few.ours(one, model, arithmetic, seed).work
            work.run()
            found.append(summarise(work.result()["log_weights"])[:2])
        conformance.check_log_z(f"AIS of backend {k.name} beside another", *found)

    def check(self, what: str, model: RBM, work: Work, precision: str) -> None:
        """A piece of it: the weights are finite."""
        work.run()
        require(bool(np.isfinite(work.result()["log_weights"]).all()), f"{what}: a weight is not finite")
