"""Other software that does the same jobs, one file a peer; a new file is found because it exists.

A file has NAME; PACKAGE, what must be installed; DEVICES, of `cpu` and `cuda`; PRECISIONS, of `float32`
and `bfloat16`; and JOBS, functions by name that return a `Work`:

    gibbs(place, model, v, sweeps)             a piece is `sweeps` sweeps from where the chains stand
    restore(place, model, v, evidence, sweeps) a piece is `sweeps` sweeps of chains from the rows v in
                                               which evidence, [rows, n_visible] and infinite of units
                                               that are known, adds to the visible units' log odds, and
                                               the mean of what v is drawn at over all but the first
                                               sweeps // 2 of them
    pseudolikelihood(place, model, v)          a piece is value and gradient of the rows v
    ratio_matching(place, model, v)            likewise, of the negative loss
    ais(place, model, bias, betas, chains)     a piece is one annealing from independent units of these
                                               biases, which are drawn, through inverse temperatures
                                               betas, from 0 to 1
    ising(place, torus, weight, bias, v, sweeps)
                                               a piece is `sweeps` sweeps of a `MarkovField` on a torus
                                               of this height and width, both even, whose units are on
                                               with log odds of the bias and the weight of each of four
                                               neighbours that is on: first those whose row and column
                                               add up to an even number
    sml(place, model, rows, chains, batch, updates, rate, momentum)
                                               a piece is so many updates, one sweep each
    cd(place, model, rows, batch, updates, k, rate, momentum)
                                               likewise, k sweeps each from the batch
    mlp(place, model, rows, labels, batch, updates, rule)
                                               a piece is so many updates by a `Rule` of an `MLP`, whose
                                               outputs are the logits of the labels, whole numbers
    gan(place, model, rows, batch, updates, form, rule)
                                               likewise of a `GAN`: a step of its discriminator on a batch
                                               and as many fakes, one of its generator on new noise by a
                                               form of `models.gan`; noise is uniform on [-1, 1]
    dbn(place, model, rows, persistent, batch, updates, rate, momentum)
                                               a piece is so many updates of each layer of a `DBN` in turn
                                               (by CD-1, or persistent by SML-1 with a batch's number of
                                               chains); upper layers see states drawn upwards from the
                                               rows by the model as it came, anew once all were seen
    dbm(place, model, rows, chains, batch, updates, mean_field, sweeps, rate, momentum)
                                               likewise of all layers of a `DBM` together: so many updates
                                               of mean field, from silent hidden layers, and sweeps of
                                               chains, given by the states of their even layers

    score_free_energy, score_pseudolikelihood(place, model, v)
                                               a piece is the library's own score of the rows v

`model` is an RBM but where another kind is named; v, rows and chains are binary rows, all on the host.
Each peer is written as one would write it in that library: float32 or bfloat16 throughout, its own random
numbers. The harness checks what comes out before anything is timed. A file may have `missing(place)`: why
it cannot run there, or None; and `settings(place)`: names of further arguments of its jobs, each with the
values to try, of which `tuned` keeps the fastest; SLOW_TO_START, where a job takes a minute to be
made ready; and PLAIN, where its training knows no momentum.
"""

import importlib
import importlib.util
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from time import perf_counter
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ebmbench.discovery import registry, unknown
from ebmbench.errors import Unavailable

_TRIALS, _TRIAL_S = 3, 1.0  # of a setting, after the piece that warms up; seconds that end them


class Place(NamedTuple):
    """Where and how precisely a peer computes: `cpu` or `cuda`, `float32` or `bfloat16`."""

    device: str
    precision: str


class Rule(NamedTuple):
    """How a network's parameters climb: by `sgd` with momentum, or by `adam`."""

    name: str
    rate: float
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


