"""Jobs that train networks: an epoch of a classifier, and of a generative adversarial pair."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ebmbench.discovery import unknown
from ebmbench.harness import made_up, pursuit
from ebmbench.harness.jobs._epoch import EPOCHS, MOMENTUM, RATE, Own
from ebmbench.harness.jobs._job import Cost
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend
from ebmbench.models.gan import FORMS, GAN
from ebmbench.models.mlp import MLP, dashed
from ebmbench.peers import Peer, Rule, Work
from ebmbench.scalar import ACTIVATIONS
from ebmbench.training.adam import Adam
from ebmbench.training.adversarial import DEFAULT, Adversarial
from ebmbench.training.initial import initial_gan, initial_network
from ebmbench.training.sgd import SGD
from ebmbench.training.supervised import Supervised

_CLASSES = 10
_CALLED = {"sgd": "SGD", "adam": "Adam"}
_RULES = {
    "sgd": Rule("sgd", RATE, momentum=MOMENTUM),
    "adam": Rule("adam", RATE),
    "gan": Rule("adam", RATE, beta1=DEFAULT.beta1),
}
# How often an update reads or writes every parameter and what is kept of it, at least: in the products
# forward and backward, then the parameter and the velocity or the two moments, both ways.
_MOVED = {"sgd": 6.0, "adam": 8.0}


@dataclass(frozen=True)
class Classifier(Own):
    """An epoch of a network that learns to tell ten classes, by back-propagation.

    hidden: units of its layers; activation: of these; optimiser: sgd or adam.
    """

    name = "mlp"

    hidden: list[int] = field(default_factory=lambda: [512, 512])
    activation: str = "relu"
    optimiser: str = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimiser not in _CALLED:
            raise unknown("optimiser", self.optimiser, list(_CALLED))
        if self.activation not in ACTIVATIONS:
            raise unknown("activation", self.activation, list(ACTIVATIONS))

    @property
    def title(self) -> str:
        """The hidden layers, their units and the optimiser."""
        layers = dashed([*self.hidden, _CLASSES])
        return f"MLP {layers}, {self.activation.replace('_', ' ')}, {_CALLED[self.optimiser]}"

    def start(self, n_visible: int) -> MLP:
        """See `Own`."""
        kinds = [*(self.activation for _ in self.hidden), "linear"]
        return initial_network([n_visible, *self.hidden, _CLASSES], kinds, 0)

    def cost(self, subject: Subject) -> Cost:
        """Three products a layer, of which the lowest needs two."""
        sizes = subject.model.sizes
        weights = _weights(sizes)
        operations = (6.0 * weights - 2.0 * sizes[0] * sizes[1]) * self.images
        moved = _MOVED[self.optimiser] * weights * self.updates
        return Cost(operations, moved, float(self.images) * sizes[0])

    def trainer(self, k: Backend, subject: Subject, seed: int) -> Supervised:
        """See `Epoch`."""
        return self._trainer(k, subject, seed, _RULES[self.optimiser])

    def _trainer(self, k: Backend, subject: Subject, seed: int, rule: Rule) -> Supervised:
        rows, labels = subject.rows(self.rows), made_up.labels(self.rows, _CLASSES)
        return Supervised(k, subject.model, rows, labels, _optimiser(rule), EPOCHS, self.batch, seed)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return self._theirs(peer, subject, self.updates, _RULES[self.optimiser])

    def _theirs(self, peer: Peer, subject: Subject, updates: int, rule: Rule) -> Work:
        rows, labels = subject.rows(self.rows), made_up.labels(self.rows, _CLASSES)
        return peer.start("mlp", subject.model, rows, labels, self.batch, updates, rule)

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """Single updates at a large rate, each from the batch that it tells."""
        rule = pursuit.fast(_RULES[self.optimiser])
        pursuit.check_classifier(peer, subject.model, rule, self._theirs(peer, subject, 1, rule))

    def check_ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> None:
        """The same updates by the reference."""
        rule = pursuit.fast(_RULES[self.optimiser])
        pursuit.check_trainers(k, lambda one: self._trainer(one, subject, seed, rule))


@dataclass(frozen=True)
class Pair(Own):
    """An epoch of a generator and a discriminator, a step of each an update, by Adam.

    latent: length of the noise; generator, discriminator: units of their hidden layers; form: what the
    generator climbs, see `models.gan`.
    """

    name = "gan"

    latent: int = 100
    generator: list[int] = field(default_factory=lambda: [256, 256])
    discriminator: list[int] = field(default_factory=lambda: [256, 256])
    form: str = "non_saturating"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in FORMS:
            raise unknown("form", self.form, list(FORMS))

    @property
    def title(self) -> str:
        """Both players' hidden layers."""
        players = f"G {dashed([self.latent, *self.generator])}, D {dashed(self.discriminator)}"
        return f"GAN, {players}, {self.form.replace('_', '-')}, Adam"

    def start(self, n_visible: int) -> GAN:
        """See `Own`."""
        return initial_gan(n_visible, self.latent, self.generator, self.discriminator, 0)

    def cost(self, subject: Subject) -> Cost:
        """The products of both steps, a batch each.

        The discriminator's: G forward; D forward and back for twice the rows, but not to these. The
        generator's: G forward and back, but not to the noise; D forward and back to its rows alone.
        """
        G, D = (player.sizes for player in subject.parts)
        operations = 8.0 * _weights(G) - 2.0 * G[0] * G[1]
        operations += 16.0 * _weights(D) - 4.0 * D[0] * D[1]
        moved = _MOVED["adam"] * (_weights(G) + _weights(D)) + 2.0 * _weights(D) + _weights(G)
        return Cost(operations * self.images, moved * self.updates, float(self.images) * D[0])

    def trainer(self, k: Backend, subject: Subject, seed: int) -> Adversarial:
        """See `Epoch`."""
        return self._trainer(k, subject, seed, _RULES["gan"])

    def _trainer(self, k: Backend, subject: Subject, seed: int, rule: Rule) -> Adversarial:
        rows, climb = subject.rows(self.rows), _optimiser(rule)
        assert isinstance(climb, Adam)
        return Adversarial(k, subject.model, rows, self.form, climb, 1, EPOCHS, self.batch, seed)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return self._theirs(peer, subject, self.updates, _RULES["gan"])

    def _theirs(self, peer: Peer, subject: Subject, updates: int, rule: Rule) -> Work:
        rows = subject.rows(self.rows)
        return peer.start("gan", subject.model, rows, self.batch, updates, self.form, rule)

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """Single updates at a large rate, each from the batch and the noise that it tells."""
        rule = pursuit.fast(_RULES["gan"])
        pursuit.check_pair(peer, subject.model, self.form, rule, self._theirs(peer, subject, 1, rule))

    def check_ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> None:
        """The same updates by the reference."""
        rule = pursuit.fast(_RULES["gan"])
        pursuit.check_trainers(k, lambda one: self._trainer(one, subject, seed, rule))


def _optimiser(rule: Rule) -> SGD | Adam:
    if rule.name == "sgd":
        return SGD(rule.rate, rule.momentum)
    return Adam(rule.rate, rule.beta1, rule.beta2, rule.epsilon)


def _weights(sizes: Sequence[int]) -> int:
    """How many weights lie between layers of these sizes."""
    return sum(n * m for n, m in pairwise(sizes))
