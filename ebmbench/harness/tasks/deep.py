"""Train a deep model end to end; evaluation at its checkpoints stays off the clock.

A DBN or DBM is judged by a bound on the log-likelihood of the test rows, a classifier by the share that
it tells wrong, a GAN by a Parzen window; a DBN or DBM that is fine-tuned first by the one and then by the
other. The clock runs through all phases. Memory is measured in a process of its own, which trains for an
epoch in every stage and evaluates nothing.
"""

from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np

from ebmbench import datasets, nvidia, partition
from ebmbench.datasets import Dataset
from ebmbench.evaluation.classification import gains
from ebmbench.harness import gate, interleaved, judge, memory, quality, recipes, restoring, tasks
from ebmbench.harness.clock import Timeout, warm_up
from ebmbench.harness.course import Course, Looks
from ebmbench.harness.measures import (
    BETTER,
    BOUND,
    ERROR,
    LEAST_GAIN,
    NO_GAIN,
    PARZEN,
    Quality,
    Speed,
    figure,
)
from ebmbench.harness.recipes import Given, Recipe
from ebmbench.harness.sources import load_dataset
from ebmbench.harness.tasks import _curve
from ebmbench.harness.trainer import Planned
from ebmbench.kernels import api
from ebmbench.options import require
from ebmbench.partition import ais, exact

NAME = "deep"
SAMPLES = 36  # pictures of a look


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """One training run and how it is judged.

    model: dbn, dbm, general_boltzmann_machine, mlp or gan; hidden: units of its hidden layers, of a gan
    in its table players; layers, joint, classifier, players: the settings of its parts, see
    `harness.parts`; sampled: whether models of energies take grey rows for probabilities and see a new
    draw each epoch; evaluate, betas, chains: the method of `partition` for a bound's log Z, or none, as
    where rows are grey; resolve: whether that is also annealed backwards at the end; samples: of a
    generator that are judged; checkpoints, spacing: as in the task `train`, of each phase; targets: of
    what the last phase is judged by; restore: damage to test rows that `RESTORING` models are asked to
    undo, see `harness.restoring`; memory: whether it is measured.
    """

    task = NAME
    measures = (
        Speed("train_s", "the training"),
        Quality("bound", "bound", "nats a row", higher=True, tolerance=0.01, trusted="resolved"),
        Quality("error", "share told wrong", tolerance=1e-3),
        Quality("parzen", "Parzen window", "nats a row", higher=True, tolerance=0.1),
    )

    dataset: str
    model: str
    hidden: list[int] = field(default_factory=list, hash=False)
    batch_size: int = 100
    layers: dict[str, Any] = field(default_factory=dict, hash=False)
    joint: dict[str, Any] = field(default_factory=dict, hash=False)
    classifier: dict[str, Any] = field(default_factory=dict, hash=False)
    players: dict[str, Any] = field(default_factory=dict, hash=False)
    sampled: bool = False
    evaluate: str = "ais"
    betas: int | str = 1000
    chains: int = 100
    resolve: bool = False
    samples: int = 10_000
    checkpoints: int = 10
    spacing: str = "log"
    targets: list[float] = field(default_factory=list, hash=False)
    restore: list[dict[str, Any]] = field(default_factory=list, hash=False)
    memory: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("batch_size", "checkpoints", "samples")
        datasets.check_name(self.dataset)
        _curve.check(self.spacing, self.targets)
        if self.evaluate != quality.NONE:
            partition.find(self.evaluate, self.evaluation)
        bounded = self.recipe.phases[0].measure == BOUND
        energies = self.model in recipes.BOUNDED
        require(energies or not self.sampled, f"a {self.model} draws no rows, so sampled plays no part")
        players = self.model == "gan" or self.samples == Case.samples
        require(players, f"samples are a gan's that are judged: a {self.model} takes none")
        anneals = self.evaluate not in (exact.NAME, quality.NONE)
        usual = (self.betas, self.chains) == (Case.betas, Case.chains)
        sentence = f"betas and chains are those of evaluate = 'ais', not of {self.evaluate!r}"
        require(anneals or usual, sentence)
        shares = self.recipe.phases[-1].measure != ERROR or all(0 < one < 1 for one in self.targets)
        require(shares, f"targets of a classifier are shares of rows told wrong, not {self.targets}")
        judged = self.evaluate != quality.NONE or self.recipe.phases[-1].measure != BOUND
        require(judged, f"evaluate is none, and nothing else judges this {self.model}")
        asked = restoring.asked(self.restore)
        restores = self.model in recipes.RESTORING
        sentence = f"rows are restored by a {' or '.join(recipes.RESTORING)}, not by a {self.model}"
        require(restores or not asked, sentence)
        bound = self.evaluate != quality.NONE
        require(bound or not asked, "what is restored is looked at with a bound: evaluate is none")
        require(
            not self.resolve or (bounded and self.evaluate == ais.NAME),
            f"resolve compares ais with reverse_ais for a bound, but a {self.model} is judged otherwise",
        )

    @property
    def recipe(self) -> Recipe:
        """How it is trained; `UserError` for what cannot be."""
        return recipes.of(self.model, self.hidden, self._tables)

    @property
    def _tables(self) -> dict[str, dict[str, Any]]:
        return {name: getattr(self, name) for name in ("layers", "joint", "classifier", "players")}

    @property
    def label(self) -> str:
        """The model, its layers and how they are trained."""
        return self.recipe.label

    @property
    def heading(self) -> str:
        """Data set and model."""
        return f"{self.dataset} {self.label},"

    @property
    def evaluation(self) -> dict[str, Any]:
        """The settings of the method that estimates log Z."""
        return {} if self.evaluate == exact.NAME else {"betas": self.betas, "chains": self.chains}

    @property
    def data(self) -> Dataset:
        """The data set, read once a process."""
        return _data(self.dataset, self.sampled)

    def facts(self) -> dict[str, Any]:
        """The fields, with the label as `recipe` and all settings of the parts."""
        found = super().facts() | {"recipe": self.label, "settings": self.recipe.settings}
        return {name: value for name, value in found.items() if name not in self._tables}

    def inputs(self) -> dict[str, str]:
        """The data set's digest, and that of the labels which a classifier learns."""
        learned = self.recipe.phases[-1].measure == ERROR
        labels = {"labels_digest": self.data.labels_digest} if learned else {}
        return {"dataset_digest": self.data.digest} | labels

    def summary(self, row: dict[str, Any]) -> str:
        """What the model is worth, and its price."""
        value, error = row[row["measure"]], row["std_error"]
        if row["measure"] == ERROR:
            text = f"{100 * value:.2f} ± {100 * error:.2f} % of test rows wrong"
        else:
            name, form = {BOUND: ("bound", ".2f"), PARZEN: ("Parzen window", ".1f")}[row["measure"]]
            text = f"{name} {value:{form}} ± {figure(error, form)} nats a test row"
        text += f", {row['updates_done']} updates in {row['train_s']:.2f} s"
        text += f", {row['images_per_s']:,.0f} images a second"
        if row.get("memory_peak"):
            text += f", {row['memory_peak'] / 2**20:,.0f} MiB at most"
        if row.get("resolved") is False:
            text += ", not resolved"
        return text + (", no gain" if row["verdict"] == NO_GAIN else "")


