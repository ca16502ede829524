"""What a trained model restores of damaged binary test rows, off the clock: a part of a case's row.

A suite asks by a list of tables, each with one of `damage.WAYS`, such as { flip = 0.1 }, and the sweeps
of each row's chain and the number of test rows, where those are not to be the usual ones.
"""

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ebmbench.datasets import Dataset
from ebmbench.errors import NotFinite
from ebmbench.evaluation import damage, restoration
from ebmbench.evaluation.damage import Damaged
from ebmbench.evaluation.samples import picture_shape
from ebmbench.harness import judge
from ebmbench.kernels.api import Backend
from ebmbench.options import require
from ebmbench.partition import base_rates

SWEEPS, ROWS = 200, 1000
_SHOWN = 8  # rows that a picture shows


class Asked(NamedTuple):
    """way, amount: of `damage.damaged`; sweeps: of a row's chain; rows: how many first test rows."""

    way: str
    amount: float | str
    sweeps: int
    rows: int

    @property
    def label(self) -> str:
        """In words, with what is not as usual."""
        kind = {"flip": "flipped", "missing": "missing"}
        found = f"{self.amount} half missing"
        if self.way in kind:
            found = f"{100 * float(self.amount):g} % {kind[self.way]}"
        found += "" if self.sweeps == SWEEPS else f", {self.sweeps} sweeps"
        return found + ("" if self.rows == ROWS else f", {self.rows} rows")


class Task(NamedTuple):
    """What is asked, and the damaged rows."""

    asked: Asked
    damaged: Damaged


def asked(tables: list[Any]) -> list[Asked]:
    """What a suite asks for, checked; `UserError` for what nobody can, and for what is asked twice."""
    found = [_one(table) for table in tables]
    labels = [one.label for one in found]
    twice = [label for label in labels if labels.count(label) > 1]
    require(not twice, f"restore asks twice for {twice[0] if twice else ''}")
    return found


def _one(table: Any) -> Asked:
    example = "such as { flip = 0.1 }, { missing = 0.5 } or { half = 'lower' }"
    known = (*damage.WAYS, "sweeps", "rows")
    require(
        isinstance(table, dict) and sum(way in table for way in damage.WAYS) == 1,
        f"what is to be restored must be a table with one way of damage, {example}, but is {table}",
    )
    strange = [name for name in table if name not in known]
    require(not strange, f"what is to be restored has no setting {', '.join(strange)}; write {example}")
    for name in ("sweeps", "rows"):
        value = table.get(name, 2)
        right = type(value) is int and value >= 2
        require(right, f"{name} of a restoration must be at least 2, but are {value!r}")
    way = next(way for way in damage.WAYS if way in table)
    amount = table[way]
    if way == "half":
        require(amount in damage.HALVES, f"half is one of {', '.join(damage.HALVES)}, not {amount!r}")
    else:
        most = damage.LARGEST[way]
        number = type(amount) in (int, float) and 0.0 < amount <= most
        require(number, f"{way} must be above 0 and at most {most:g}, but is {amount!r}")
    return Asked(way, amount, table.get("sweeps", SWEEPS), table.get("rows", ROWS))


def tasks(data: Dataset, tables: list[Any], seed: int) -> list[Task]:
    """The damage done to the first test rows; `UserError` where these rows cannot be damaged so."""
    shape = picture_shape(data.n_visible, data)
    wanted = asked(tables)
    rows = (data.test[: one.rows] for one in wanted)
    return [
        Task(one, damage.damaged(some, one.way, one.amount, shape, seed))
        for one, some in zip(wanted, rows, strict=True)
    ]


def restored(
    k: Backend, model: Any, data: Dataset, wanted: list[Task], seed: int
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """An entry each, and arrays of the first rows, as they were, damaged and restored, by their names.

    An entry has the fields of `restoration.Score`, of the model, of base rates and of the exact posterior
    of a mixture of Bernoullis, by how much the model's share of wrong bits is below either, and the
    seconds that the chains took; or the reason why there is none. In a picture's rows NaN is missing.
    """
    if not wanted:
        return [], {}
    base, mixture = base_rates(data.train, f"train split of {data.name}"), judge.mixture_of(data.name)
    entries, pictures = [], {}
    for number, (one, damaged) in enumerate(wanted):
        entry = {"damage": one.label, "rows": len(damaged.rows), "sweeps": one.sweeps, "backend": k.name}
        entries.append(entry)
        started = perf_counter()
        try:
            found = restoration.restore(k, model, damaged, base, one.sweeps, seed)
        except NotFinite as error:
            entry |= {"reason": str(error)}
            continue
        entry |= {"seconds": perf_counter() - started, "damaged": found.damaged}
        others = mixture.posterior_means(damaged.evidence)
        scores = {
            "model": found.model,
            "base_rates": found.base_rates,
            "mixture": restoration.score(others, damaged),
        }
        for who, score in scores.items():
            entry |= {f"{who}_{what}": value for what, value in score._asdict().items()}
        entry |= {"counted": found.n_counted, "gain": found.gain}
        below = {
            "base_rates": (found.fewer, found.fewer_std_error),
            "mixture": restoration.fewer(found.means, others, damaged),
        }
        for who, (fewer, std_error) in below.items():
            entry |= {f"fewer_than_{who}": fewer, f"fewer_than_{who}_std_error": std_error}
        triple = (damaged.rows, damaged.seen, found.means)
        pictures[f"restored_{number}"] = np.stack([part[:_SHOWN] for part in triple]).astype(np.float32)
    return entries, pictures
