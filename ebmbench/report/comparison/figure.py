"""A dot and an interval for each ratio of speeds, task by task."""

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from ebmbench.report.comparison.tables import backends, heading
from ebmbench.report.style import GRID, INK, MUTED, PAPER, WIDTH
from ebmbench.report.text import count, tick

WIDE = 7.4  # inches of a figure that stands alone
_LEFT = 0.45  # part of the width that names take
_LETTER = 0.062  # inches of a letter
_LINE = 0.16  # inches a line of text takes
_GAP = 0.07  # inches between two rows
_BELOW, _ABOVE = 0.62, 0.36  # inches: what the axis says, and the legend
_FURTHEST = np.log(64.0)  # of an axis; what lies beyond stands at its edge
_LEAST = np.log(1.3)
_MOST = 300  # ratios of a figure
_BLUE, _VERMILION = "#0072b2", "#d55e00"
# Told apart by shape as well as by colour: it points to where a case moved.
_MARKS = {
    "worse": ("<", _VERMILION, True),
    "maybe worse": ("<", _VERMILION, False),
    "same": ("o", MUTED, True),
    "maybe better": (">", _BLUE, False),
    "better": (">", _BLUE, True),
}
_BAD = ("worse", "maybe worse")
_TICKS = {  # by how far an axis reaches
    2.2: (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0),
    6.0: (0.2, 0.25, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0),
    np.inf: (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0),
}


class _Row(NamedTuple):
    """A line of the figure: a task's name, a thing worked on, or a ratio."""

    text: str
    finding: pd.Series | None = None
    colour: str = INK
    weight: str = "normal"