@cache
def _data(name: str, sampled: bool) -> Dataset:
    data = load_dataset(name)
    return replace(data, sampled=True) if sampled else data


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Train one case, filling in its row and its curve as it goes; returns the model's arrays."""
    k, data, recipe = api.load(case.backend), case.data, case.recipe
    row |= {"n_visible": data.n_visible, "n_train": len(data.train), "n_test": len(data.test)}
    damaged = restoring.tasks(data, case.restore, case.seed)
    gate.demand(judge.BACKEND)
    given = Given(k, data, case.batch_size, case.seed)
    row["compile_s"] += warm_up(k, partial(_advance, recipe.trials(given)))
    row |= _memory(case)
    ways = quality.Ways(
        case.evaluate,
        case.evaluation,
        case.resolve,
        case.samples,
        damaged,
        case.seed,
    )
    course = Course(given, ways, Looks(case.checkpoints, case.spacing, SAMPLES), case.timeout_s, curve)
    try:
        for phase in recipe.phases:
            course.go_through(phase)
    finally:
        row |= course.summary()
        if row.get("measure"):
            row["verdict"] = _verdict(row)
            row["seconds_to_target"] = _reached(case, row, curve)
    return course.arrays


def _advance(trainers: list[Planned]) -> None:
    """Each by an update, if it has one left."""
    for trainer in trainers:
        trainer.advance(min(1, trainer.steps - trainer.done))


def _verdict(row: dict[str, Any]) -> str | None:
    """Whether it is any better than what knows nothing; None where nobody can say.

    Of two bounds, by annealing both ways, the lower one counts: forward annealing alone flatters.
    """
    if row["measure"] == BOUND:
        found = min(row[BOUND], row.get("bound_reverse", np.inf))
        return "gain" if found >= row["baseline_independent"] + LEAST_GAIN else NO_GAIN
    if row["measure"] == ERROR:
        gained = gains(row[ERROR], row["std_error"], row["error_of_one_class"])
        return "gain" if gained else NO_GAIN
    return None


def _reached(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    measure, seconds = row["measure"], row["train_s"]
    sign = BETTER[measure]
    return [_curve.first_at(target, curve, seconds, measure, sign) for target in case.targets]


def _memory(case: Case) -> dict[str, Any]:
    """Fields of a row; without them where it is not measured."""
    if not case.memory:
        return {}
    try:
        (found,) = interleaved.in_processes(case, 1)
    except Timeout as error:
        return {"memory_peak": None, "memory_reason": str(error)}
    return dict(found)


def measure(case: Case) -> dict[str, Any]:
    """Bytes that this process held at most before it trained, and after an epoch in every stage.

    memory_before: with libraries, kernels and data; device_memory: that is in use on a GPU, whoever uses
    it, None without one.
    """
    k, data = api.load(case.backend), case.data
    k.synchronize()
    before = memory.peak()
    recipe = case.recipe.shortened
    given, model = Given(k, data, case.batch_size, case.seed), None
    for phase in recipe.phases:
        trainer: Planned = phase.make(given, model)
        trainer.advance(trainer.steps)
        model = trainer.model
    k.synchronize()
    on_device = nvidia.memory_used() if k.name == "cuda" else None
    return {"memory_peak": memory.peak(), "memory_before": before, "device_memory": on_device}
