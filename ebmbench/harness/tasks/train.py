"""Train a model with one estimator; evaluation at its checkpoints stays off the clock."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from ebmbench import datasets, partition
from ebmbench.datasets import Dataset
from ebmbench.evaluation.samples import draw
from ebmbench.harness import gate, judge, restoring, tasks
from ebmbench.harness.clock import Clock, warm_up
from ebmbench.harness.foreign import training as foreign
from ebmbench.harness.measures import NO_GAIN, Quality, Speed
from ebmbench.harness.sources import load_dataset
from ebmbench.harness.tasks import _curve
from ebmbench.harness.tasks._estimator import OfEstimator
from ebmbench.harness.tasks._family import GRAPHS, REACH, check_graph
from ebmbench.harness.trainer import Planned
from ebmbench.kernels import api
from ebmbench.kernels.api import Backend
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.graph import check_reach
from ebmbench.models.kinds import to_arrays
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import ais, exact
from ebmbench.training.ascent import check_centred
from ebmbench.training.batches import redrawn
from ebmbench.training.fit import PRECISIONS, STARTS, Fit, check_units
from ebmbench.training.sgd import SGD

NAME = "train"


SAMPLES, _SAMPLE_SWEEPS = 64, 2_000


@dataclass(frozen=True, kw_only=True)
class Case(OfEstimator):
    """One training run and how it is judged.

    family: of models, `rbm`, or without hidden units `boltzmann_machine`, `markov_field` or
    `bayes_net`; hidden: hidden units, by default 64, of those none; reach: how far away the pixels
    are that a field's hear, by default 1.5; estimator: a table with `name` and the estimator's
    settings, or other software, see `harness.foreign`; visible: binary or gaussian units; precision:
    of gaussian ones, learned or fixed at that of the data's columns; evaluate: a method of
    `partition`; checkpoints: how often the model is looked at; spacing: whether they are evenly
    spaced in the updates' logarithm (`log`) or in the updates (`linear`); targets: nats a test row
    whose first checkpoint is noted; resolve: whether the trained model is judged by reverse annealing
    too; restore: damage to test rows that it is asked to undo, see `harness.restoring`.
    """

    task = NAME
    measures = (
        Speed("update_s", "an update", weights="updates"),
        Quality(
            "log_likelihood", "log-likelihood", "nats a row", higher=True, tolerance=0.01,
            trusted="resolved",
        ),
    )  # fmt: skip

    dataset: str
    estimator: dict[str, Any] = field(hash=False)
    family: str = "rbm"
    reach: float | None = None
    visible: str = "binary"
    precision: str = "learned"
    hidden: int | None = None
    epochs: int = 20
    batch_size: int = 100
    rate: float = 0.05
    momentum: float = 0.5
    decay: float = 0.0
    schedule: str = "constant"
    centred: bool = False
    evaluate: str = "ais"
    betas: int | str = 1000
    chains: int = 100
    checkpoints: int = 10
    spacing: str = "log"
    targets: list[float] = field(default_factory=list, hash=False)
    resolve: bool = False
    restore: list[dict[str, Any]] = field(default_factory=list, hash=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("epochs", "batch_size", "checkpoints")
        self._check_family()
        self.check_estimator("{ name = 'cd', k = 1 }")
        if self.foreign:
            self.foreign.check(self.kind, self.optimiser)
        datasets.check_name(self.dataset)
        check_units(self.visible, self.precision, self.centred)
        partition.find(self.evaluate, self.evaluation)
        anneals = self.evaluate != exact.NAME or (self.betas, self.chains) == (Case.betas, Case.chains)
        require(anneals, "betas and chains are those of evaluate = 'ais', but it is 'exact'")
        _curve.check(self.spacing, self.targets)
        require(
            not self.resolve or self.evaluate == ais.NAME,
            f"resolve compares ais with reverse_ais, but evaluate is {self.evaluate!r}",
        )
        restoring.asked(self.restore)
        binary = self.visible == "binary"
        require(binary or not self.restore, "a suite has only rows of binary units restored")
        _ = self.optimiser
        if self.centred:
            check_centred(self.kind)

    def _check_family(self) -> None:
        field = self.family == MarkovField.kind
        require(field or self.reach is None, f"reach is a markov_field's, not a model's of {self.family}")
        if field:
            reach = REACH if self.reach is None else self.reach
            check_reach(reach)
            object.__setattr__(self, "reach", reach)
        if self.hidden is None:
            object.__setattr__(self, "hidden", 64 if self.family == "rbm" else 0)
        if self.family == "rbm":
            self.require_positive("hidden")
            return
        check_graph(self.family, int(self.hidden or 0), self.visible, self.evaluate)

    @property
    def label(self) -> str:
        """The estimator, and the family where it is no RBM."""
        found = self.foreign.label if self.foreign else super().label
        if self.family == "rbm":
            return found
        reach = f" of reach {self.reach:g}" if self.family == MarkovField.kind else ""
        return f"{GRAPHS[self.family].title}{reach}, {found}"

    @property
    def heading(self) -> str:
        """Data set, estimator and size."""
        size = f" {self.hidden} hidden," if self.hidden else ""
        return f"{self.dataset} {self.label},{size}"

    @property
    def foreign(self) -> foreign.OfPeer | foreign.OfUser | None:
        """Other software that trains, where the estimator is such."""
        return foreign.find(self.estimator)

    @property
    def user_code(self) -> str:
        """The other software, where it is the user's."""
        return self.foreign.name if isinstance(self.foreign, foreign.OfUser) else ""

    def check_estimator(self, example: str) -> None:
        """`UserError` for an estimator, or other software, or a setting that is not known."""
        tasks.check_named("estimator", self.estimator, example)
        foreign.check_name(self.estimator["name"])
        if not self.foreign:
            super().check_estimator(example)

    @property
    def kinds(self) -> Collection[str]:
        """That of the model, and what else the estimator computes with."""
        return [self.kind] if self.foreign else super().kinds

    def start(self, data: Dataset) -> Any:
        """The model that training begins with."""
        if self.family != "rbm":
            return GRAPHS[self.family].initial(data, self.reach or REACH)
        return STARTS[self.visible](data.train, int(self.hidden or 0), self.seed)

    @property
    def kind(self) -> str:
        """Of the model."""
        if self.family in GRAPHS:
            return self.family
        return GaussianRBM.kind if self.visible == "gaussian" else RBM.kind

    @property
    def evaluation(self) -> dict[str, Any]:
        """The settings of the method that estimates log Z."""
        return {} if self.evaluate == exact.NAME else {"betas": self.betas, "chains": self.chains}

    @property
    def data(self) -> Dataset:
        """The data set, read once a process."""
        return load_dataset(self.dataset, self.visible == "gaussian")

    @property
    def optimiser(self) -> SGD:
        """The optimiser's settings."""
        return SGD(self.rate, self.momentum, self.decay, self.schedule, self.centred)

    def summary(self, row: dict[str, Any]) -> str:
        """What the model is worth, and its price."""
        text = (
            f"{row['log_likelihood']:.2f} nats a test row, "
            f"{row['updates']} updates in {row['train_s']:.2f} s"
        )
        reached = [one for one in row["seconds_to_target"] if one["reached"]]
        if reached:
            last = max(reached, key=lambda one: one["target"])
            when = f"after {last['seconds']:.2f} s" if last["seconds"] > 0 else "from the start"
            text += f", {last['target']:g} {when}"
        if row.get("resolved") is False:
            text += ", not resolved"
        return text + (", no gain over base rates" if row["verdict"] == NO_GAIN else "")

    def inputs(self) -> dict[str, str]:
        """The data set's digest, that of files that settings name, and that of other software."""
        found = super().inputs() | {"dataset_digest": self.data.digest}
        return found | (self.foreign.version if self.foreign else {})


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Train one case, filling in its row and its curve as it goes; returns the model's arrays."""
    k = api.load(case.backend)
    data = case.data
    check_rows(data.test, binary=case.visible == "binary", real=case.visible == "gaussian")
    damaged = restoring.tasks(data, case.restore, case.seed)  # before anything takes long
    row |= {
        "n_visible": data.n_visible,
        "n_train": len(data.train),
        "n_test": len(data.test),
        "ceiling": data.ceiling if case.visible == "binary" else None,  # of a probability, not a density
        **judge.baselines_of(case.dataset, case.visible),
    }
    model = case.start(data)
    gate.demand(judge.BACKEND, case.kinds)
    look = judge.Judge(data, case.evaluate, case.evaluation, case.seed, model.kind)

    fit = _foreign_fit(case, data, model) or _own_fit(k, case, data, model, row)
    stride = fit.batches if case.foreign else 1  # other software trains by whole epochs
    row["updates"] = fit.steps

    curve.append(look(fit, 0.0))
    clock = Clock(k, fit, case.timeout_s, stride=stride)
    try:
        for update in _curve.checkpoints(fit.steps, case.checkpoints, case.spacing, stride):
            clock.advance_to(update)
            curve.append(look(fit, clock.seconds))
    finally:
        row |= clock.summary()
        row["compile_s"] += fit.info.get("compile_s", 0.0)
        row |= {name: curve[-1][name] for name in judge.FIELDS} | look.facts
        row |= _learned(fit.info) | judge.worth(row)
        row["seconds_to_target"] = [
            _curve.first_at(target, curve, clock.seconds, "log_likelihood") for target in case.targets
        ]
    trained = fit.model
    if case.resolve:
        row |= look.resolve(trained)
        row |= judge.worth(row)
    row["restored"], pictures = restoring.restored(look.k, trained, data, damaged, case.seed)
    return {
        **to_arrays(trained),
        **pictures,
        "samples": draw(look.k, trained, SAMPLES, _SAMPLE_SWEEPS, case.seed),
        "log_weights": look.log_weights,
        "image_shape": np.array(data.image_shape or (1, data.n_visible)),
        "image_order": np.array(data.image_order),
    }


