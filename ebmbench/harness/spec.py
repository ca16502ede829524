"""A suite's TOML file, and the frozen cases it stands for.

    title = "..."            what the report's heading says
    indicative = true        the timings are too short to be quoted
    seeds = 3                seeds 0, 1, 2
    timeout_s = 60           clocked seconds a case may take
    needs = "cuda"           a backend without which nothing is run

    [[train]]                any number of tables of any task; every list in one is an axis of a grid
    dataset = ["digits", "bars_and_stripes"]
    backend = ["reference", "cpu"]
    estimator = [{ name = "cd", k = 1 }, { name = "sml", chains = 100 }]

The name of a table is that of a file in `harness.tasks`; the other keys of a table are the fields of
that file's `Case`, whose defaults they replace.
"""

import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin

import numpy as np

from ebmbench import options
from ebmbench.discovery import unknown
from ebmbench.errors import UserError
from ebmbench.harness import tasks
from ebmbench.harness.naming import placed
from ebmbench.harness.tasks import Case
from ebmbench.kernels import api
from ebmbench.options import require

_NAMED = ("estimator", "method", "job")
_USUAL = "digits"  # of many suites that which is trained with most kinds of models, and within minutes
SUITES = Path(__file__).parent.parent / "suites"
_HEAD: dict[str, Any] = {
    "title": "", "indicative": False, "seeds": 1, "timeout_s": 600.0, "needs": "",
}  # fmt: skip


@dataclass(frozen=True)
class Suite:
    """A suite's heading and its cases, in the order in which they run.

    needs: a backend without which nothing is run; empty where each case may be had or not.
    instead_of: the data set whose place the given one took; empty where it has tables of its own.
    """

    name: str
    title: str
    indicative: bool
    cases: tuple[Case, ...]
    needs: str = ""
    instead_of: str = ""


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

    With a dataset only the tables that already name it are kept; if none does, it takes the place of
    digits, or else of the first that any names, in all tables that train on that.

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
    known = tasks.known()
    given = {key: value for key, value in content.items() if key not in known}
    for key in given:
        if key not in _HEAD:
            raise unknown("key", key, [*_HEAD, *known])
    head = _HEAD | {"title": name} | given
    count = head["seeds"] if seeds is None else seeds
    require(
        isinstance(count, int) and not isinstance(count, bool) and count >= 1,
        f"seeds must be a whole number from 1 on, but is {count!r}",
    )
    require(
        isinstance(head["indicative"], bool),
        f"indicative must be true or false, but is {head['indicative']!r}",
    )
    if head["needs"] and head["needs"] not in api.BACKENDS:
        raise unknown("backend in needs", head["needs"], list(api.BACKENDS))
    tables = [
        (known[task], table)
        for task, entries in content.items()
        if task in known
        for table in (entries if isinstance(entries, list) else [entries])
    ]
    names = ", ".join(f"[[{task}]]" for task in known)
    require(
        len(tables) > 0 and all(isinstance(table, dict) for _, table in tables),
        f"there is no table of a task, so no case; tasks are {names}",
    )
    instead_of = ""
    if dataset:
        tables, instead_of = _of(dataset, tables)
    cases: list[Case] = []
    for task, table in _on(backends, tables):
        table = {"timeout_s": head["timeout_s"], **table}
        if dataset:
            table["dataset"] = dataset
        cases += _interleave(list(_product(task, table)), count if task.Case.seeded else 1)
    require(len(cases) > 0, "there is no case")
    seen: set[str] = set()
    for case in cases:
        line = case.canonical()
        if line in seen:
            name = placed(case.heading.rstrip(","), case)
            raise UserError(f"two of its cases are the same: {name}, is there twice")
        seen.add(line)
    return Suite(
        name, str(head["title"]), bool(head["indicative"]), tuple(cases), head["needs"], instead_of
    )  # fmt: skip


