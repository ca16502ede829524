"""A suite's TOML file, and the frozen cases it stands for.

    title = "..."            what the report's heading says
    indicative = true        the timings are too short to be quoted
    seeds = 3                seeds 0, 1, 2
    timeout_s = 60           clocked seconds a case may train

    [[train]]                any number of tables; every list in one is an axis of a grid
    dataset = ["digits", "bars_and_stripes"]
    backend = ["reference", "cpu"]
    estimator = [{ name = "cd", k = 1 }, { name = "sml", chains = 100 }]

The other keys of a table are the fields of `Case`, whose defaults they replace.
"""

import itertools
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ebmbench import datasets, estimators, options, partition
from ebmbench.discovery import unknown
from ebmbench.errors import UserError
from ebmbench.kernels import api
from ebmbench.options import require
from ebmbench.training.sgd import SGD

SUITES = Path(__file__).parent.parent / "suites"
TASKS = ("train",)


@dataclass(frozen=True)
class Case:
    """One training run and how it is judged; everything that decides its result but the machine.

    estimator: a table with `name` and the estimator's settings; evaluate: a method of `partition`;
    checkpoints: how often the model is looked at, off the clock; timeout_s: clocked seconds.
    """

    dataset: str
    backend: str
    estimator: dict[str, Any] = field(hash=False)
    hidden: int = 64
    epochs: int = 20
    batch_size: int = 100
    rate: float = 0.05
    momentum: float = 0.5
    decay: float = 0.0
    schedule: str = "constant"
    centred: bool = False
    evaluate: str = "ais"
    betas: int | str = 1000
    chains: int = 100
    checkpoints: int = 10
    timeout_s: float = 600.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("hidden", "epochs", "batch_size", "checkpoints", "timeout_s"):
            value = getattr(self, name)
            require(value > 0, f"{name} must be greater than 0, but is {value}")
        require(
            "name" in self.estimator,
            f"estimator must be a table with a name, such as {{ name = 'cd', k = 1 }}, "
            f"but is {self.estimator}",
        )
        if self.backend not in api.BACKENDS:
            raise unknown("backend", self.backend, list(api.BACKENDS))
        datasets.check_name(self.dataset)
        estimators.find(self.estimator["name"], self.settings)
        partition.find(self.evaluate, self.evaluation)
        _ = self.optimiser

    @property
    def settings(self) -> dict[str, Any]:
        """The estimator's settings without its name."""
        return {name: value for name, value in self.estimator.items() if name != "name"}

    @property
    def label(self) -> str:
        """The estimator as tables and figures call it."""
        return estimators.find(self.estimator["name"], self.settings)[1].label

    @property
    def evaluation(self) -> dict[str, Any]:
        """The settings of the method that estimates log Z."""
        return {"betas": self.betas, "chains": self.chains} if self.evaluate == "ais" else {}

    @property
    def optimiser(self) -> SGD:
        """The optimiser's settings."""
        return SGD(self.rate, self.momentum, self.decay, self.schedule, self.centred)

    def canonical(self) -> str:
        """The case as one line of JSON with sorted keys: what its key is a hash of."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Suite:
    """A suite's heading and its cases, in the order in which they run."""

    name: str
    title: str
    indicative: bool
    cases: tuple[Case, ...]


def known_suites() -> list[str]:
    """The names of the suites that come with the package."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def load(
    name: str,
    backends: list[str] | None = None,
    dataset: str | None = None,
    seeds: int | None = None,
) -> Suite:
    """Read a suite by name or path; the other arguments replace what it says.

    With a dataset only the tables that already name it are kept; if none does, the last one is used.

    Raises `UserError` that names the file and what is wrong in it.
    """
    path = SUITES / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise UserError(f"no suite {name!r}: neither a file nor one of {', '.join(known_suites())}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read as TOML: {error}") from None
    try:
        return _suite(path.stem, content, backends, dataset, seeds)
    except UserError as error:
        raise UserError(f"suite {path.name}: {error}") from None


def _suite(
    name: str,
    content: dict[str, Any],
    backends: list[str] | None,
    dataset: str | None,
    seeds: int | None,
) -> Suite:
    head = {key: value for key, value in content.items() if key not in TASKS}
    defaults: dict[str, Any] = {"title": name, "indicative": False, "seeds": 1, "timeout_s": 600.0}
    for key in head:
        require(
            key in defaults,
            f"unknown key {key!r}; known are {', '.join([*defaults, '[[train]]'])}",
        )
    head = defaults | head
    count = head["seeds"] if seeds is None else seeds
    require(
        isinstance(count, int) and not isinstance(count, bool) and count >= 1,
        f"seeds must be at least 1, but is {count!r}",
    )
    tables = content.get("train", [])
    require(isinstance(tables, list) and len(tables) > 0, "there is no [[train]] table, so no case")
    require(
        isinstance(head["indicative"], bool),
        f"indicative must be true or false, but is {head['indicative']!r}",
    )
    if dataset:  # the tables made for it, or else the last one
        tables = [t for t in tables if dataset in np.atleast_1d(t.get("dataset"))] or tables[-1:]
    cases: list[Case] = []
    for table in tables:
        table = {"timeout_s": head["timeout_s"], **table}
        if backends:
            table["backend"] = backends
        if dataset:
            table["dataset"] = dataset
        cases += _interleave(list(_product(table)), count)
    require(len(cases) > 0, "a list in its [[train]] tables is empty, so there is no case")
    unique = dict.fromkeys(case.canonical() for case in cases)
    require(len(unique) == len(cases), "two of its cases are the same")
    return Suite(name, str(head["title"]), bool(head["indicative"]), tuple(cases))


def _product(table: dict[str, Any]) -> Iterator[Case]:
    """The cases of one table: every combination of its lists, the backend changing fastest."""
    names = sorted((f.name for f in fields(Case)), key=lambda name: name == "backend")
    axes = {name: table[name] for name in names if name in table}
    axes |= {name: value for name, value in table.items() if name not in axes}  # to be refused
    for name in ("dataset", "backend", "estimator"):
        require(name in axes, f"a [[train]] table lacks {name}")
    values = [value if isinstance(value, list) else [value] for value in axes.values()]
    for combination in itertools.product(*values):
        yield options.build(Case, dict(zip(axes, combination, strict=True)), "a [[train]] table")


def _interleave(cases: list[Case], seeds: int) -> list[Case]:
    """Seed by seed; every other seed backwards, so that drifts of the machine cancel (A B B A)."""
    return [
        replace(case, seed=seed)
        for seed in range(seeds)
        for case in (cases if seed % 2 == 0 else cases[::-1])
    ]
