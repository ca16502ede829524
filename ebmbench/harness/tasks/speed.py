"""How many times faster one backend is than another: an update of training, or an estimate of log Z.

An update is that of an RBM by an estimator, or that of a deep model (see `harness.jobs`), of a DBN one
of each of its layers.

Both backends take turns on the same made-up model and rows (see `harness.made_up`), after both have
agreed with the reference, so a row needs no data and says the same of any machine. Of annealed
importance sampling both estimates of log Z stand in the row, from the same random numbers, and must
agree.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ebmbench import estimators, options, partition
from ebmbench.discovery import unknown
from ebmbench.harness import conformance, gate, interleaved, made_up, tasks
from ebmbench.harness.interleaved import Limit, System, Turns
from ebmbench.harness.jobs import DEEP, EPOCHS, MOMENTUM, RATE, Own
from ebmbench.harness.measures import Speed
from ebmbench.harness.trainer import Trainer
from ebmbench.kernels import api
from ebmbench.models.kinds import computed_as
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.partition import LogZ, ais, base_rates, log_z_base
from ebmbench.partition._works import Walks
from ebmbench.randomness import Key, Stream
from ebmbench.training.fit import Fit
from ebmbench.training.sgd import SGD

NAME = "speed"
AGAINST = {"cpu": "reference", "cuda": "cpu"}
_KINDS = ("estimator", "method", "model")
_COUNTED = {"betas": "temperatures"}  # how a table calls a setting of a method


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """One piece of work on two backends.

    job: `{ estimator = "cd", k = 1 }` or `{ model = "dbm", hidden = [500, 1000] }`, of which an update is
    a piece of work, or `{ method = "ais", betas = 300 }`, of which annealing all chains is one; n_hidden:
    plays no part for a deep model, whose job names its layers; against: the backend that
    `backend` is compared with, by default reference (NumPy) for cpu and cpu for cuda; rows: of data;
    processes: how many samples there are, each a process of its own, or 1, which is this one; turns: of
    each backend in a process; turn_s: about the least seconds that a turn takes.
    """

    task = NAME
    seeded = False
    measures = (Speed("seconds", "a piece of work"),)

    job: dict[str, Any] = field(hash=False)
    against: str = ""
    n_visible: int = 784
    n_hidden: int = 500
    batch_size: int = 100
    rows: int = 10_000
    processes: int = 1
    turns: int = 6
    turn_s: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n_visible", "n_hidden", "batch_size", "rows", "processes", "turns")
        self.require_positive("turn_s")
        kinds = [kind for kind in _KINDS if isinstance(self.job.get(kind), str)]
        require(
            len(kinds) == 1,
            "job must be a table that names an estimator, a method or a model, such as "
            f"{{ estimator = 'cd', k = 1 }}, but is {self.job}",
        )
        if self.kind == "model":
            _ = self.deep
        else:
            _, config = self.config
            adaptive = self.kind == "method" and (self.job["method"] != ais.NAME or config.adaptive)
            require(not adaptive, f"job must be an estimator or ais at given betas, but is {self.job}")
        require(
            bool(self.other),
            f"backend {self.backend} has no slower one to be compared with, unless `against` names one",
        )
        if self.other not in api.BACKENDS:
            raise unknown("backend", self.other, list(api.BACKENDS))
        require(self.other != self.backend, f"backend {self.backend} cannot be compared with itself")

    @property
    def kind(self) -> str:
        """`estimator`, `method` or `model`."""
        return next(kind for kind in _KINDS if kind in self.job)

    @property
    def settings(self) -> dict[str, Any]:
        """The job's settings without its name."""
        return {name: value for name, value in self.job.items() if name != self.kind}

    @property
    def config(self) -> tuple[Any, Any]:
        """The estimator's or method's module and settings; `UserError` for what is not known."""
        find = estimators.find if self.kind == "estimator" else partition.find
        return find(self.job[self.kind], self.settings)

    @property
    def deep(self) -> Own:
        """The job that trains a deep model; `UserError` for what is not known."""
        name = self.job["model"]
        if name not in DEEP:
            raise unknown("model of a job", name, list(DEEP))
        given = self.settings | {"rows": self.rows, "batch": self.batch_size}
        return options.build(DEEP[name], given, f"job {name}")

    @property
    def kinds(self) -> Collection[str]:
        """What the model is made of, and what else the estimator computes with."""
        if self.kind == "model":
            return computed_as(self.deep.load("", "", self.n_visible, self.n_hidden).model)
        return dict.fromkeys([RBM.kind, *getattr(self.config[0], "BESIDE", ())])

    @property
    def where(self) -> str:
        """The model."""
        if self.kind == "model":
            return self.deep.called("", self.n_visible, self.n_hidden)
        return made_up.name(self.n_visible, self.n_hidden)

    @property
    def other(self) -> str:
        """The backend to compare with."""
        return self.against or AGAINST.get(self.backend, "")

    @property
    def label(self) -> str:
        """The estimator or the deep model as tables call it, or the method with its settings."""
        if self.kind == "model":
            return self.deep.title
        if self.kind == "estimator":
            return self.config[1].label
        told = [f"{value} {_COUNTED.get(name, name)}" for name, value in self.settings.items()]
        return ", ".join([self.job["method"].replace("_", " ").replace("ais", "AIS"), *told])

    @property
    def heading(self) -> str:
        """The job, its size, and what it is compared with."""
        return f"{self.label} of {self.where}, against {self.other},"

    def summary(self, row: dict[str, Any]) -> str:
        """The ratio and its interval, and the seconds."""
        text = (
            f"{row['ratio']:.3g} times as fast as {self.other} "
            f"{interleaved.told(row)}, "
            f"{1e3 * row['seconds']:.4g} ms against {1e3 * row['against_seconds']:.4g} ms"
        )
        if row.get("log_z") is not None:
            text += f", log Z {row['log_z']:.3f} ± {row['std_error']:.3f}"
        return text

    def facts(self) -> dict[str, Any]:
        """The fields, with the job's label in place of its table."""
        named = {"job": self.label, "job_kind": self.kind, "job_table": self.job}
        size = {"n_hidden": None} if self.kind == "model" else {}
        return super().facts() | named | size | {"against": self.other, "subject": self.where}


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in both backends' seconds, their ratio, and the estimates of a method; raises `Red`."""
    row["against_device"] = api.load(case.other).describe()
    gate.demand(case.other, case.kinds)
    found = [measure(case)] if case.processes == 1 else interleaved.in_processes(case, case.processes)
    turns = [Turns(**one["turns"]) for one in found]
    row["compile_s"] += turns[0].compile_s
    row |= interleaved.summary(turns) | found[0]["estimates"]
    if case.kind != "method":
        images = case.deep.images / case.deep.updates if case.kind == "model" else case.batch_size
        row["images_per_s"] = images / row["seconds"]
    for z in (one["estimates"] for one in found):
        if z:
            pair = [(z[f"{side}log_z"], z[f"{side}std_error"]) for side in ("", "against_")]
            conformance.check_log_z(f"{case.backend} and {case.other}", *pair)


