"""Jobs that train networks: an epoch of a classifier, and of a generative adversarial pair."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ebmbench.discovery import unknown
from ebmbench.harness import followed, made_up, subject
from ebmbench.harness.jobs._epoch import EPOCHS, MOMENTUM, RATE, Epoch
from ebmbench.harness.jobs._job import Cost
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend
from ebmbench.models.gan import FORMS, GAN
from ebmbench.models.mlp import MLP
from ebmbench.options import require
from ebmbench.peers import Peer, Rule, Work
from ebmbench.training.adam import Adam
from ebmbench.training.adversarial import Adversarial
from ebmbench.training.sgd import SGD
from ebmbench.training.supervised import Supervised

_CLASSES = 10
_OPTIMISERS = {"sgd": SGD(RATE, MOMENTUM), "adam": Adam(RATE)}
_MOVED = {"sgd": 5.0, "adam": 7.0}  # how often all weights are read or written in an update, at least


class _Networks(Epoch):
    """An epoch of updates of networks, whose layers the job names."""

    def check_source(self, model: str | dict) -> None:
        """Of no other model."""
        require(not model, f"job {self.name} trains a network of its own, and takes no model")

    def load(self, model: str | dict, dataset: str, n_visible: int, n_hidden: int) -> Subject:
        """A made-up model for rows of n_visible columns."""
        name = self.called(model, n_visible, n_hidden)
        return subject.of(name, self._model(n_visible), n_visible, dataset)

    def _model(self, n_visible: int) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Classifier(_Networks):
    """An epoch of a network that is taught to tell ten classes, by back-propagation.

    hidden: units of its layers; activation: of these; optimiser: sgd or adam.
    """

    name = "mlp"

    hidden: list[int] = field(default_factory=lambda: [512, 512])
    activation: str = "relu"
    optimiser: str = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimiser not in _OPTIMISERS:
            raise unknown("optimiser", self.optimiser, list(_OPTIMISERS))
        _ = self._model(1)

    @property
    def title(self) -> str:
        """The hidden layers and the optimiser."""
        named = {"sgd": "SGD", "adam": "Adam"}[self.optimiser]
        return f"MLP {_joined([*self.hidden, _CLASSES])}, {self.activation}, {named}"

    def called(self, model: str | dict, n_visible: int, n_hidden: int) -> str:
        """See `Job`."""
        return f"a made-up {_joined([n_visible, *self.hidden, _CLASSES])} network"

    def _model(self, n_visible: int) -> MLP:
        kinds = (*(self.activation for _ in self.hidden), "linear")
        return made_up.network([n_visible, *self.hidden, _CLASSES], kinds)

    def cost(self, subject: Subject) -> Cost:
        """Three products a layer, but none towards the rows; parameters and what the optimiser keeps."""
        sizes = subject.model.sizes
        products = _products(sizes)
        operations = (6.0 * products - 2.0 * sizes[0] * sizes[1]) * self.images
        return Cost(operations, _MOVED[self.optimiser] * products * self.updates, self.images * sizes[0])

    def trainer(self, k: Backend, subject: Subject, seed: int) -> Supervised:
        """See `Epoch`."""
        return self._trainer(k, subject, seed, _OPTIMISERS[self.optimiser])

    def _trainer(self, k: Backend, subject: Subject, seed: int, optimiser: SGD | Adam) -> Supervised:
        rows, labels = subject.rows(self.rows), made_up.labels(self.rows, _CLASSES)
        return Supervised(k, subject.model, rows, labels, optimiser, EPOCHS, self.batch, seed)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return self._peer(peer, subject, self.updates, _rule(_OPTIMISERS[self.optimiser]))

    def _peer(self, peer: Peer, subject: Subject, updates: int, rule: Rule) -> Work:
        rows, labels = subject.rows(self.rows), made_up.labels(self.rows, _CLASSES)
        return peer.start("mlp", subject.model, rows, labels, self.batch, updates, rule)
