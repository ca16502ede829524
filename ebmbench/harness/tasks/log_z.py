"""One way to log Z on a given model: its error against the truth, and its price."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebmbench import partition
from ebmbench.discovery import unknown
from ebmbench.harness import gate, sources, tasks, user_code
from ebmbench.harness.clock import Stopwatch, warm_up
from ebmbench.harness.foreign.partition import SIGNATURE, Method
from ebmbench.harness.measures import Quality, Speed
from ebmbench.harness.tasks._model import BaseCase
from ebmbench.kernels import api
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.enumerate import enumerable
from ebmbench.models.markov_field import MarkovField, dense
from ebmbench.models.rbm import RBM
from ebmbench.partition import BaseRates

NAME = "log_z"
_BY = {MarkovField.kind: "elimination"}  # how a truth comes about, where it is not by enumeration
_TRUTH_BACKEND = "cpu"  # sums in float64; the gate holds it to the reference within 1e-9 nats


@dataclass(frozen=True, kw_only=True)
class Case(BaseCase):
    """One method on one model.

    method: a table with `name` and the method's settings, which starts from the base where it anneals, or
    other software, see `foreign.partition`;
    truth, truth_source: log Z in nats where it cannot be enumerated, and who says so; repeats: how
    often the method is clocked.
    """

    task = NAME
    takes = (RBM.kind, BoltzmannMachine.kind, MarkovField.kind)
    measures = (
        Speed("seconds", "an estimate"),
        Quality("error", "error of log Z", "nats", tolerance=0.01, std_error="std_error", magnitude=True),
    )

    method: dict[str, Any] = field(hash=False)
    truth: float | None = None
    truth_source: str = ""
    repeats: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("repeats")
        tasks.check_named("method", self.method, "{ name = 'ais', betas = 1000 }")
        _ = self.found
        if self.user_code:
            user_code.function(self.user_code, SIGNATURE, self.settings)

    @property
    def found(self) -> tuple[Any, Any]:
        """What estimates, and its config; `UserError` for what is not known."""
        name = self.method["name"]
        if self.user_code:
            return Method(name, self.settings), None
        if name not in partition.known():
            raise unknown("method", name, [*partition.known(), *user_code.FORMS])
        return partition.find(name, self.settings)

    @property
    def settings(self) -> dict[str, Any]:
        """The method's settings without its name."""
        return tasks.settings_of(self.method)

    @property
    def label(self) -> str:
        """The method with its settings."""
        return tasks.in_words(self.called, self.settings)

    @property
    def called(self) -> str:
        """The method's name."""
        return user_code.called(self.method["name"]) if self.user_code else self.method["name"]

    @property
    def user_code(self) -> str:
        """The method, where it is such."""
        return self.method["name"] if user_code.is_users(self.method["name"]) else ""

    def inputs(self) -> dict[str, str]:
        """The digests of the model, of the data set and of the user's code."""
        return super().inputs() | user_code.version(self.user_code)

    def summary(self, row: dict[str, Any]) -> str:
        """Log Z, how wrong it is, and its seconds."""
        text = f"log Z {row['log_z']:.3f} ± {row['std_error']:.3f}"
        if row["error"] is not None:
            text += f", error {row['error']:+.3f}"
        return f"{text}, {row['seconds']:.3g} s"

    def facts(self) -> dict[str, Any]:
        """The fields, with the method's name in place of its table."""
        return super().facts() | {"method": self.called, "settings": self.settings}


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Fill in the estimate, its error and its seconds; returns the chains' log weights."""
    k = api.load(case.backend)
    model = case.load()
    base = case.base(model.n_visible)
    module, config = case.found
    small = _small(model.kind)
    rates = BaseRates(np.zeros(small.n_visible), base.source)
    row["compile_s"] += warm_up(k, lambda: module.estimate(k, small, config, rates, case.seed))
    watch = Stopwatch(k, case.timeout_s)
    for _ in range(case.repeats):
        found = watch.time(lambda: module.estimate(k, model, config, base, case.seed))
    row |= watch.summary("seconds") | {
        "log_z": found.log_z,
        "std_error": found.std_error,
        "ess": found.ess,
        "log_z_schedule": found.schedule,
        "log_z_base": found.base,
        "log_z_start": found.start,
    }
    if enumerable(model):
        gate.demand(_TRUTH_BACKEND, case.kinds)
        truth = _enumerated(sources.model_digest(model), model)
        row |= {"truth": truth, "truth_source": _BY.get(model.kind, "enumeration")}
    row["error"] = None if row["truth"] is None else found.log_z - row["truth"]
    return {"log_weights": found.log_weights}


def _small(kind: str) -> Any:
    """A model of this kind on which an estimate takes no time."""
    if kind == RBM.kind:
        return sources.load_model({"random": [3, 2]})
    field = sources.load_model({"lattice": [2, 3], "coupling": 0.1})
    return field if kind == MarkovField.kind else dense(field)


_known: dict[str, float] = {}


def _enumerated(digest: str, model: Any) -> float:
    """Log Z of a model, summed once a process."""
    if digest not in _known:
        _known[digest] = api.load(_TRUTH_BACKEND).log_z(model)
    return _known[digest]
