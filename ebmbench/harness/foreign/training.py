"""Training by a peer, or by code of the user's own.

A peer's table may have `job` (`sml` or `cd`), `k` of cd and `precision`; an SML of a peer has as many
chains as a batch has rows. Seeds differ in the weights that a peer starts from, not in what it draws.
Code of the user's has

    train(W, b, c, rows, batch_size, rate, momentum, seed, **settings)

which trains an RBM from these parameters, float64 [n_visible, n_hidden], [n_visible] and [n_hidden], on
rows, float64 [n, n_visible], in whatever way it likes: a generator that yields W, b and c as arrays after
each epoch, without end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numba
import numpy as np
from threadpoolctl import ThreadpoolController

from ebmbench import estimators, options, peers
from ebmbench.discovery import unknown
from ebmbench.errors import NotFinite, Unavailable, UserError
from ebmbench.harness import conformance, own_code
from ebmbench.harness.tasks import in_words, settings_of
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.peers import Peer, Place, Work
from ebmbench.training.fit import Diverged
from ebmbench.training.sgd import SGD

_JOBS = ("sml", "cd")
_TRIAL = 20  # updates by which a peer's settings are chosen
_NAMES = ("W", "b", "c")
_FUNCTION = "train(W, b, c, rows, ...)"


@dataclass(frozen=True)
class Order:
    """What is to be trained on what: rows float64 [n, n_visible]; a peer computes where backend does."""

    model: RBM
    rows: np.ndarray
    batch_size: int
    optimiser: SGD
    seed: int
    backend: str

    @property
    def batches(self) -> int:
        """Updates of an epoch."""
        return -(-len(self.rows) // self.batch_size)


@dataclass(frozen=True)
class OfPeer:
    """Training by a peer: job: `sml` or `cd`; k: sweeps of cd, at least 1; precision: see `Place`."""

    name: str
    job: str = "sml"
    k: int = 1
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.job not in _JOBS:
            raise unknown(f"job of estimator {self.name}", self.job, list(_JOBS))
        require(self.k >= 1, f"k of estimator {self.name} must be at least 1, but is {self.k}")
        require(self.k == 1 or self.job == "cd", f"k is of job cd, not of {self.job}")
        module = peers.check(self.name, self.precision)
        able = [job for job in _JOBS if job in module.JOBS]
        require(self.job in able, f"peer {self.name} does not train by {self.job}")

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        precision = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.job.upper()}-{self.k} by {self.name.replace('_', ' ')}{precision}"

    @property
    def digests(self) -> dict[str, str]:
        """What its result depends on beside the case."""
        return {"software_digest": peers.version_of(self.name)}

    def check(self, kind: str, optimiser: SGD) -> None:
        """`UserError` for what a peer does not do."""
        _check_plain(self.name, kind, optimiser)
        plain = getattr(peers.known()[self.name], "PLAIN", False)
        sentence = f"peer {self.name} trains without momentum, so write momentum = 0"
        require(optimiser.momentum == 0 or not plain, sentence)

    def epochs(self, order: Order) -> Iterator[tuple[Any, ...]]:
        """The parameters after each epoch; `Red` where an update is not what it should be."""
        if not np.isin(order.rows, (0.0, 1.0)).all():
            raise Unavailable(f"peer {self.name} trains on binary rows")
        device = "cuda" if order.backend == "cuda" else "cpu"
        peer = peers.load(self.name, Place(device, self.precision))
        self._check(peer, order)
        peer = peers.tuned(peer, lambda one: self._work(one, order, _TRIAL))
        every = ThreadpoolController()  # to ask for all libraries takes milliseconds, so it is done once
        threads = _fastest_blas(every, self._work(peer, order, _TRIAL))
        work = self._work(peer, order, order.batches)
        while True:
            with every.limit(limits=threads, user_api="blas"):
                work.run()
                work.wait()
            found = work.result()
            yield tuple(found[name] for name in _NAMES)

    def _work(
        self, peer: Peer, order: Order, updates: int, rate: float | None = None, momentum: float = 0.0
    ) -> Work:
        """So many updates a piece; at the order's own rate and momentum where none is given."""
        rows = order.rows.astype(np.uint8)
        if rate is None:
            rate, momentum = order.optimiser.rate, order.optimiser.momentum
        if self.job == "cd":
            return peer.start("cd", order.model, rows, order.batch_size, updates, self.k, rate, momentum)
        chains = rows[: order.batch_size]
        return peer.start("sml", order.model, rows, chains, order.batch_size, updates, rate, momentum)

    def _check(self, peer: Peer, order: Order) -> None:
        def update(rate: float) -> dict[str, np.ndarray]:
            work = self._work(peer, order, 1, rate)
            work.run()
            return work.result()

        what = f"peer {self.name}"
        conformance.check_update(what, self.job, order.model, update, self.precision, order.batch_size)


