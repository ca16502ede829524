"""What the tasks on a given model share: where the model comes from, and at which temperature."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ebmbench import datasets
from ebmbench.errors import UserError
from ebmbench.harness import sources, tasks
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.partition import BaseRates, base_rates


@dataclass(frozen=True, kw_only=True)
class ModelCase(tasks.Case):
    """model: see `sources.load_model`; temperature: what its parameters are divided by, > 0.

    takes: the kinds of model that it may be.
    """

    takes: ClassVar[tuple[str, ...]] = (RBM.kind,)

    model: str | dict = field(hash=False)
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        sources.check_model(self.model)
        require(
            MarkovField.kind in self.takes or not sources.is_lattice(self.model),
            f"a lattice is no RBM, which is what a [[{self.task}]] table looks at",
        )
        require(
            0 < self.temperature < float("inf"),
            f"temperature must be positive and finite, but is {self.temperature}",
        )

    def load(self) -> Any:
        """The model at its temperature."""
        return sources.load_model(self.model, self.temperature, self.takes)

    @property
    def kind(self) -> str:
        """Of the model; a file may hold any that the task takes."""
        return str(self.load().kind) if len(self.takes) > 1 else RBM.kind

    @property
    def kinds(self) -> Collection[str]:
        """That of the model."""
        return (self.kind,)

    @property
    def where(self) -> str:
        """The model and its temperature."""
        return f"{sources.model_name(self.model)} at T = {self.temperature:g}"

    @property
    def heading(self) -> str:
        """Model, temperature and what is compared."""
        return f"{self.where}, {self.label},"

    def inputs(self) -> dict[str, str]:
        """The digest of the model at its temperature."""
        return {"model_digest": sources.model_digest(self.load())}

    def facts(self) -> dict[str, Any]:
        """The fields, with the model's name in place of its source."""
        named = {"model": sources.model_name(self.model), "model_source": self.model}
        return super().facts() | named | {"label": self.label}


@dataclass(frozen=True, kw_only=True)
class BaseCase(ModelCase):
    """dataset: whose train split's base rates are the base; fair coins where none is named."""

    dataset: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataset:
            datasets.check_name(self.dataset)

    def base(self, n_visible: int) -> BaseRates:
        """The law of independent units that a path to the model starts from."""
        if not self.dataset:
            return BaseRates(np.zeros(n_visible), "fair coins")
        data = sources.load_dataset(self.dataset)
        if data.n_visible != n_visible:
            raise UserError(
                f"data set {self.dataset} has {data.n_visible} columns, "
                f"but the model has {n_visible} visible units"
            )
        return base_rates(data.train, f"train split of {data.name}")

    def inputs(self) -> dict[str, str]:
        """The digests of the model, and of the data set where there is one."""
        if not self.dataset:
            return super().inputs()
        return super().inputs() | {"dataset_digest": sources.load_dataset(self.dataset).digest}
