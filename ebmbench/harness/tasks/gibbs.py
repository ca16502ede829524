"""Block Gibbs sampling: how many units a second, and how the cost grows.

A sweep v -> h -> v draws every unit of every chain once. What is told of it:

- `sweep_s`: seconds a sweep of all chains, median and quartiles over turns. A turn is one call of as many
  sweeps as take about `turn_s`, and at least 20.
- `unit_updates_per_s` = chains (n_visible + n_hidden) / `sweep_s`: units drawn, whatever they become.
- `attempted_flips_per_ns`: the same by the nanosecond. This is what the literature on the Ising model
  calls flips/ns (Preis et al. 2009; Romero et al. 2020), where a flip that is refused counts too.
- `changed_units_per_ns`: units that are not what they were a sweep before, by the nanosecond.
- `ess_per_s`: effective samples a second of all chains, `ess_per_draw` chains / `sweep_s`. The former is
  measured off the clock, on few chains: of the free energy and of the number of active visible units, the
  smaller effective sample size over the number of draws. None where the chains were followed for less
  than 50 times their autocorrelation time, with `ess_reason` (see `_followed`).
- `fraction`: of the dense algorithm's floor on as many threads (see `harness.floors`), over `sweep_s`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from ebmbench.discovery import unknown
from ebmbench.errors import Unavailable
from ebmbench.harness import conformance, sources, subject, tasks
from ebmbench.harness.clock import Stopwatch
from ebmbench.harness.floors import floor
from ebmbench.harness.interleaved import Limit
from ebmbench.harness.jobs import Gibbs
from ebmbench.harness.made_up import ON_RATE, Recipe
from ebmbench.harness.measures import Quality, Speed
from ebmbench.harness.tasks._followed import CHAINS, followed
from ebmbench.kernels import api
from ebmbench.kernels.api import Backend, Rows
from ebmbench.models.arithmetic import ARITHMETICS, rounded
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.randomness import Key, Stream

NAME = "gibbs"
# Of a turn. A call begins by adding up all that is on, which a short one would be charged with.
_FEWEST_SWEEPS, _MOST_SWEEPS = 20, 100_000


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """Chains of one model on so many threads.

    size: [n_visible, n_hidden] of a made-up model; on_rate, persistence: how many units are on, and how
    long they stay so (see `made_up.Recipe`); model: in its place a fixture, a file or a recipe (see
    `sources.load_model`), whose chains start from the training rows of dataset, by default from made-up
    rows. sweeps: of a turn, by default as many as take about turn_s seconds; turns: how
    often they are clocked. threads: of the processor, 0 for all that Numba may use. burn_in: sweeps that
    nothing is made of; recorded: sweeps of few chains, off the clock, that on-rates, flip rates and
    effective sample sizes come from.
    """

    task = NAME
    seeded = False
    measures = (
        Speed("sweep_s", "a sweep"),
        Quality("ess_per_draw", "ESS a draw", ratio=True, higher=True, tolerance=0.2),
    )

    size: list = field(default_factory=lambda: [784, 500], hash=False)
    on_rate: float = ON_RATE
    persistence: float = 0.8
    model: str | dict = field(default="", hash=False)
    dataset: str = ""
    chains: int = 100
    threads: int = 0
    arithmetic: str = "float"
    sweeps: int = 0
    turns: int = 6
    turn_s: float = 0.2
    burn_in: int = 20
    recorded: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("chains", "turns", "turn_s", "burn_in")
        for name in ("threads", "sweeps"):
            value = getattr(self, name)
            require(value >= 0, f"{name} must be at least 0, but is {value}")
        require(self.recorded >= 4, f"recorded must be at least 4, but is {self.recorded}")
        require(len(self.size) == 2, f"size must be [n_visible, n_hidden], but is {self.size}")
        if self.arithmetic not in ARITHMETICS:
            raise unknown("arithmetic", self.arithmetic, list(ARITHMETICS))
        require(not self.dataset or bool(self.model), "a dataset is of a model, and none is named")
        subject.check(self.model, self.dataset)
        _ = self.recipe

    @property
    def recipe(self) -> Recipe:
        """Of the made-up model; `UserError` for what cannot be made."""
        n_visible, n_hidden = self.size
        return Recipe(n_visible, n_hidden, self.on_rate, self.persistence)

    @property
    def kinds(self) -> tuple[str, ...]:
        """An RBM's."""
        return (RBM.kind,)

    @property
    def where(self) -> str:
        """What tables call the model."""
        return sources.model_name(self.model) if self.model else self.recipe.name

    @property
    def label(self) -> str:
        """Chains, threads and arithmetic."""
        counts = [(self.chains, "chain"), *([(self.threads, "thread")] if self.threads else [])]
        told = [f"{n:,} {noun}{'' if n == 1 else 's'}" for n, noun in counts]
        return ", ".join([*told, self.arithmetic])

    @property
    def heading(self) -> str:
        """The model and the label."""
        return f"{self.where}, {self.label},"

    def load(self) -> subject.Subject:
        """The model and what its chains start from: draws from the law of one that is made up."""
        if self.model:
            return subject.load(self.model, self.dataset, *self.size)
        return subject.from_recipe(self.recipe, self.seed)

    def inputs(self) -> dict[str, str]:
        """The digests of the model and of the data set, where they are named."""
        return subject.inputs(self.model, self.dataset)

    def facts(self) -> dict[str, Any]:
        """The fields; of a made-up model its sizes, and None for the dials of any other."""
        made_up = not self.model
        return super().facts() | {
            "subject": self.where,
            "job": "Gibbs",
            "threads": self.threads or None,  # how many that is, says the row of a case that ran
            "threads_asked": self.threads,
            "n_visible": self.size[0] if made_up else None,
            "n_hidden": self.size[1] if made_up else None,
            "on_rate": self.on_rate if made_up else None,
            "persistence": self.persistence if made_up else None,
        }

    def summary(self, row: dict[str, Any]) -> str:
        """Seconds a sweep, updates and effective samples a second, the fraction of the floor."""
        text = f"{1e3 * row['sweep_s']:.4g} ms a sweep, {row['unit_updates_per_s']:.3g} updates a second"
        if row["ess_per_s"] is not None:
            text += f", {row['ess_per_s']:.3g} effective samples a second"
        if row["fraction"] is not None:
            text += f", {row['fraction']:.3g} times the dense floor's rate"
        return text


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in the row; raises `Red` where states are not drawn from their conditional law."""
    limit = Limit(case.timeout_s)
    k = api.load(case.backend)
    with _threads(case) as threads:
        given = case.load()
        sizes = given.model.n_visible, given.model.n_hidden
        row |= dict(zip(("n_visible", "n_hidden"), sizes, strict=True))
        row["threads"] = None if case.backend == "cuda" else threads
        chains = _Chains(case, k, given)
        row["compile_s"] += chains.checked()
        row |= _clocked(case, chains, limit)
        job = Gibbs(case.chains, row["sweeps_a_turn"])
        way = case.arithmetic if job.on_tensor_cores and case.backend == "cuda" else "float"
        dense = floor(case.backend, job.cost(given), way, threads)
        row |= _rates(case.chains * sum(sizes), row["sweep_s"])
        row |= _of_floor(dense, row["sweeps_a_turn"], row["sweep_s"])
        few = k.put_rows(given.rows(CHAINS))
        key = Key(case.seed, Stream.SAMPLES)
        row |= followed(k, chains.handle, few, case.burn_in, case.recorded, key, limit)
    of_units = row["visible_flip_rate"] * sizes[0] + row["hidden_flip_rate"] * sizes[1]
    row["changed_units_per_ns"] = 1e-9 * case.chains * of_units / row["sweep_s"]
    known = row["ess_per_draw"] is not None
    row["ess_per_s"] = row["ess_per_draw"] * case.chains / row["sweep_s"] if known else None


@contextmanager
def _threads(case: Case) -> Iterator[int]:
    """As many threads as the case asks for, for Numba and the BLAS, while it lasts; yields how many."""
    before = numba.get_num_threads()
    if case.threads and case.backend == "cuda":
        raise Unavailable("threads are the processor's, and backend cuda has none to choose")
    if case.threads > before:
        raise Unavailable(f"{case.threads} threads are more than the {before} that Numba may use here")
    threads = case.threads or before
    numba.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads, user_api="blas"):
            yield threads
    finally:
        numba.set_num_threads(before)


class _Chains:
    """A model on its backend, and the chains that are clocked."""

    def __init__(self, case: Case, k: Backend, given: subject.Subject) -> None:
        self.k, self.handle = k, k.put(given.model, case.arithmetic)
        self.what, self.host = f"backend {k.name}", rounded(given.model, case.arithmetic)
        self.burn_in = case.burn_in
        self.key = Key(case.seed, Stream.CHAINS)
        self.v = k.put_rows(given.rows(case.chains))
        self.h: Rows = None

    def sweep(self, sweeps: int) -> None:
        """Walk on, and wait."""
        self.v, self.h = self.k.gibbs(self.handle, self.v, sweeps, self.key)
        self.key = self.key.advance(sweeps)
        self.k.synchronize()

    def checked(self) -> float:
        """The first sweep held against its conditional law, and the burn-in; seconds of compilation."""
        before = self.k.get_rows(self.v)
        seconds = []
        for sweeps in (1, 1):
            started = perf_counter()
            self.sweep(sweeps)
            seconds.append(perf_counter() - started)
            found = self.states()
            conformance.check_first_sweep(self.what, self.host, before, found, "float32")
            before = found["v"]
        self.sweep(self.burn_in)
        return max(0.0, seconds[0] - seconds[1])

    def check(self) -> None:
        """The last of many sweeps held against its conditional law."""
        conformance.check_gibbs(self.what, self.host, self.states(), "float32")

    def states(self) -> dict[str, np.ndarray]:
        """Both layers on the host."""
        return {"v": self.k.get_rows(self.v), "h": self.k.get_rows(self.h)}


def _clocked(case: Case, chains: _Chains, limit: Limit) -> dict[str, Any]:
    """Seconds a sweep; what was clocked is checked before and after."""
    sweeps = case.sweeps
    if not sweeps:
        sweeps = 1
        for _ in range(2):  # a single sweep also waits for the call to start
            limit.check("before the first turn")
            started = perf_counter()
            chains.sweep(sweeps)
            seconds = (perf_counter() - started) / sweeps
            sweeps = int(np.clip(case.turn_s / max(seconds, 1e-9), _FEWEST_SWEEPS, _MOST_SWEEPS))
    chains.sweep(sweeps)
    chains.check()
    watch = Stopwatch(chains.k, case.timeout_s)
    for turn in range(case.turns):
        limit.check(f"after {turn} of {case.turns} turns")
        watch.time(lambda: chains.sweep(sweeps))
    chains.check()
    found = watch.summary("sweep_s", sweeps)
    del found["threads"]  # a GPU has none
    return found | {"sweeps_a_turn": sweeps}


def _rates(units: int, sweep_s: float) -> dict[str, float]:
    rate = units / sweep_s
    return {"unit_updates_per_s": rate, "attempted_flips_per_ns": 1e-9 * rate}


def _of_floor(dense: dict[str, Any], sweeps: int, sweep_s: float) -> dict[str, Any]:
    """The floor of one sweep, of those of a turn, and the fraction that is reached."""
    if dense["floor_s"] is None:
        return {"floor_s": None, "bound": None, "fraction": None}
    seconds = dense["floor_s"] / sweeps
    return {"floor_s": seconds, "bound": dense["bound"], "fraction": seconds / sweep_s}