def drawable(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that hold a ratio of speeds."""
    return frame[(frame["kind"] == "speed") & frame["change"].notna()]


def draw(frame: pd.DataFrame, threshold: float, width: float = WIDTH) -> Figure:
    """Ratios of speeds with their intervals, at most `_MOST`; there must be one.

    threshold: as in `harness.comparison.compare`; a band shows it. width: in inches.
    """
    found = drawable(frame)
    shown = found.head(_MOST)
    letters = int(width * _LEFT / _LETTER) - 3
    rows = list(_rows(shown, letters, frame["task"].nunique() > 1))
    heights = [_LINE * (row.text.count("\n") + 1) + _GAP for row in rows]
    top = np.cumsum([0.0, *heights])
    total = float(top[-1])
    height = total + _BELOW + _ABOVE
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((_LEFT, _BELOW / height, 1 - _LEFT - 0.15 / width, total / height))
    reach = _limits(axes, shown, width)
    axes.set_ylim(total, 0.0)
    axes.axvspan(-np.log1p(threshold), np.log1p(threshold), color=GRID, alpha=0.5, linewidth=0)
    axes.axvline(0.0, color=MUTED, linewidth=0.8)
    for row, start, height in zip(rows, top, heights, strict=False):
        _place(axes, row, start + height / 2, reach, width)
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("← slower   B, times as fast as A   faster →")
    _legend(figure, set(shown["verdict"]))
    more = len(found) - len(shown)
    if more:
        axes.set_title(f"the first {_MOST:,} of {len(found):,} ratios", loc="right", fontsize=8)
    return figure


def _rows(shown: pd.DataFrame, letters: int, named: bool) -> Iterator[_Row]:
    """The lines of the figure; named: whether each task's name stands above its own."""
    shown = shown.assign(
        pair=shown["backends"].map(backends),
        several=shown.groupby("number")["measure"].transform("count") > 1,
    )
    for task, group in shown.groupby("task", sort=False):
        if named:
            yield _Row(heading(str(task)), weight="bold")
        mixed = group["pair"].nunique() > 1
        for where, part in group.groupby("where", sort=False):
            if where:
                yield _Row(textwrap.fill(str(where), int(letters / _LEFT)), colour=MUTED)
            for _, case in part.groupby("number", sort=False):
                blamed = _quality(case)
                for place in range(len(case)):
                    finding = case.iloc[place]
                    name = str(finding["name"])
                    name += f", {finding['called']}" if finding["several"] else ""
                    name += f", {finding['pair']}" if mixed else ""
                    name += f": quality {blamed}" if blamed else ""
                    yield _Row(textwrap.fill(name, letters), finding, _VERMILION if blamed else INK)


def _quality(case: pd.DataFrame) -> str:
    """A case's verdict where it is bad and none of its speeds is to blame; case: its speeds."""
    verdict = str(case["case_verdict"].iloc[0])
    if verdict not in _BAD:
        return ""
    return "" if case["verdict"].isin(_BAD[: _BAD.index(verdict) + 1]).any() else verdict


def _limits(axes: Axes, shown: pd.DataFrame, width: float) -> float:
    """Set the horizontal axis and its ticks; returns how far it reaches, as a logarithm."""
    ends = shown[["change", "low", "high"]].abs().to_numpy(dtype=float)
    reach = float(np.clip(1.06 * np.nanmax(ends), _LEAST, _FURTHEST))
    axes.set_xlim(-reach, reach)
    room = axes.get_position().width * width
    wanted = next(ticks for end, ticks in _TICKS.items() if reach < np.log(end))
    ticks = [one for one in wanted if abs(np.log(one)) <= reach]
    while len(ticks) * 0.36 > room and len(ticks) > 3:  # every second one, 1 among them
        middle = ticks.index(1.0)
        ticks = [one for place, one in enumerate(ticks) if (place - middle) % 2 == 0]
    axes.xaxis.set_major_locator(FixedLocator(list(np.log(ticks))))
    axes.xaxis.set_major_formatter(FixedFormatter([tick(one) for one in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    return reach


def _place(axes: Axes, row: _Row, middle: float, reach: float, width: float) -> None:
    """Write a line's text on the left, and draw what it tells."""
    at = (0.08 if row.finding is None else 0.2) / width
    axes.annotate(
        row.text, (at, middle), xycoords=("figure fraction", "data"), fontsize=8, va="center",
        fontweight=row.weight, color=row.colour, annotation_clip=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},  # where it reaches into the axes
    )  # fmt: skip
    if row.finding is None:
        return
    marker, colour, filled = _MARKS[row.finding["verdict"]]
    value, low, high = (
        float(np.clip(row.finding[name], -reach, reach)) for name in ("change", "low", "high")
    )
    if np.isfinite(low):
        axes.plot([low, high], [middle, middle], color=colour, linewidth=1.4, solid_capstyle="butt")
    axes.plot(
        [value], [middle], marker=marker, color=colour, markersize=5.5, clip_on=False, zorder=3,
        markerfacecolor=colour if filled else PAPER,
    )  # fmt: skip


def _legend(figure: Figure, present: set[str]) -> None:
    marks = [
        Line2D([], [], linestyle="", marker=marker, color=colour, label=verdict,
               markerfacecolor=colour if filled else PAPER)
        for verdict, (marker, colour, filled) in _MARKS.items() if verdict in present
    ]  # fmt: skip
    figure.legend(
        handles=marks, loc="upper center", ncols=len(marks), fontsize=8, handletextpad=0.1,
        columnspacing=1.2,
    )  # fmt: skip


def alt(frame: pd.DataFrame) -> str:
    """What a figure of these rows shows, for those who cannot see it."""
    shown = drawable(frame)
    ends = shown.loc[[shown["change"].idxmin(), shown["change"].idxmax()]]
    told = [f"{row['name']} {np.exp(row['change']):.3g} times as fast" for _, row in ends.iterrows()]
    return (
        f"Dots and intervals of {count(len(shown), 'ratio')} of speeds, from {told[0]} to {told[1]}; "
        f"of {count(shown['number'].nunique(), 'case')}."
    )
