"""Cells and panels that the tables and figures of several tasks share."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ebmbench.report.section import Cell
from ebmbench.report.text import (
    MISSING,
    duration,
    durations,
    listing,
    number,
    percent,
    significant,
    slug,
)

_MOST = 12  # panels of a task
_MOST_TOLD = 8  # models that a task's answer speaks of


def panels(task: str, cases: pd.DataFrame, drawable: "pd.Series[bool]") -> Iterator[tuple]:
    """The name of a figure, its title and its rows: a panel for each thing that was worked on."""
    groups = cases[drawable].groupby("where", sort=False)
    for place, (where, group) in enumerate(itertools.islice(groups, _MOST), 1):
        yield f"{task}-{place}-{slug(str(where))}", str(where), group


def not_drawn(cases: pd.DataFrame, drawable: "pd.Series[bool]") -> list[str]:
    """A sentence that says how many panels there are not, if there would be too many."""
    panels_ = cases.loc[drawable, "where"].nunique()
    if panels_ <= _MOST:
        return []
    return [f"The first {_MOST} of {panels_} models are drawn; the table has them all."]


def first(sentences: list[str]) -> list[str]:
    """As many as a reader takes in, and how many others there are."""
    more = len(sentences) - _MOST_TOLD
    if more <= 1:
        return sentences
    return [*sentences[:_MOST_TOLD], f"{more} more in the table below."]


def ranked_by(winners: list[str]) -> str:
    """Each winner, and how often it won if there are several; most frequent first."""
    names = sorted(dict.fromkeys(winners), key=lambda name: -winners.count(name))
    if len(names) == 1:
        return names[0]
    return listing([f"{name} ({winners.count(name)} of {len(winners)})" for name in names])


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


def records(rows: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame, with a field each column."""
    yield from rows.itertuples(index=False)


def times_as_fast(value: float, low: float, high: float) -> Cell:
    """A ratio and its interval, a dash where there is none."""
    known = np.isfinite(low) and np.isfinite(high)
    ends = f"[{significant(low)}, {significant(high)}]" if known else f"[{MISSING}]"
    return Cell(significant(value), value, ends if np.isfinite(value) else "")


def ranged(value: float, low: float, high: float) -> Cell:
    """A duration and its quartiles."""
    known = np.isfinite(low) and np.isfinite(high)
    return Cell(duration(value), value, f"[{durations(low, high)}]" if known else "")


def text_of(value: object) -> str:
    """A text, or nothing where the table has none."""
    return value if isinstance(value, str) else ""


def rate(fraction: float) -> str:
    """How many times the rate of the dense floor."""
    return MISSING if np.isnan(fraction) else f"{significant(fraction, 2)}×"


def of_floor(fraction: float, floor: float, bound: object) -> Cell:
    """How many times the rate of the dense floor, that floor in seconds, and what it comes from."""
    if np.isnan(fraction):
        return Cell(MISSING, np.nan)
    by = f" by {bound}" if text_of(bound) else ""
    return Cell(rate(fraction), fraction, f"of {duration(floor)}{by}")