@dataclass(frozen=True)
class OfUser:
    """Training by code of the user's own; settings: further arguments of its `train`."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return in_words(own_code.called(self.name), self.settings)

    @property
    def digests(self) -> dict[str, str]:
        """What its result depends on beside the case."""
        return own_code.digests(self.name)

    def check(self, kind: str, optimiser: SGD) -> None:
        """`UserError` where the code is not there, or has no `train`."""
        _check_plain(self.name, kind, optimiser)
        own_code.function(self.name, _FUNCTION)

    def epochs(self, order: Order) -> Iterator[tuple[Any, ...]]:
        """The parameters after each epoch."""
        parameters = {name: getattr(order.model, name).copy() for name in _NAMES}
        given = {"batch_size": order.batch_size, "rate": order.optimiser.rate}
        given |= {"momentum": order.optimiser.momentum, "seed": order.seed}
        twice = sorted(given.keys() & self.settings.keys())
        require(not twice, f"{', '.join(twice)} of {self.name} stands in the case, not in its estimator")
        epochs = own_code.function(self.name, _FUNCTION)(
            **parameters, rows=order.rows.astype(np.float64), **given, **self.settings
        )
        require(hasattr(epochs, "__next__"), f"train of {self.name} must be a generator: it has no yield")
        yield from epochs


def _check_plain(name: str, kind: str, optimiser: SGD) -> None:
    """`UserError` for other models, and for settings of this package's own loop."""
    require(kind == RBM.kind, f"{name} is other software, which trains RBMs of binary units here")
    for setting in ("decay", "schedule", "centred"):
        usual = getattr(optimiser, setting) == getattr(SGD(), setting)
        require(usual, f"{setting} is not for other software, and {name} is such: leave it out")


def check_name(name: str) -> None:
    """`UserError` for what is neither an estimator nor other software that trains."""
    known = [*estimators.known(), *_trainers(), *own_code.FORMS]
    if name not in known and not own_code.is_own(name):
        raise unknown("estimator", name, known)


def _trainers() -> list[str]:
    """The peers that train."""
    return [name for name, peer in peers.known().items() if any(job in peer.JOBS for job in _JOBS)]


def find(table: dict[str, Any]) -> OfPeer | OfUser | None:
    """What a table of an estimator names, None where it is this package's; `UserError` for a mistake."""
    if own_code.is_own(table["name"]):
        return OfUser(table["name"], settings_of(table))
    if table["name"] in _trainers():
        return options.build(OfPeer, table, f"estimator {table['name']}")
    return None


class Fit:
    """A training run by other software; its updates come by whole epochs.

    It works an epoch ahead of what is asked, so that what the first one compiles is not clocked: that is
    run when this is made, the first `advance` runs the second, and `model` is then that after the first.
    """

    def __init__(self, by: OfPeer | OfUser, order: Order, epochs: int) -> None:
        self._by, self._order = by, order
        self._epochs = by.epochs(order)
        self._seconds: list[float] = []
        self.batches, self.steps = order.batches, epochs * order.batches
        self.done = 0
        self._here, self._ahead = order.model, self._next()

    @property
    def info(self) -> dict[str, Any]:
        """compile_s: what the first epoch took beyond the second, where there was one."""
        first, *others = self._seconds
        return {"compile_s": max(0.0, first - others[0])} if others else {}

    @property
    def model(self) -> RBM:
        """The model as it stands."""
        return self._here

    def advance(self, updates: int) -> None:
        """Do this many updates, whole epochs of them; raises `Diverged` where one is not finite."""
        for _ in range(updates // self.batches):
            self._here, self._ahead = self._ahead, self._next()
            self.done += self.batches

    def _next(self) -> RBM:
        started = perf_counter()
        try:
            found = next(self._epochs)
        except StopIteration:
            told = f"{self._by.name} ended after {len(self._seconds)} epochs; it must go on without end"
            raise UserError(told) from None
        except SystemExit as end:  # it must not end the run
            raise UserError(f"{self._by.name} ended the program with status {end.code}") from None
        try:
            W, b, c = (np.array(x, np.float64) for x in found)
        except (TypeError, ValueError):
            raise UserError(f"{self._by.name} must yield W, b and c, arrays of numbers") from None
        self._seconds.append(perf_counter() - started)
        for name, x in zip(_NAMES, (W, b, c), strict=True):
            options.like(f"{name} of {self._by.name}", x, getattr(self._order.model, name).shape)
        try:
            return RBM(W, b, c)
        except NotFinite as error:
            raise Diverged(f"{error} after {len(self._seconds)} epochs") from None


def _fastest_blas(every: ThreadpoolController, work: Work) -> int:
    """The number of threads with which NumPy's BLAS lets this work take least time."""
    seconds = {}
    for threads in dict.fromkeys((numba.get_num_threads(), 1)):
        with every.limit(limits=threads, user_api="blas"):
            work.run()
            started = perf_counter()
            work.run()
            work.wait()
            seconds[threads] = perf_counter() - started
    return min(seconds, key=seconds.__getitem__)
