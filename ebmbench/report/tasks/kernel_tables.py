"""The tables of kernels: one of all that were timed alone, and one a job of those beside peers."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from ebmbench.report.section import Cell, Sheet
from ebmbench.report.tasks.cells import (
    of_floor,
    ranged,
    records,
    rounded,
    seconds,
    text_of,
    times_as_fast,
)
from ebmbench.report.text import MISSING

Column = tuple[str, Callable[[Any], Cell]]


def sheets(done: pd.DataFrame) -> list[Sheet]:
    """The tables of kernels that were timed."""
    beside = done.groupby("where", sort=False)["ratio"].transform(lambda ratios: ratios.notna().any())
    alone, compared = done[~beside], done[beside]
    job: Column = ("Job", lambda row: Cell(str(row.where)))
    found = [
        Sheet(str(name), *_table(group, [*_OWN, *_PEER, *_MOVES]))
        for name, group in compared.groupby("where", sort=False)
    ]
    if len(alone):
        found.append(Sheet("Beside no peer", *_table(alone, [job, *_OWN, *_MOVES])))
    return found


def _table(rows: pd.DataFrame, columns: list[Column]) -> tuple[list[str], list[list[Cell]]]:
    """The columns that have something to say of these rows, and their cells."""
    cells = [[cell(row) for row in records(rows)] for _, cell in columns]
    told = [n for n, column in enumerate(cells) if any(cell.text != MISSING for cell in column)]
    return [columns[n][0] for n in told], [
        list(line) for line in zip(*(cells[n] for n in told), strict=True)
    ]


_OWN: list[Column] = [
    ("Arithmetic", lambda row: Cell(f"{row.arithmetic} on {row.backend}")),
    ("Time", lambda row: ranged(row.seconds, row.seconds_low, row.seconds_high)),
    ("Images a second", lambda row: rounded(row.images_per_s)),
    ("Units drawn a ns", lambda row: rounded(row.draws_per_ns)),
    ("Dense floor's rate", lambda row: of_floor(row.fraction, row.floor_s, row.bound)),
]
_PEER: list[Column] = [
    ("Peer", lambda row: Cell(text_of(row.peer) or MISSING, note=text_of(row.peer_settings))),
    (
        "Peer's time",
        lambda row: ranged(row.against_seconds, row.against_seconds_low, row.against_seconds_high),
    ),
    ("Times as fast", lambda row: times_as_fast(row.ratio, row.ratio_low, row.ratio_high)),
    ("Peer's verdict", lambda row: Cell(text_of(row.peer_verdict) or MISSING)),
]
_MOVES: list[Column] = [("Put", lambda row: seconds(row.put_s)), ("Get", lambda row: seconds(row.get_s))]