def _of(
    dataset: str, tables: list[tuple[ModuleType, dict[str, Any]]]
) -> tuple[list[tuple[ModuleType, dict[str, Any]]], str]:
    """The tables made for a data set, and whose they are if not its own."""
    made = _naming(dataset, tables)
    if made:
        return made, ""
    # What only uses a data set is about a model, which may be of another size.
    tables = [(task, table) for task, table in tables if _required(task, "dataset")]
    named = list(itertools.chain(*(_values(table, "dataset") for _, table in tables)))
    require(len(named) > 0, f"none of its tables trains on a data set that {dataset} could replace")
    taken = _USUAL if _USUAL in named else named[0]
    return _naming(taken, tables), str(taken)


def _naming(
    dataset: str, tables: list[tuple[ModuleType, dict[str, Any]]]
) -> list[tuple[ModuleType, dict[str, Any]]]:
    return [(task, table) for task, table in tables if dataset in _values(table, "dataset")]


def _values(table: dict[str, Any], name: str) -> list[Any]:
    """What a table names, one or several; none where it says nothing."""
    return np.atleast_1d(table.get(name, [])).tolist()


def _on(
    backends: list[str] | None, tables: list[tuple[ModuleType, dict[str, Any]]]
) -> list[tuple[ModuleType, dict[str, Any]]]:
    """The tables on these backends only; one that no table names takes the place of theirs everywhere."""
    if not backends:
        return tables
    theirs = [_values(table, "backend") for _, table in tables]
    named = set(itertools.chain(*theirs))
    kept = [[b for b in dict.fromkeys(backends) if b in own or b not in named] for own in theirs]
    return [
        (task, table | {"backend": own}) for (task, table), own in zip(tables, kept, strict=True) if own
    ]


def _product(task: ModuleType, table: dict[str, Any]) -> Iterator[Case]:
    """The cases of one table: every combination of its lists, the backend changing fastest."""
    what = f"a [[{task.NAME}]] table"
    known = {field.name: field for field in fields(task.Case)}
    for name in known:
        require(name in table or not _required(task, name), f"{what} lacks {name}")
    names = sorted(known, key=lambda name: name == "backend")
    axes = {name: table[name] for name in names if name in table}
    axes |= {name: value for name, value in table.items() if name not in axes}  # to be refused
    lists = {name for name, field in known.items() if _holds_list(field)}
    for name, value in axes.items():
        empty = value == [] and name not in lists
        require(not empty, f"{name} of {what} is an empty list, so there is no case")
    values = [value if _is_axis(value, name in lists) else [value] for name, value in axes.items()]
    values = [
        [{"name": one} if type(one) is str and _is_table(known.get(name)) else one for one in several]
        for name, several in zip(axes, values, strict=True)
    ]
    for combination in itertools.product(*values):
        yield options.build(task.Case, dict(zip(axes, combination, strict=True)), what)


def _required(task: ModuleType, name: str) -> bool:
    """Whether a task's tables must have this field."""
    field = next(one for one in fields(task.Case) if one.name == name)
    return field.default is MISSING and field.default_factory is MISSING


def _is_table(field: Field | None) -> bool:
    """Whether a field is a table with a name, for which its name alone may stand."""
    return field is not None and field.name in _NAMED and get_origin(field.type) is dict


def _holds_list(field: Field) -> bool:
    return list in (field.type, get_origin(field.type))


def _is_axis(value: Any, list_is_one_value: bool) -> bool:
    """Whether a table's value stands for several: a list, or where one is a value, a list of lists."""
    if list_is_one_value and isinstance(value, list):
        return len(value) > 0 and all(isinstance(entry, list) for entry in value)
    return isinstance(value, list)


def _interleave(cases: list[Case], seeds: int) -> list[Case]:
    """Seed by seed; every other seed backwards, so that drifts of the machine cancel (A B B A)."""
    return [
        replace(case, seed=seed)
        for seed in range(seeds)
        for case in (cases if seed % 2 == 0 else cases[::-1])
    ]
