"""What a trained model restores of damaged test rows, off the clock: a part of a case's row.

A suite asks by a list of tables, each with one of `damage.WAYS`, such as { flip = 0.1 }, and the sweeps
of each row's chain and the number of test rows, where those are not to be the usual ones.
"""

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ebmbench.datasets import Dataset
from ebmbench.evaluation import damage, restoration
from ebmbench.evaluation.samples import picture_shape
from ebmbench.harness import judge
from ebmbench.kernels.api import Backend
from ebmbench.options import require
from ebmbench.partition import base_rates

_SWEEPS, _ROWS = 200, 1000
_SHOWN = 8  # rows that a picture shows


class Asked(NamedTuple):
    """way, amount: of `damage.damaged`; sweeps: of a row's chain; rows: how many first test rows."""

    way: str
    amount: float | str
    sweeps: int
    rows: int

    @property
    def label(self) -> str:
        """In words."""
        if self.way == "half":
            return f"{self.amount} half missing"
        return f"{100 * float(self.amount):g} % {'flipped' if self.way == 'flip' else 'missing'}"


def asked(tables: list[Any]) -> list[Asked]:
    """What a suite asks for, checked; `UserError` for what nobody can."""
    return [_one(table) for table in tables]


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
        require(
            type(value) is int and value >= 2,
            f"{name} of a restoration must be at least 2, not {value!r}",
        )
    way = next(way for way in damage.WAYS if way in table)
    amount = table[way]
    if way == "half":
        require(amount in damage.HALVES, f"half is one of {', '.join(damage.HALVES)}, not {amount!r}")
    else:
        most = 0.5 if way == "flip" else 1.0
        number = type(amount) in (int, float) and 0.0 < amount <= most
        require(number, f"{way} must be above 0 and at most {most:g}, but is {amount!r}")
    return Asked(way, amount, table.get("sweeps", _SWEEPS), table.get("rows", _ROWS))


def restored(
    k: Backend, model: Any, data: Dataset, wanted: list[Asked], seed: int
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """An entry each, and arrays of the first rows, as they were, damaged and restored, by their names.

    An entry has the fields of `restoration.Score`, of the model, of base rates and of the exact posterior
    of a mixture of Bernoullis, and the seconds that the chains took. In a picture's rows NaN is missing.
    """
    if not wanted:
        return [], {}
    shape, mixture = picture_shape(data.n_visible, data), judge.mixture_of(data.name)
    base = base_rates(data.train, f"train split of {data.name}")
    entries, pictures = [], {}
    for number, one in enumerate(wanted):
        damaged = damage.damaged(data.test[: one.rows], one.way, one.amount, shape, seed)
        started = perf_counter()
        found = restoration.restore(k, model, damaged, base, one.sweeps, seed)
        seconds = perf_counter() - started
        scores = {"model": found.model, "base_rates": found.base_rates}
        scores["mixture"] = restoration.score(mixture.posterior_means(damaged.evidence), damaged)
        entries.append(
            {"damage": one.label, "rows": len(damaged.rows), "sweeps": one.sweeps}
            | {f"{who}_{what}": v for who, score in scores.items() for what, v in score._asdict().items()}
            | {"fewer": found.fewer, "fewer_std_error": found.fewer_std_error, "gain": found.gain}
            | {"damaged": found.damaged, "counted": found.n_counted, "seconds": seconds}
        )
        triple = (damaged.rows, damaged.seen, found.probability)
        pictures[f"restored_{number}"] = np.stack([part[:_SHOWN] for part in triple]).astype(np.float32)
    return entries, pictures
