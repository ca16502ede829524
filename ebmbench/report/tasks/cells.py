"""Cells and panels that the tables and figures of several tasks share."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from ebmbench.report.section import Cell
from ebmbench.report.text import MISSING, duration, number, percent, significant, slug


def panels(task: str, cases: pd.DataFrame, drawable: "pd.Series[bool]") -> Iterator[tuple]:
    """The name of a figure, its title and its rows: a panel for each thing that was worked on."""
    for place, (where, group) in enumerate(cases[drawable].groupby("where", sort=False), 1):
        yield f"{task}-{place}-{slug(str(where))}", str(where), group


def spread(values: Iterable[float], places: int = 2) -> Cell:
    """A median over seeds, then the lowest and the highest; a dash where nothing is known."""
    known = np.asarray([value for value in values if np.isfinite(value)], dtype=float)
    if not len(known):
        return Cell(MISSING, np.nan)
    middle = float(np.median(known))
    ends = f"[{number(known.min(), places)}, {number(known.max(), places)}]" if len(known) > 1 else ""
    return Cell(number(middle, places), middle, ends)


def part(value: float, note: str = "") -> Cell:
    """A part of 1 in per cent."""
    return Cell(percent(value), value, note)


def seconds(value: float) -> Cell:
    """A duration in the unit that suits it."""
    return Cell(duration(value), value)


def rounded(value: float) -> Cell:
    """A number of three significant digits."""
    return Cell(significant(value), value)


def whole(value: float) -> Cell:
    """A count."""
    return Cell(number(value, 0), value)
