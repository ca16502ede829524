"""What cases read: data sets by name, models by name, file or recipe."""

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from ebmbench import datasets, options
from ebmbench.datasets import Dataset
from ebmbench.discovery import unknown
from ebmbench.errors import Unavailable, UserError
from ebmbench.evaluation.samples import picture_shape
from ebmbench.models import storage
from ebmbench.models.graph import Graph, lattice
from ebmbench.models.markov_field import MarkovField, ising
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


def picture_graph(data: Dataset, reach: float) -> Graph:
    """The grid of a data set's pixels, each of which hears all that lie no further than `reach` away."""
    height, width, order = picture_shape(data.n_visible, data)
    return lattice(height, width, reach, order=order)


@dataclass(frozen=True)
class Random:
    """An RBM; random: [n_visible, n_hidden]; scale: standard deviation of W, > 0; seed: of parameters."""

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

    def make(self) -> RBM:
        """The model."""
        n_visible, n_hidden = self.random
        return random_model(n_visible, n_hidden, self.scale, self.seed)

    @property
    def name(self) -> str:
        """How tables and figures call it."""
        n_visible, n_hidden = self.random
        return f"random {n_visible}x{n_hidden}, scale {self.scale:g}, seed {self.seed}"


@dataclass(frozen=True)
class Lattice:
    """An Ising model on a grid, or a spin glass.

    lattice: [height, width]; coupling: of spins that are joined; disorder: standard deviation of normal
    numbers that are added to it, each edge's own; field: on each spin; reach, wrapped: see
    `models.graph.lattice`; seed: of the disorder.
    """

    lattice: list
    coupling: float = 0.0
    disorder: float = 0.0
    field: float = 0.0
    reach: float = 1.0
    wrapped: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        sizes = len(self.lattice) == 2 and all(type(size) is int for size in self.lattice)
        require(sizes, f"a lattice has a height and a width, whole numbers, but is {self.lattice}")
        _ = self.graph
        finite = all(isfinite(value) for value in (self.coupling, self.disorder, self.field))
        require(finite, "coupling, disorder and field of a lattice must be finite")
        require(self.disorder >= 0, f"disorder must be at least 0, but is {self.disorder}")
        require(
            self.disorder > 0 or self.coupling != 0, "a lattice needs a coupling, or a disorder, or both"
        )
        require(
            self.disorder > 0 or self.seed == 1, "seed of a lattice is of its disorder, and it has none"
        )
        largest = max(abs(self.coupling) + 6 * self.disorder, abs(self.field))
        require(
            largest <= _LARGEST_COUPLING, f"a lattice's spins want numbers up to {_LARGEST_COUPLING:g}"
        )
        check_seed(self.seed)

    @property
    def graph(self) -> Graph:
        """The grid or torus."""
        return _lattice(self.lattice[0], self.lattice[1], self.reach, self.wrapped)

    def make(self) -> MarkovField:
        """The model."""
        key = Key(self.seed, Stream.INITIAL_PARAMETERS)
        disorder = self.disorder * normals(key, 1, len(self.graph.edges))[0]
        return ising(self.graph, self.coupling + disorder, self.field)

    @property
    def name(self) -> str:
        """How tables and figures call it."""
        height, width = self.lattice
        told = [f"{height}x{width} {'torus' if self.wrapped else 'grid'}, J {self.coupling:g}"]
        if self.disorder:
            told.append(f"disorder {self.disorder:g}, seed {self.seed}")
        told += [f"h {self.field:g}"] if self.field else []
        return ", ".join(told + ([f"reach {self.reach:g}"] if self.reach != 1 else []))


_lattice = lru_cache(maxsize=4)(lattice)  # asked for at each look at a case
_LARGEST_COUPLING = 1e4  # weights and biases of units are some times as large
_RECIPES: dict[str, type[Random] | type[Lattice]] = {"random": Random, "lattice": Lattice}


def random_model(n_visible: int, n_hidden: int, scale: float, seed: int = 1) -> RBM:
    """Normal parameters: W of standard deviation `scale`, biases of 1."""
    key = Key(seed, Stream.INITIAL_PARAMETERS)
    W = normals(key, n_visible, n_hidden) * scale
    bias = normals(key._replace(chain=n_visible), 2, max(n_visible, n_hidden))
    return RBM(W, bias[0, :n_visible], bias[1, :n_hidden])


def check_model(source: str | dict) -> None:
    """`UserError` where `source` does not say where a model comes from; see `load_model`."""
    if isinstance(source, dict):
        _recipe(source)
    elif source not in _fixtures() and not source.endswith(".npz"):
        raise unknown("model", source, [*_fixtures(), "the path of an .npz file"])
    elif source not in (*_fixtures(), *PUBLISHED) and not _found(source):
        raise UserError(_missing(source))


def _recipe(source: dict) -> Random | Lattice:
    kind = next((name for name in _RECIPES if name in source), None)
    if kind is None:
        raise UserError(f"a model's recipe needs random = [8, 6] or lattice = [8, 8], not {source}")
    return options.build(_RECIPES[kind], source, f"a {kind if kind == 'lattice' else 'random model'}")


def is_lattice(source: str | dict) -> bool:
    """Whether `load_model` gives no RBM, but a Markov field."""
    return isinstance(source, dict) and isinstance(_recipe(source), Lattice)


def load_model(source: str | dict, temperature: float = 1.0, kinds: tuple[str, ...] = (RBM.kind,)) -> Any:
    """A model with its parameters divided by the temperature.

    source: the name of a fixture of the package; the path of an .npz file that holds a model of one
    of the kinds, or its name in the folder EBMBENCH_DATA; or a recipe, of a random RBM, `{ random =
    [8, 6], scale = 1.0, seed = 1 }`, or of a `Lattice`, `{ lattice = [8, 8], coupling = 0.44 }`.
    Raises `Unavailable` where one of the `PUBLISHED` is not there, `UserError` for any other file
    that is not or that does not hold a model.
    """
    check_model(source)
    if isinstance(source, dict):
        model: Any = _recipe(source).make()
    elif source in _fixtures():
        model = storage.load_fixture(source).model
    else:
        path = _found(source)
        if path is None:
            raise Unavailable(_missing(source))
        model = storage.load_binary_model(path) if kinds == (RBM.kind,) else storage.load_model(path)
        told = f"{path} holds a model of the kind {model.kind}, but one of {', '.join(kinds)} is needed"
        require(model.kind in kinds, told)
    cooled = {name: value / temperature for name, value in model.parameters.items()}
    return replace(model, **cooled)


def model_name(source: str | dict) -> str:
    """How tables and figures call a model."""
    return _recipe(source).name if isinstance(source, dict) else Path(source).stem


def model_digest(model: Any) -> str:
    """SHA-256 in hexadecimal over the first parameter's shape and the bytes of all and of a graph."""
    arrays = list(model.parameters.values())
    sha = hashlib.sha256(repr(arrays[0].shape).encode())
    for array in (*arrays, *([model.graph.edges] if isinstance(model, MarkovField) else [])):
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
