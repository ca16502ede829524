"""How a deep model is trained from data alone: in one phase, or in two, the second from what was learned.

What they do is set by the tables of `harness.parts`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ebmbench import options
from ebmbench.datasets import Dataset
from ebmbench.discovery import unknown
from ebmbench.harness import tasks
from ebmbench.harness.labels import inputs_of, labels_of
from ebmbench.harness.measures import BOUND, ERROR, PARZEN, TITLES
from ebmbench.harness.parts import PARTS
from ebmbench.harness.trainer import Planned
from ebmbench.kernels.api import Backend
from ebmbench.models import dbm, dbn
from ebmbench.models.dbm import DBM
from ebmbench.models.dropout import rates_of
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.latent import Latent
from ebmbench.models.mlp import dashed
from ebmbench.options import require
from ebmbench.training.adversarial import Adversarial
from ebmbench.training.batches import Redraw, redrawn
from ebmbench.training.initial import (
    initial_gan,
    initial_general_boltzmann_machine,
    initial_network,
)
from ebmbench.training.joint import Joint, initial_dbm
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.stack import Stack, each
from ebmbench.training.supervised import Supervised

GENERAL = GeneralBoltzmannMachine.kind
# Of each kind of model the parts that it must have, and those that it may have.
_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dbn": (("layers",), ("classifier",)),
    "dbm": (("joint",), ("layers", "classifier")),
    GENERAL: (("joint",), ()),
    "mlp": (("classifier",), ()),
    "gan": (("players",), ()),
}
KINDS = tuple(_KINDS)
BOUNDED = ("dbn", "dbm", GENERAL)  # the kinds that are judged by a bound, and draw rows
RESTORING = ("dbm", GENERAL)


class Given(NamedTuple):
    """What a phase is made of besides its settings."""

    k: Backend
    data: Dataset
    batch_size: int
    seed: int

    @property
    def redraw(self) -> Redraw | None:
        """See `Fit`."""
        return redrawn(self.k, self.data.train, self.data.sampled, self.seed)


class Phase(NamedTuple):
    """A trainer to come.

    measure: what its models are judged by; stages: name and epochs of each of its parts; make(given,
    model): the trainer, where the phase before, if there is one, has learned this model.
    """

    measure: str
    stages: list[tuple[str, int]]
    make: Callable[[Given, Any], Planned]


@dataclass(frozen=True)
class Recipe:
    """A kind of model, the units of its hidden layers (none of a GAN's), and its parts by name."""

    kind: str
    hidden: list[int]
    parts: Mapping[str, Any]

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        if self.kind == "gan":
            players = self.parts["players"]
            G, D = (dashed(one) for one in (players.generator, players.discriminator))
            label = f"GAN, G {G}, D {D}, {players.form.replace('_', '-')}"
            noise, averaging = players.discriminator_noise, players.averaging
            noised = f", instance noise {noise:g}" if noise else ""
            averaged = f", averaged {averaging:g}" if averaging else ""
            return label + _left_out(players.discriminator_dropout) + noised + averaged
        name = TITLES[self.kind]
        told = [f"{name[0].upper()}{name[1:]} {dashed(self.hidden)}"]
        if self.kind == "dbn":
            told.append(self.parts["layers"].label)
        elif self.kind == "dbm":
            told.append("pre-trained" if "layers" in self.parts else "not pre-trained")
        if self.kind == "mlp":
            told.append(self.parts["classifier"].activation.replace("_", " "))
        elif "classifier" in self.parts:
            told.append("fine-tuned")
        left_out = _left_out(self.parts["classifier"].dropout) if "classifier" in self.parts else ""
        return ", ".join(told) + left_out

    @property
    def settings(self) -> dict[str, Any]:
        """All of them, each with its part before its name."""
        return {
            f"{part}.{name}": value
            for part, settings in self.parts.items()
            for name, value in vars(settings).items()
        }

    @property
    def phases(self) -> list[Phase]:
        """In the order in which they come."""
        first = {"dbn": self._stack, "dbm": self._machine, GENERAL: self._machine, "gan": self._players}
        found = [first[self.kind]()] if self.kind in first else []
        return [*found, *([self._classifier()] if "classifier" in self.parts else [])]

    @property
    def shortened(self) -> "Recipe":
        """The same with an epoch in each of its stages."""
        parts = {name: replace(part, epochs=1) for name, part in self.parts.items()}
        return replace(self, parts=parts)

    def trials(self, given: Given) -> list[Planned]:
        """Trainers whose first updates run all kernels of the training, on models that may be smaller."""
        first, *second = self.phases
        found = [first.make(given, None)]
        if self.kind == "dbm" and "layers" in self.parts:
            found.append(self._joint(given))
        return [*found, *(phase.make(given, found[0].model) for phase in second)]

    def _stack(self) -> Phase:
        return Phase(BOUND, self._layers(), self._make_stack)

    def _layers(self) -> list[tuple[str, int]]:
        epochs, depth = self.parts["layers"].epochs, len(self.hidden)
        each = epochs if isinstance(epochs, list) else [epochs] * depth
        return [(f"layer {n} of {depth}", one) for n, one in enumerate(each, 1)]

    def _make_stack(self, given: Given, model: Any) -> Stack:
        layers = self.parts["layers"]
        return Stack(
            given.k,
            given.data.train,
            self.hidden,
            layers.estimator["name"],
            tasks.settings_of(layers.estimator),
            layers.optimisers,
            layers.epochs,
            given.batch_size,
            given.seed,
            tied=layers.tied,
            redraw=given.redraw,
        )

    def _machine(self) -> Phase:
        together = [("joint training", self.parts["joint"].epochs)]
        if "layers" not in self.parts:
            return Phase(BOUND, together, lambda given, model: self._joint(given))
        return Phase(BOUND, [*self._layers(), *together], self._make_machine)

    def _joint(self, given: Given) -> Joint:
        joint = self.parts["joint"]
        how = joint.optimiser, joint.epochs, given.batch_size, given.seed, joint.phases
        return Joint(given.k, self._start(given), given.data.train, *how, given.redraw)

    def _start(self, given: Given) -> Latent:
        rows = given.data.train
        if self.kind == GENERAL:
            return initial_general_boltzmann_machine(rows, self.hidden[0], given.seed)
        return initial_dbm(rows, self.hidden, given.seed)

    def _make_machine(self, given: Given, model: Any) -> Pretrained:
        layers, joint = self.parts["layers"], self.parts["joint"]
        return Pretrained(
            given.k,
            given.data.train,
            self.hidden,
            tasks.settings_of(layers.estimator),
            layers.optimisers,
            layers.epochs,
            joint.optimiser,
            joint.epochs,
            given.batch_size,
            given.seed,
            joint.phases,
            given.redraw,
        )

    def _players(self) -> Phase:
        return Phase(PARZEN, [("both players", self.parts["players"].epochs)], self._make_players)

    def _make_players(self, given: Given, model: Any) -> Adversarial:
        players, rows = self.parts["players"], given.data.train
        given.data.require_fixed()
        units = players.latent, players.generator, players.discriminator
        return Adversarial(
            given.k,
            initial_gan(rows.shape[1], *units, given.seed),
            rows,
            players.form,
            players.how,
            players.discriminator_steps,
            players.epochs,
            given.batch_size,
            given.seed,
            players.judging,
            players.discriminator_dropout,
            players.discriminator_noise,
            players.averaging,
        )

    def _classifier(self) -> Phase:
        name = "back-propagation" if self.kind == "mlp" else "fine-tuning"
        return Phase(ERROR, [(name, self.parts["classifier"].epochs)], self._make_classifier)

    def _make_classifier(self, given: Given, model: Any) -> Supervised:
        classifier, data = self.parts["classifier"], given.data
        labels, _ = labels_of(data)
        classes = int(labels.max()) + 1
        rows = inputs_of(given.k, model, data.train)
        if model is None:
            kinds = [*(classifier.activation for _ in self.hidden), "linear"]
            network = initial_network([data.n_visible, *self.hidden, classes], kinds, given.seed)
        elif isinstance(model, DBM):
            network = dbm.classifier(model, classes)
        else:
            network = dbn.classifier(model.layers, classes)
        how = classifier.how, classifier.epochs, given.batch_size, given.seed
        dropout = classifier.dropout
        if isinstance(dropout, list):  # a trial's network may have fewer layers
            dropout = dropout[: len(network.weights)]
        return Supervised(given.k, network, rows, labels, *how, dropout)


def _left_out(rates: Any) -> str:
    """Dropout rates behind a label."""
    if not np.any(rates):
        return ""
    return f", dropout {'/'.join(f'{rate:g}' for rate in np.atleast_1d(rates))}"


def of(kind: str, hidden: list[int], tables: Mapping[str, dict[str, Any]]) -> Recipe:
    """From the tables of a suite, of which those that are empty are not there.

    Raises `UserError` for a part or a setting that is not known, is missing or plays no part.
    """
    if kind not in _KINDS:
        raise unknown("model", kind, list(KINDS))
    needed, other = _KINDS[kind]
    given = {name: table for name, table in tables.items() if table}
    for name in given:
        require(name in (*needed, *other), f"a {kind} is not trained by {name}")
    for name in needed:
        require(name in given, f"a {kind} needs a table {name}")
    if kind == "gan":
        require(not hidden, "the hidden layers of a gan stand in its table players")
    elif kind == GENERAL:
        require(len(hidden) == 1, f"the hidden units of a {kind} are one number, such as [64]")
    else:
        require(len(hidden) >= 1, f"a {kind} needs the units of its hidden layers, such as [64, 64]")
    for n in hidden:
        require(type(n) is int and n >= 1, f"a hidden layer must have at least 1 unit, not {n!r}")
    parts = {name: options.build(PARTS[name], table, f"table {name}") for name, table in given.items()}
    if "classifier" in parts:
        depth = dbm.classifier_layers(len(hidden)) if kind == "dbm" else len(hidden) + 1
        rates_of(parts["classifier"].dropout, depth)
    if "layers" in parts:
        _check_layers(kind, len(hidden), parts["layers"])
    return Recipe(kind, hidden, parts)


def _check_layers(kind: str, depth: int, layers: Any) -> None:
    name = layers.estimator["name"]
    require(kind == "dbn" or name == "cd", f"the layers of a dbm are pre-trained by cd, not by {name}")
    tied = kind == "dbn" or not layers.tied
    require(tied, "the layers of a dbm are not tied, as they hear their neighbours twice")
    for what in ("epochs", "rate"):
        each(what, getattr(layers, what), depth)