def _learned(info: dict[str, Any]) -> dict[str, Any]:
    """What the estimator itself said at the last update: NCE's log Z, parallel tempering's swaps."""
    learned = {"learned_log_z": info["learned_log_z"]} if "learned_log_z" in info else {}
    return learned | (tasks.swap_facts(info["swap_rates"]) if "swap_rates" in info else {})


def _foreign_fit(case: Case, data: Dataset, model: Any) -> Planned | None:
    """Other software with an epoch behind it, where the case is for such."""
    if not case.foreign:
        return None
    require(not data.sampled, "rows that are sampled anew each epoch are not for other software")
    batch_size = min(case.batch_size, len(data.train))
    order = foreign.Order(model, data.train, batch_size, case.optimiser, case.seed, case.backend)
    return foreign.Fit(case.foreign, order, case.epochs)


def _own_fit(k: Backend, case: Case, data: Dataset, model: Model, row: dict[str, Any]) -> Planned:
    """A fit whose kernels are compiled; its row is told how long that and moving the data took."""
    trial = _fit(k, replace(case, rate=1e-30), data, model)  # too small a rate to diverge
    row["compile_s"] += warm_up(k, lambda: trial.advance(min(1, trial.steps - trial.done)))
    started = perf_counter()
    fit = _fit(k, case, data, model)
    k.synchronize()
    row["put_s"] = perf_counter() - started
    return fit


def _fit(k: Backend, case: Case, data: Dataset, model: Model) -> Fit:
    return Fit(
        k, model, data.train, case.estimator["name"], case.settings, case.optimiser, case.epochs,
        case.batch_size, case.seed, PRECISIONS[case.precision],
        redraw=redrawn(k, data.train, data.sampled, case.seed),
    )  # fmt: skip