def measure(case: Case) -> dict[str, Any]:
    """The turns of both backends in this process, and the estimates of a method by both."""
    limit = Limit(case.timeout_s)
    ours, theirs = _Work(case, case.backend), _Work(case, case.other)
    turns = interleaved.take_turns(ours.system, theirs.system, case.turns, case.turn_s, limit)
    estimates: dict[str, Any] = {}
    if case.kind == "method":
        one, other = ours.estimate(), theirs.estimate()
        estimates = {"log_z": one.log_z, "std_error": one.std_error, "ess": one.ess}
        estimates |= {"against_log_z": other.log_z, "against_std_error": other.std_error}
    return {"turns": turns._asdict(), "estimates": estimates}


class _Work:
    """A case's work on one backend: `run(n)` does n updates or annealings, and keeps the last weights."""

    def __init__(self, case: Case, backend: str) -> None:
        self.k, self.case = api.load(backend), case
        self.fit: Trainer | None = None
        if case.kind == "model":
            subject = case.deep.load("", "", case.n_visible, case.n_hidden)
            self.fit = case.deep.trainer(self.k, subject, case.seed)
            return
        self.model = made_up.model(case.n_visible, case.n_hidden)
        self.rows = made_up.rows(case.rows, case.n_visible)
        self.base = base_rates(self.rows, "made-up rows")
        if case.kind == "estimator":
            self.fit = Fit(
                self.k, self.model, self.rows, case.job["estimator"], case.settings, SGD(RATE, MOMENTUM),
                EPOCHS, case.batch_size, case.seed,
            )  # fmt: skip
        else:
            self.handle = self.k.put(self.model, case.config[1].arithmetic)

    @property
    def system(self) -> System:
        """As `interleaved` takes it."""
        return System(self.run, self.k.name != "cuda", self.k.name == "reference")

    def run(self, pieces: int) -> None:
        """Do them and wait for the device."""
        if self.fit:
            self.fit.advance(pieces)
        else:
            _, config = self.case.config
            betas, key = config.schedule.betas, Key(self.case.seed, Stream.ANNEALING)
            for _ in range(pieces):
                self.found = self.k.anneal(self.handle, self.base.bias, betas, config.chains, key)
        self.k.synchronize()

    def estimate(self) -> LogZ:
        """Log Z from the last weights."""
        log_weights = self.found.log_weights + log_z_base(self.model, self.base)
        return ais.of_walks(Walks(log_weights, self.case.config[1].schedule), self.base)
