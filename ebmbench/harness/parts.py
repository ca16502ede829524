"""The settings of the parts in which deep models are trained, as the tables of a suite give them.

layers       RBMs one upon the other (`training.stack`): of a DBN, or to begin a DBM with
joint        all layers of a DBM, or all units of a general machine, together (`training.joint`)
classifier   back-propagation (`training.supervised`): of a network, or of what a DBN or DBM initialises
players      a generator and a discriminator (`training.adversarial`)
"""

from dataclasses import dataclass, field
from typing import Any

from ebmbench import estimators
from ebmbench.discovery import unknown
from ebmbench.harness import tasks
from ebmbench.models.dropout import rates_of
from ebmbench.models.gan import FORMS
from ebmbench.options import require
from ebmbench.randomness import check_deviation
from ebmbench.training.adam import Adam
from ebmbench.training.average import check_averaging
from ebmbench.training.joint import Phases
from ebmbench.training.sgd import SGD


@dataclass(frozen=True, kw_only=True)
class _Ascent:
    """Of stochastic gradient ascent."""

    momentum: float = 0.5
    decay: float = 0.0
    schedule: str = "constant"
    centred: bool = False

    def sgd(self, rate: float) -> SGD:
        """At this rate."""
        return SGD(rate, self.momentum, self.decay, self.schedule, self.centred)


@dataclass(frozen=True, kw_only=True)
class Layers(_Ascent):
    """estimator: a table with `name` and settings; epochs, rate: of all layers, or a list, one each.

    tied: whether upper layers of a DBN start as the ones below, see `training.stack.turned`.
    """

    estimator: dict[str, Any] = field(default_factory=lambda: {"name": "cd", "k": 1})
    epochs: int | list = 10
    rate: float | list = 0.05
    tied: bool = False

    def __post_init__(self) -> None:
        tasks.check_named("estimator", self.estimator, "{ name = 'cd', k = 1 }")
        estimators.find(self.estimator["name"], tasks.settings_of(self.estimator))
        _ = self.optimisers
        for epochs in self.epochs if isinstance(self.epochs, list) else [self.epochs]:
            require(type(epochs) is int and epochs >= 1, f"epochs must be at least 1, but are {epochs!r}")

    @property
    def optimisers(self) -> SGD | list[SGD]:
        """One, or one of each layer."""
        return (
            [self.sgd(one) for one in self.rate] if isinstance(self.rate, list) else self.sgd(self.rate)
        )

    @property
    def label(self) -> str:
        """The estimator's, and whether layers are tied at first."""
        _, config = estimators.find(self.estimator["name"], tasks.settings_of(self.estimator))
        return f"{config.label}, tied at first" if self.tied else str(config.label)


@dataclass(frozen=True, kw_only=True)
class Together(_Ascent):
    """chains, sweeps, mean_field: see `training.joint.Phases`."""

    epochs: int = 10
    rate: float = 0.01
    chains: int = 100
    sweeps: int = 5
    mean_field: int = 10

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs must be at least 1, but are {self.epochs}")
        _ = self.phases, self.optimiser

    @property
    def phases(self) -> Phases:
        """Those of the gradient."""
        return Phases(self.chains, self.sweeps, self.mean_field)

    @property
    def optimiser(self) -> SGD:
        """Its settings."""
        return self.sgd(self.rate)


def _check_optimiser(name: str) -> None:
    """`UserError` where no network is trained by it."""
    if name not in ("sgd", "adam"):
        raise unknown("optimiser", name, ["sgd", "adam"])


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """optimiser: sgd or adam, which has no momentum or decay; activation: of an mlp's layers.

    dropout: see `models.dropout.rates_of`.
    """

    epochs: int = 10
    rate: float = 0.001
    optimiser: str = "adam"
    momentum: float = 0.5
    decay: float = 0.0
    schedule: str = "constant"
    activation: str = "relu"
    dropout: float | list = 0.0

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs must be at least 1, but are {self.epochs}")
        _check_optimiser(self.optimiser)
        plain = self.optimiser == "sgd" or (self.momentum, self.decay) == (Classifier.momentum, 0.0)
        require(plain, "momentum and decay of a classifier are sgd's: write optimiser = 'sgd'")
        _ = self.how

    @property
    def how(self) -> SGD | Adam:
        """The optimiser's settings."""
        if self.optimiser == "adam":
            return Adam(self.rate, schedule=self.schedule)
        return SGD(self.rate, self.momentum, self.decay, self.schedule)


@dataclass(frozen=True, kw_only=True)
class Players:
    """generator, discriminator: units of their hidden layers; latent: length of the noise; by Adam.

    discriminator_rate: its own step size, or 0 for that of the generator; discriminator_optimiser: adam,
    or sgd with momentum 1/2, which has discriminator_decay too: it keeps the discriminator from telling
    all fakes with certainty, which leaves the generator nothing to follow. So do
    discriminator_dropout, see `models.dropout.rates_of`, and discriminator_noise, the standard deviation
    of what is added to all that it is shown. averaging: the share of the `Average` that is shown, scored
    and kept for the generator; 0 for the generator as it stands.
    """

    generator: list = field(default_factory=lambda: [256, 256])
    discriminator: list = field(default_factory=lambda: [256, 256])
    latent: int = 100
    form: str = "non_saturating"
    discriminator_steps: int = 1
    epochs: int = 10
    rate: float = 2e-4
    discriminator_rate: float = 0.0
    discriminator_optimiser: str = "adam"
    discriminator_decay: float = 0.0
    discriminator_dropout: float | list = 0.0
    discriminator_noise: float = 0.0
    averaging: float = 0.0
    beta1: float = 0.5
    schedule: str = "constant"

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs must be at least 1, but are {self.epochs}")
        if self.form not in FORMS:
            raise unknown("form", self.form, list(FORMS))
        _check_optimiser(self.discriminator_optimiser)
        by_sgd = self.discriminator_optimiser == "sgd"
        require(
            by_sgd or self.discriminator_decay == 0.0,
            f"discriminator_decay is {self.discriminator_decay}, but adam has none; "
            "discriminator_optimiser = 'sgd' has",
        )
        _ = self.how, self.judging
        rates_of(self.discriminator_dropout, len(self.discriminator) + 1)
        check_deviation(self.discriminator_noise)
        check_averaging(self.averaging)

    @property
    def how(self) -> Adam:
        """The generator's optimiser."""
        return Adam(self.rate, self.beta1, schedule=self.schedule)

    @property
    def judging(self) -> SGD | Adam:
        """The discriminator's."""
        rate = self.discriminator_rate or self.rate
        if self.discriminator_optimiser == "sgd":
            return SGD(rate, decay=self.discriminator_decay, schedule=self.schedule)
        return Adam(rate, self.beta1, schedule=self.schedule)


PARTS: dict[str, Any] = {
    "layers": Layers, "joint": Together, "classifier": Classifier, "players": Players,
}  # fmt: skip
