"""The sandwich: log Z from below, from above and between, and how far apart they stand.

Annealed importance sampling is a stochastic lower bound, reverse AIS from exact draws an upper one
(Burda, Grosse & Salakhutdinov 2015). A standard error tells how the chains differ, not what all of them
miss; only the gap between the two bounds does.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from ebmbench import partition
from ebmbench.evaluation.likelihood import Likelihood, free_energies, likelihood_of, prepared
from ebmbench.kernels.api import Backend
from ebmbench.models.enumerate import enumerable
from ebmbench.models.model import Model
from ebmbench.partition import BaseRates, LogZ, ais, bridge, exact, reverse_ais
from ebmbench.partition._works import Walks, forward, reverse

DEFAULT = [ais.NAME, bridge.NAME, reverse_ais.NAME]
_CARRIED = 0.2  # effective sample size, as a share of the chains, below which a verdict names it
_CALLED = {ais.NAME: "AIS", reverse_ais.NAME: "reverse AIS"}
RESOLVED = 1.0  # nats between forward and reverse AIS below which a log-likelihood counts as known


@dataclass(frozen=True, eq=False)
class Sandwich:
    """The estimates, and what AIS and reverse AIS say together, if both are there.

    gap: log Z by reverse AIS minus log Z by AIS, nats; gap_error: its standard error; resolved: whether
    the two together are less than `RESOLVED`, and both estimates stand as near to the exact value where
    that is there; verdict: that in one sentence, which also names a small effective sample size. Nor is
    anything resolved, one estimate or many, by which the rows' probabilities add up to so much more than
    1: see `Likelihood.excess`. All None where one of the two is missing and nothing is contradicted.
    Walks back that start from chains can miss the mode that walks forward miss: only exact draws or the
    exact value exclude it.
    """

    estimates: list[Likelihood]

    def _log_z(self, method: str) -> LogZ | None:
        return next((e.log_z for e in self.estimates if e.log_z.method == method), None)

    @property
    def _both(self) -> tuple[LogZ, LogZ] | None:
        there, back = self._log_z(ais.NAME), self._log_z(reverse_ais.NAME)
        return (there, back) if there and back else None

    @property
    def gap(self) -> float | None:
        """See the class."""
        return self._both and self._both[1].log_z - self._both[0].log_z

    @property
    def gap_error(self) -> float | None:
        """See the class."""
        return self._both and math.hypot(*(one.std_error for one in self._both))

    @property
    def resolved(self) -> bool | None:
        """See the class."""
        if self._contradiction:
            return False
        return None if self.gap is None else True

    @property
    def verdict(self) -> str | None:
        """See the class."""
        if wrong := self._contradiction:
            said = f"not resolved: {wrong}"
        elif self.gap is None:
            return None
        else:
            said = f"resolved: forward and reverse AIS differ by {self._between}{self._carried}"
        back = self._log_z(reverse_ais.NAME)
        return f"{said}; reverse AIS started from {back.start}" if back else said

    @property
    def _contradiction(self) -> str:
        """Which estimates contradict each other, or the rows; empty where none does."""
        gap, off = self.gap or 0.0, self._off
        heavy = max(self.estimates, key=lambda one: one.excess, default=None)
        if off >= RESOLVED:
            return (
                f"the exact log Z is up to {off:.2f} nats away, so the chains have not found all of the "
                "model"
            )
        if gap >= RESOLVED:
            return (
                f"reverse AIS stands {gap:.2f} nats above forward AIS, so the {self.estimates[0].what} "
                f"may be up to {gap:.2f} nats too high"
            )
        if gap <= -RESOLVED:
            return (
                f"reverse AIS stands {-gap:.2f} nats below forward AIS, so its start does not represent "
                "the model, or the chains are too few"
            )
        if heavy and heavy.excess >= RESOLVED:
            name = _CALLED.get(heavy.log_z.method, heavy.log_z.method)
            return (
                f"by {name} these rows' probabilities add up to more than 1, so its log Z is at least "
                f"{heavy.excess:.2f} nats too low"
            )
        if not abs(gap) + (self.gap_error or 0.0) < RESOLVED:
            return (
                f"forward and reverse AIS differ by {self._between}, which more temperatures or chains "
                "would make surer"
            )
        return ""

    @property
    def _between(self) -> str:
        """The gap and its standard error."""
        return f"{abs(self.gap or 0.0):.2f} +- {self.gap_error:.2f} nats"

    @property
    def _off(self) -> float:
        """How far AIS and reverse AIS are from the exact value, at most; 0 where it is not there."""
        truth = self._log_z(exact.NAME)
        found = [self._log_z(method) for method in (ais.NAME, reverse_ais.NAME)]
        return max((abs(z.log_z - truth.log_z) for z in found if z), default=0.0) if truth else 0.0

    @property
    def _carried(self) -> str:
        """That few chains count for all, where they do."""
        few = [
            (z.ess, z.log_weights.size, z.method)
            for one in self.estimates
            if (z := one.log_z).ess and z.ess < _CARRIED * z.log_weights.size
        ]
        if not few:
            return ""
        ess, chains, method = min(few)
        return (
            f", but the {chains} chains of {method} count for {ess:.1f} (their effective sample size): "
            "more temperatures are surer"
        )


def default_methods(model: Model) -> list[str]:
    """`DEFAULT`, and the exact value where the model allows it; that alone where nothing is summed."""
    if model.summed_units == 0:
        return [exact.NAME]
    return [*DEFAULT, *([exact.NAME] if enumerable(model) else [])]


def sandwich(
    k: Backend,
    model: Model,
    rows: np.ndarray,
    methods: list[str] | None = None,
    settings: dict[str, Any] | None = None,
    base: BaseRates | None = None,
    seed: int = 0,
) -> Sandwich:
    """Mean log-likelihood of rows [n, n_visible] by several methods (by default `default_methods`).

    settings: those of `partition.bridge` (betas, chains, error, start, sweeps, ...), for all methods. The
    bridge stands on half of the chains of AIS and half of those of reverse AIS, so nothing is run twice.
    base: as for `evaluate`.
    """
    return Sandwich(list(estimates(k, model, rows, methods, settings, base, seed)))


def check(methods: list[str], settings: dict[str, Any]) -> Any:
    """The config that all methods share; `UserError` for what is not known."""
    for name in methods:
        partition.find(name, {})
    return partition.find(bridge.NAME if bridge.NAME in methods else reverse_ais.NAME, settings)[1]


def estimates(
    k: Backend,
    model: Model,
    rows: np.ndarray,
    methods: list[str] | None = None,
    settings: dict[str, Any] | None = None,
    base: BaseRates | None = None,
    seed: int = 0,
    now: Callable[[str], None] = lambda text: None,
) -> Iterator[Likelihood]:
    """The estimates of `sandwich` one after the other; `now` is told what is being computed."""
    rows, base = prepared(model, rows, base, seed)
    weights = -free_energies(k, model, rows)
    for log_z, seconds in log_zs(k, model, methods, settings, base, seed, now):
        yield likelihood_of(model, weights, log_z, seconds)


def log_zs(
    k: Backend,
    model: Model,
    methods: list[str] | None,
    settings: dict[str, Any] | None,
    base: BaseRates,
    seed: int,
    now: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[LogZ, float]]:
    """Log Z and its seconds by each method in turn; arguments as `sandwich`."""
    methods = default_methods(model) if methods is None else methods
    shared = _Shared(k, model, methods, check(methods, settings or {}), base, seed, now)
    for name in methods:
        yield shared.estimate(name)


@dataclass(frozen=True, eq=False)
class _Shared:
    """Walks that are run when the first method needs them."""

    k: Backend
    model: Model
    methods: list[str]
    config: Any
    base: BaseRates
    seed: int
    now: Callable[[str], None]

    def estimate(self, name: str) -> tuple[LogZ, float]:
        """A method's log Z and its seconds; bridge's are those of the chains that it stands on."""
        half = self.config.chains // 2
        if name == ais.NAME:
            there, seconds = self.forward
            return ais.of_walks(there, self.base), seconds
        if name == reverse_ais.NAME:
            back, seconds = self.reverse
            return reverse_ais.of_walks(back, self.base), seconds + self._search_s
        if name == bridge.NAME:
            (there, there_s), (back, back_s) = self.forward, self.reverse
            log_z = bridge.of_walks(there.first(half), back.first(half), self.base)
            forward_s = self._search_s or half / len(there.log_weights) * there_s
            return log_z, forward_s + half / len(back.log_weights) * back_s
        module, config = partition.find(name, {})
        return self._clocked(
            f"log Z by {name}", lambda: module.estimate(self.k, self.model, config, self.base, self.seed)
        )

    @property
    def _search_s(self) -> float:
        """Seconds of an adaptive schedule's search, which each method that uses it would need itself."""
        return self.forward[1] if self.config.adaptive else 0.0

    @cached_property
    def forward(self) -> tuple[Walks, float]:
        return self._clocked("annealing from the base rates to the model", self._walk_forward)

    @cached_property
    def reverse(self) -> tuple[Walks, float]:
        schedule = self.forward[0].schedule if self.config.adaptive else None
        start = self.config.start_of(self.model).replace("_", " ")
        text = f"annealing back from draws of the model ({start})"
        return self._clocked(text, lambda: self._walk_back(schedule))

    def _walk_forward(self) -> Walks:
        chains = self._chains(ais.NAME)
        return forward(self.k, self.model, self.config, self.base, self.seed, chains)

    def _walk_back(self, schedule: Any) -> Walks:
        chains = self._chains(reverse_ais.NAME)
        return reverse(self.k, self.model, self.config, self.base, self.seed, chains, schedule)

    def _chains(self, method: str) -> int:
        """All where the method itself is wanted, half where only the bridge is."""
        return self.config.chains // (1 if method in self.methods else 2)

    def _clocked(self, text: str, work: Callable[[], Any]) -> tuple[Any, float]:
        self.now(text)
        self.k.synchronize()
        started = perf_counter()
        found = work()
        self.k.synchronize()
        return found, perf_counter() - started
