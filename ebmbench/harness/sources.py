"""What cases read: data sets by name, models by name, file or recipe."""

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ebmbench import datasets, options
from ebmbench.datasets import Dataset
from ebmbench.discovery import unknown
from ebmbench.errors import Unavailable, UserError
from ebmbench.models import storage
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed, normals

# Models that the package's suites name but that do not come with it: without them a row is unavailable,
# where any other file that is not there is a mistake.
PUBLISHED = ("rbm_cd25_500.npz",)


@cache
def load_dataset(name: str, real: bool = False) -> Dataset:
    """A data set, read once a process; real: for Gaussian units, see `datasets.load`."""
    return datasets.load(name, real)


@dataclass(frozen=True)
class Recipe:
    """random: [n_visible, n_hidden]; scale: standard deviation of W, > 0; seed: of the parameters."""

    random: list
    scale: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        sizes = self.random
        require(
            len(sizes) == 2 and all(type(size) is int and size >= 1 for size in sizes),
            f"a random model needs its numbers of units, as [8, 6], but is given {sizes}",
        )
        require(
            0 < self.scale < float("inf"),
            f"scale of a random model must be positive and finite, but is {self.scale}",
        )
        check_seed(self.seed)


def random_model(n_visible: int, n_hidden: int, scale: float, seed: int = 1) -> RBM:
    """Normal parameters: W of standard deviation `scale`, biases of 1."""
    key = Key(seed, Stream.INITIAL_PARAMETERS)
    W = normals(key, n_visible, n_hidden) * scale
    bias = normals(key._replace(chain=n_visible), 2, max(n_visible, n_hidden))
    return RBM(W, bias[0, :n_visible], bias[1, :n_hidden])


def check_model(source: str | dict) -> None:
    """`UserError` where `source` does not say where a model comes from; see `load_model`."""
    if isinstance(source, dict):
        require("random" in source, f"a model's recipe needs random = [8, 6] or the like, not {source}")
        options.build(Recipe, source, "a random model")
    elif source not in _fixtures() and not source.endswith(".npz"):
        raise unknown("model", source, [*_fixtures(), "the path of an .npz file"])
    elif source not in (*_fixtures(), *PUBLISHED) and not _found(source):
        raise UserError(_missing(source))


def load_model(source: str | dict, temperature: float = 1.0) -> RBM:
    """A model with its parameters divided by the temperature.

    source: the name of a fixture of the package; the path of an .npz file, or its name in the folder
    EBMBENCH_DATA; or the recipe of a random model, `{ random = [8, 6], scale = 1.0, seed = 1 }`.
    Raises `Unavailable` where one of the `PUBLISHED` is not there, `UserError` for any other file that is
    not or that does not hold a model.
    """
    check_model(source)
    if isinstance(source, dict):
        recipe = options.build(Recipe, source, "a random model")
        n_visible, n_hidden = recipe.random
        model = random_model(n_visible, n_hidden, recipe.scale, recipe.seed)
    elif source in _fixtures():
        model = storage.load_fixture(source).model
    else:
        path = _found(source)
        if path is None:
            raise Unavailable(_missing(source))
        model = storage.load_binary_model(path)
    return RBM(model.W / temperature, model.b / temperature, model.c / temperature)


def model_name(source: str | dict) -> str:
    """How tables and figures call a model."""
    if isinstance(source, dict):
        recipe = options.build(Recipe, source, "a random model")
        n_visible, n_hidden = recipe.random
        return f"random {n_visible}x{n_hidden}, scale {recipe.scale:g}, seed {recipe.seed}"
    return Path(source).stem


def model_digest(model: RBM) -> str:
    """SHA-256 in hexadecimal over shape and bytes of W, b and c."""
    sha = hashlib.sha256(repr(model.W.shape).encode())
    for array in (model.W, model.b, model.c):
        sha.update(array.tobytes())
    return sha.hexdigest()


def _fixtures() -> list[str]:
    return sorted(path.stem for path in storage.FIXTURES.glob("*.npz"))


def _found(name: str) -> Path | None:
    """A file by its path, or by its name in the folder EBMBENCH_DATA."""
    folder = os.environ.get("EBMBENCH_DATA")
    places = [Path(name), *([Path(folder) / name] if folder else [])]
    return next((path for path in places if path.is_file()), None)


def _missing(name: str) -> str:
    set_ = "EBMBENCH_DATA" in os.environ
    where = "in the folder EBMBENCH_DATA" if set_ else "in EBMBENCH_DATA, which is not set"
    return f"there is no model file {name}, neither here nor {where}"
