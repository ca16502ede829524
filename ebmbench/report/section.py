"""What a part of the page is made of, whatever it tells of: words, figures and tables."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Left:
    """What cases left beside their rows: the points of all learning curves, and the results folder."""

    points: pd.DataFrame
    folder: Path


@dataclass(frozen=True)
class Answer:
    """What a data set's or a task's cases say: a headline and the sentences under it."""

    name: str
    headline: str
    sentences: list[str]


@dataclass(frozen=True)
class Drawing:
    """A figure, the name of its files, its caption and its description for those who cannot see it."""

    name: str
    figure: Figure
    caption: str
    alt: str


@dataclass(frozen=True)
class Cell:
    """A table's cell: its text, the number it is sorted by (NaN goes last), and what stands after it.

    `value` is None in a cell of words.
    """

    text: str
    value: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table: its name, its columns, and the cells of each row."""

    name: str
    columns: list[str]
    rows: list[list[Cell]]


@dataclass
class Section:
    """A part of the page; `cases` are the tidy rows that it is made from.

    id: what links and files are named after; intro: sentences before the figures; outro: after the
    tables; method: how it was measured; answer: None where there is nothing to say at the page's top;
    opens: whether the page begins with it.
    """

    id: str
    heading: str
    cases: pd.DataFrame
    intro: list[str] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    answer: Answer | None = None
    method: list[str] = field(default_factory=list)
    outro: list[str] = field(default_factory=list)
    opens: bool = False
