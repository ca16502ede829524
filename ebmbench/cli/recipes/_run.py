"""What every recipe starts from and what it gives: the options of the command line, and a run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from ebmbench import datasets
from ebmbench.cli.options import numbers, one_or_each, shown, whole_numbers
from ebmbench.datasets import Dataset
from ebmbench.models.storage import load_model
from ebmbench.options import parse, require
from ebmbench.training.sgd import SGD

# Options of models with energies, and of those that an estimator of `estimators` trains.
OF_ENERGIES = frozenset({"hidden", "k", "chains", "centred"})
OF_FITS = OF_ENERGIES | {"estimator", "setting", "denoising", "visible", "precision"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What stands on the command line (given: by name), and defaults; None where a model has its own."""

    given: set[str]
    dataset: str
    estimator: str
    hidden: list[str] | None
    epochs: list[str] | None
    k: int | None
    chains: int | None
    setting: list[str] | None
    denoising: float | None
    visible: str
    precision: str
    batch_size: int
    rate: list[str] | None
    momentum: float
    decay: float
    schedule: str
    centred: bool
    joint_epochs: int
    joint_rate: float
    sweeps: int
    mean_field: int
    start: Path | None
    activation: str
    optimiser: str
    dropout: list[str] | None
    latent: int
    form: str
    noise: float
    averaging: float
    reach: float
    seed: int

    def units(self, *default: int) -> list[int]:
        """Of the hidden layers."""
        return whole_numbers("hidden", self.hidden) if self.hidden else list(default)

    def passes(self, default: int) -> list[int]:
        """Epochs, one number or one for each layer."""
        return whole_numbers("epochs", self.epochs) if self.epochs else [default]

    def rates(self, default: float) -> list[float]:
        """Step sizes, one or one for each layer."""
        return numbers("rate", self.rate) if self.rate else [default]

    @property
    def left_out(self) -> float | list[float]:
        """Dropout rates, as `models.dropout.rates_of` takes them."""
        return one_or_each(numbers("dropout", self.dropout)) if self.dropout else 0.0

    def single(self, option: str, found: list) -> Any:
        """The only one of the numbers; `UserError` where there are several."""
        require(len(found) == 1, f"--{option} of this model is one number, not {len(found)}")
        return found[0]

    def settings(self, *names: str) -> dict[str, Any]:
        """The estimator's: options of these names where they are given, and all by --set."""
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        for name, value in map(parse, self.setting or []):
            require(name not in found, f"{name} is given twice")
            found[name] = value
        return found

    def refuse(self, where: str, *names: str) -> None:
        """`UserError` where one of these options was given, which plays no part there."""
        for name in names:
            require(name not in self.given, f"{shown(name)} plays no part with {where}")

    def sgd(self, rate: float) -> SGD:
        """Stochastic gradient ascent at this rate."""
        return SGD(rate, self.momentum, self.decay, self.schedule, self.centred)

    def data(self, real: bool) -> Dataset:
        """The data set; real: see `datasets.load`."""
        return datasets.load(self.dataset, real=real)


@dataclass(frozen=True)
class Run:
    """A trainer, and what is to be said of its run.

    facts: the options that make the run what it is; data: digests of what it is trained on; told: what
    came out, with {} for the number of updates; finished: the trainer's model as it is written.
    """

    trainer: Any
    facts: dict[str, Any]
    data: dict[str, str]
    told: str
    finished: Callable[[Any], Any] = field(default=lambda model: model)


def facts_of(options: Options, *names: str) -> dict[str, Any]:
    """The options that decide about every run, and these others, for the model's file."""
    common = ("dataset", "seed", "batch_size", "momentum", "decay", "schedule")
    return {name: getattr(options, name) for name in (*common, *names)}


def facts_of_fit(options: Options, settings: dict[str, Any], **sizes: Any) -> dict[str, Any]:
    """As `facts_of`, of what an estimator with these settings trains; sizes: and steps, by name."""
    facts = facts_of(options, "estimator", "centred", "visible") | settings | sizes
    return facts | ({"precision": options.precision} if options.visible == "gaussian" else {})


def started(path: Path, *kinds: str) -> tuple[Any, dict[str, str]]:
    """The model of --start, of one of these kinds, and for the facts which one it is."""
    model = load_model(path)
    wanted = " or ".join(", ".join(kinds).rsplit(", ", 1))
    require(model.kind in kinds, f"{path} is a model of the kind {model.kind}, not {wanted}")
    return model, {"start": str(path), "start_digest": sha256(path.read_bytes()).hexdigest()}
