"""What a suite can ask for, one file a task; a new file is found because it exists.

A file has NAME, which is the name of its tables in a suite, a frozen dataclass `Case` of everything
that decides a result but the machine, and `run(case, row, curve) -> arrays | None`. That fills in
the row and the curve as it goes, so that what was found before a failure is kept; the arrays go to
a file beside the table. Its exceptions become the row's status (see `harness.run`).
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ebmbench.discovery import registry, unknown
from ebmbench.harness.gate import KINDS
from ebmbench.harness.measures import Measure
from ebmbench.kernels import api
from ebmbench.options import require


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the cases of all tasks have in common.

    timeout_s: clocked seconds. A field of type list takes a list as one value; in every other field
    a suite's list is an axis of a grid. measures: what two rows of a case are compared by; seeded:
    whether a suite's seeds make cases of their own; of those that only time something they do not.
    """

    task: ClassVar[str]
    seeded: ClassVar[bool] = True
    measures: ClassVar[tuple[Measure, ...]] = ()

    backend: str
    timeout_s: float = 600.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.backend not in api.BACKENDS:
            raise unknown("backend", self.backend, list(api.BACKENDS))
        self.require_positive("timeout_s")

    def require_positive(self, *names: str) -> None:
        """`UserError` that names the first of these fields that is not greater than 0."""
        for name in names:
            value = getattr(self, name)
            require(value > 0, f"{name} must be greater than 0, but is {value}")

    @property
    def label(self) -> str:
        """What is compared, as tables and figures call it."""
        raise NotImplementedError

    @property
    def heading(self) -> str:
        """The case as a line on the console calls it, but for its backend and seed."""
        raise NotImplementedError

    def summary(self, row: dict[str, Any]) -> str:
        """What came of a case that is done, in a few words."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """Of the model, in a task that looks at one."""
        raise NotImplementedError

    @property
    def kinds(self) -> Collection[str]:
        """Of models on which the backend must agree with the reference before the case runs."""
        return KINDS

    @property
    def user_code(self) -> str:
        """The name of the user's code that the case runs, see `harness.foreign`; empty for none."""
        return ""

    def inputs(self) -> dict[str, str]:
        """Digests of the data and models the case reads, by their names in the row.

        A kept row counts only while they are the same. Raises `UserError` for what cannot be read.
        """
        return {}

    def facts(self) -> dict[str, Any]:
        """The fields as a row holds them."""
        return asdict(self)

    def canonical(self) -> str:
        """The case as one line of JSON with sorted keys: what its key is a hash of."""
        return json.dumps({"task": self.task, **asdict(self)}, sort_keys=True)


def known() -> dict[str, ModuleType]:
    """The tasks by name."""
    return registry(__name__, ("Case", "run"))


def check_named(what: str, table: dict[str, Any], example: str) -> None:
    """`UserError` unless the table has a name, as estimators and methods do."""
    require(
        isinstance(table.get("name"), str),
        f"{what} must be a table with a name, such as {example}, but is {table}",
    )


def settings_of(table: dict[str, Any]) -> dict[str, Any]:
    """The settings in a table without its name."""
    return {name: value for name, value in table.items() if name != "name"}


def in_words(name: str, settings: dict[str, Any]) -> str:
    """A name and all its settings."""
    return ", ".join([name, *(f"{setting} {value}" for setting, value in settings.items())])


def swap_facts(rates: np.ndarray) -> dict[str, float]:
    """What a row says of parallel tempering's exchanges, from the rate of each pair of neighbours."""
    return {"swap_rate": float(rates.mean()), "swap_rate_min": float(rates.min())}
