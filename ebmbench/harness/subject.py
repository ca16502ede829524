"""What the jobs that kernels and peers are timed on run on: a model, and rows to start from.

Both are made up unless a case names them. Kernels whose time depends on the states, such as those that
follow flips, are timed on a trained model only where chains start from typical rows: those it was
trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ebmbench import datasets
from ebmbench.errors import UserError
from ebmbench.harness import made_up, sources
from ebmbench.models.arithmetic import rounded
from ebmbench.models.dbn import DBN
from ebmbench.models.gan import GAN
from ebmbench.models.latent import Latent
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.partition import BaseRates, base_rates

_ROWS = 1000  # made-up ones that base rates are counted on


@dataclass(frozen=True, eq=False)
class Subject:
    """What a job runs on.

    name: of the model, which is an RBM but for jobs that train deep ones; rows(count): binary, uint8
    [count, n_visible]; base(): for annealing.
    """

    name: str
    model: Any
    rows: Callable[[int], np.ndarray]
    base: Callable[[], BaseRates]

    @property
    def parts(self) -> tuple[Any, ...]:
        """What a backend keeps of the model, a handle each."""
        model = self.model
        if isinstance(model, GAN):
            return model.generator, model.discriminator
        if isinstance(model, DBN):
            return model.layers
        return (model.whole if isinstance(model, Latent) else model,)

    @property
    def units(self) -> dict[str, int | None]:
        """As a row tells the size; the hidden layers of a deep model stand in the job's name."""
        model = self.model
        if isinstance(model, RBM):
            return {"n_visible": model.n_visible, "n_hidden": model.n_hidden}
        return {"n_visible": self.rows(1).shape[1], "n_hidden": None}

    def rounded(self, arithmetic: str) -> "Subject":
        """The same with the model that a backend computes with in this arithmetic."""
        return replace(self, model=rounded(self.model, arithmetic))


def load(model: str | dict, dataset: str, n_visible: int, n_hidden: int) -> Subject:
    """The model of a source (see `sources.load_model`), or a made-up one where the source is empty.

    Rows are those of the data set's train split, or made-up ones where none is named. Raises as
    `sources.load_model`, and `UserError` where the data do not fit the model.
    """
    given = sources.load_model(model) if model else made_up.model(n_visible, n_hidden)
    return of(called(model, n_visible, n_hidden), given, given.n_visible, dataset)


def of(name: str, model: Any, n_visible: int, dataset: str) -> Subject:
    """A model with the rows of a data set, or with made-up ones where none is named; raises as `load`."""
    if not dataset:
        rows = partial(made_up.rows, n_visible=n_visible)
        return Subject(name, model, rows, lambda: base_rates(rows(_ROWS), "made-up rows"))
    data = sources.load_dataset(dataset)
    require(data.is_binary, f"chains start from binary rows, but data set {dataset} has grey ones")
    if data.n_visible != n_visible:
        raise UserError(
            f"data set {dataset} has {data.n_visible} columns, "
            f"but the model has {n_visible} visible units"
        )
    split = f"train split of {data.name}"
    return Subject(name, model, partial(_spread, data.train), lambda: base_rates(data.train, split))


def from_recipe(recipe: made_up.Recipe, seed: int) -> Subject:
    """The model of a recipe, and draws from its law."""
    rows = partial(recipe.draws, seed=seed)
    return Subject(
        recipe.name, made_up.made(recipe), rows, lambda: base_rates(rows(_ROWS), "made-up rows")
    )


def check(model: str | dict, dataset: str) -> None:
    """`UserError` where one of them is named, but not known."""
    if model:
        sources.check_model(model)
        require(not sources.is_lattice(model), "a lattice is no RBM, which is what is timed here")
    if dataset:
        datasets.check_name(dataset)


def inputs(model: str | dict, dataset: str) -> dict[str, str]:
    """The digests of the model and of the data set, where they are named, as rows have them."""
    found = {}
    if model:
        found["model_digest"] = sources.model_digest(sources.load_model(model))
    if dataset:
        found["dataset_digest"] = sources.load_dataset(dataset).digest
    return found


def called(model: str | dict, n_visible: int, n_hidden: int) -> str:
    """How tables call the model."""
    return sources.model_name(model) if model else made_up.name(n_visible, n_hidden)


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """So many rows, evenly spread as some files are sorted; all of them again where they are too few."""
    numbers = np.arange(count)
    return rows[numbers * len(rows) // count if count < len(rows) else numbers % len(rows)]
