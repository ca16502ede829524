"""Training by a peer, or by code of the user's own.

A peer's table may have `job` (`sml` or `cd`) and `k` of cd; it computes in float32, and an SML of a
peer has as many chains as a batch has rows. Seeds differ in the weights that a peer starts from, not
in what it draws. Code of the user's has

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
from ebmbench.harness import conformance, user_code
from ebmbench.harness.tasks import in_words, settings_of
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.peers import Peer, Place, Work
from ebmbench.training.fit import Diverged
from ebmbench.training.sgd import SGD

_JOBS = ("sml", "cd")
_TRIAL = 20  # updates by which a peer's settings are chosen
_NAMES = ("W", "b", "c")
_PRECISION = "float32"
_FUNCTION = "train(W, b, c, rows, batch_size, rate, momentum, seed)"


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
    """Training by a peer: job: `sml` or `cd`; k: sweeps of cd, at least 1."""

    name: str
    job: str = "sml"
    k: int = 1

    def __post_init__(self) -> None:
        if self.job not in _JOBS:
            raise unknown(f"job of estimator {self.name}", self.job, list(_JOBS))
        require(self.k >= 1, f"k of estimator {self.name} must be at least 1, but is {self.k}")
        require(self.k == 1 or self.job == "cd", f"k is of job cd, not of {self.job}")
        module = peers.check(self.name, _PRECISION)
        able = [job for job in _JOBS if job in module.JOBS]
        require(self.job in able, f"peer {self.name} does not train by {self.job}")

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"{self.job.upper()}-{self.k} by {self.name.replace('_', ' ')}"

    @property
    def version(self) -> dict[str, str]:
        """What its result depends on beside the case."""
        return {"software": peers.version_of(self.name)}

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
        peer = peers.load(self.name, Place(device, _PRECISION))
        peer = peers.tuned(peer, lambda one: self._work(one, order, _TRIAL))
        self._check(peer, order)
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
        conformance.check_update(what, self.job, order.model, update, _PRECISION, order.batch_size)


@dataclass(frozen=True)
class OfUser:
    """Training by code of the user's own; settings: further arguments of its `train`."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return in_words(user_code.called(self.name), self.settings)

    @property
    def version(self) -> dict[str, str]:
        """What its result depends on beside the case."""
        return user_code.version(self.name)

    def check(self, kind: str, optimiser: SGD) -> None:
        """`UserError` where the code is not there, or has no `train`."""
        _check_plain(self.name, kind, optimiser)
        user_code.function(self.name, _FUNCTION, self.settings)

    def epochs(self, order: Order) -> Iterator[tuple[Any, ...]]:
        """The parameters after each epoch."""
        parameters = {name: getattr(order.model, name).copy() for name in _NAMES}
        yield from user_code.steps(
            self.name, _FUNCTION, self.settings, **parameters, rows=order.rows.astype(np.float64),
            batch_size=order.batch_size, rate=order.optimiser.rate, momentum=order.optimiser.momentum,
            seed=order.seed,
        )  # fmt: skip


def _check_plain(name: str, kind: str, optimiser: SGD) -> None:
    """`UserError` for other models, and for settings of this package's own loop."""
    require(kind == RBM.kind, f"{name} is other software, which trains RBMs of binary units here")
    for setting in ("decay", "schedule", "centred"):
        usual = getattr(optimiser, setting) == getattr(SGD(), setting)
        require(usual, f"{setting} is not for other software, and {name} is such: leave it out")


def check_name(name: str) -> None:
    """`UserError` for what is neither an estimator nor other software that trains."""
    known = [*estimators.known(), *_trainers(), *user_code.FORMS]
    if name not in known and not user_code.is_users(name):
        raise unknown("estimator", name, known)


def _trainers() -> list[str]:
    """The peers that train."""
    return [name for name, peer in peers.known().items() if any(job in peer.JOBS for job in _JOBS)]


def find(table: dict[str, Any]) -> OfPeer | OfUser | None:
    """What a table of an estimator names, None where it is this package's; `UserError` for a mistake."""
    if user_code.is_users(table["name"]):
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
        self._here = order.model
        self._ahead: RBM | Exception = self._epoch()

    @property
    def info(self) -> dict[str, Any]:
        """compile_s: what the first epoch and all before it took beyond the second epoch."""
        if len(self._seconds) < 2:
            return {}
        return {"compile_s": max(0.0, self._seconds[0] - self._seconds[1])}

    @property
    def model(self) -> RBM:
        """The model as it stands."""
        return self._here

    def advance(self, updates: int) -> None:
        """Do this many updates, whole epochs of them; raises `Diverged` where one is not finite."""
        for _ in range(updates // self.batches):
            if isinstance(self._ahead, Exception):
                raise self._ahead
            self._here, self._ahead = self._ahead, self._next()
            self.done += self.batches

    def _next(self) -> RBM | Exception:
        """The model after one more epoch, or what went wrong, which is told once it is asked for."""
        try:
            return self._epoch()
        except Exception as error:
            # One that ends as it should not does so in an epoch that was to be clocked.
            if self.done + self.batches >= self.steps and isinstance(error, UserError):
                raise
            return error

    def _epoch(self) -> RBM:
        started = perf_counter()
        found = next(self._epochs)
        try:
            W, b, c = (np.array(x, np.float64) for x in found)
        except (TypeError, ValueError, RuntimeError) as error:
            told = f"{self._by.name} must yield W, b and c, arrays of numbers: {error}"
            raise UserError(told) from None
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
            work.wait()
            started = perf_counter()
            work.run()
            work.wait()
            seconds[threads] = perf_counter() - started
    return min(seconds, key=seconds.__getitem__)