class Work(NamedTuple):
    """A job that is ready.

    run(): one piece of it, which need not have ended when this returns; wait(): until it has; result():
    host arrays of the last piece by name, in float64: v and h of gibbs, v of ising; means of restore,
    [rows, n_visible]; log_weights of ais,
    the base's log Z left out; value and W, b, c of a gradient; score of a score; of sml and cd W, b, c
    of the updated model, the last batch and, where they are known, the chains' v and the h it was drawn
    from; of mlp and gan the updated parameters by name, the last batch and its targets, one where the
    label is, or the noise of both steps, z_discriminator and z_generator.
    """

    run: Callable[[], Any]
    wait: Callable[[], Any]
    result: Callable[[], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Peer:
    """A peer at a place; version: of its package; settings: with which its jobs run."""

    name: str
    version: str
    place: Place
    jobs: Mapping[str, Callable[..., Work]]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def start(self, job: str, *given: Any) -> Work:
        """A job made ready; `Unavailable` where the peer has no such job."""
        if job not in self.jobs:
            raise Unavailable(f"peer {self.name} has no {job}")
        return self.jobs[job](self.place, *given, **self.settings)


def known() -> dict[str, ModuleType]:
    """The peers by name."""
    return registry(__name__, ("PACKAGE", "DEVICES", "PRECISIONS", "JOBS"))


def check(name: str, precision: str) -> ModuleType:
    """A peer's module; `UserError` for what is not known."""
    if name not in known():
        raise unknown("peer", name, list(known()))
    module = known()[name]
    if precision not in module.PRECISIONS:
        raise unknown(f"precision of peer {name}", precision, list(module.PRECISIONS))
    return module


def load(name: str, place: Place) -> Peer:
    """A peer that can run; `Unavailable` with the reason where it cannot."""
    module = check(name, place.precision)
    if place.device not in module.DEVICES:
        raise Unavailable(f"peer {name} runs on {' and '.join(module.DEVICES)}, not on {place.device}")
    try:
        importlib.import_module(module.PACKAGE)
    except ImportError:
        raise Unavailable(f"peer {name} needs the package {module.PACKAGE}") from None
    reason = module.missing(place) if hasattr(module, "missing") else None
    if reason:
        raise Unavailable(f"peer {name} {reason}")
    first = {setting: values[0] for setting, values in _settings(module, place).items()}
    return Peer(name, version_of(name), place, module.JOBS, first)


def _settings(module: ModuleType, place: Place) -> Mapping[str, tuple]:
    return module.settings(place) if hasattr(module, "settings") else {}


def tuned(peer: Peer, start: Callable[[Peer], Work]) -> Peer:
    """The same peer with those of its settings with which the work that `start` makes ready takes least.

    Each is given a piece to warm up and then the least time of up to three.
    """
    values = _settings(known()[peer.name], peer.place)
    ways = [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]
    if len(ways) == 1:
        return peer
    best, least = peer, float("inf")
    for way in ways:
        one = replace(peer, settings=way)
        seconds = _least(start(one))
        if seconds < least:
            best, least = one, seconds
    return best


def _least(work: Work) -> float:
    """Seconds of a piece."""
    times: list[float] = []
    for _ in range(1 + _TRIALS):
        started = perf_counter()
        work.run()
        work.wait()
        times.append(perf_counter() - started)
        if sum(times) > _TRIAL_S and len(times) > 1:
            break
    return min(times[1:])


def describe(name: str) -> str:
    """What a peer is, does and lacks, without importing its package."""
    module = known()[name]
    first = (module.__doc__ or "").strip().splitlines()[0]
    places = f"{', '.join(module.JOBS)} on {' and '.join(module.DEVICES)}"
    there = importlib.util.find_spec(module.PACKAGE) is not None
    state = _version(module.PACKAGE) if there else f"not here: it needs the package {module.PACKAGE}"
    return f"{first} {places} ({state})"


def version_of(name: str) -> str:
    """Of a peer's package, or the package's name where it is not there."""
    return _version(known()[name].PACKAGE)


# It reads the files of everything that is installed.
_distributions = cache(packages_distributions)


def _version(package: str) -> str:
    """Of the distribution that brings an importable package, such as scikit-learn for sklearn."""
    for name in _distributions().get(package, [package]):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return package
