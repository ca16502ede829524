"""The roofline: what kernels do a second, by what the dense algorithm computes for each byte it moves.

Williams, Waterman & Patterson 2009. Operations and bytes are those of the plain dense algorithm, so a
kernel that leaves some of them out may stand above the roof.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ebmbench.report.points import beside
from ebmbench.report.section import Drawing
from ebmbench.report.style import INK, MUTED, PAPER, log_ticks, panel
from ebmbench.report.tasks.cells import records
from ebmbench.report.text import duration, listing, significant, tick

COLUMNS = ("operations", "bytes", "operations_per_s", "copy_per_s")  # of a row
_HEIGHT = 3.4  # inches
_INNER = np.array([3.7, 2.4])  # inches of the axes, about
_NEAR = 12.0  # 1/72 inch: a number further away from its point has a line to it
_LONG = 5  # digits behind the first one
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class _Roof(NamedTuple):
    """What a device does at most: operations a second in a precision, and bytes copied."""

    precision: str
    operations: float
    copy: float

    @property
    def bend(self) -> float:
        """Operations a byte from which on products bound, and no longer copies."""
        return self.operations / self.copy

    def at(self, intensity: float) -> float:
        """Operations a second with so many of them a byte."""
        return min(self.operations, self.copy * intensity)


def numbered(done: pd.DataFrame) -> dict[tuple[str, str], int]:
    """The number of each job in each arithmetic, the same on all backends."""
    pairs = _known(done)[["where", "arithmetic"]].itertuples(index=False, name=None)
    return {pair: n for n, pair in enumerate(dict.fromkeys(pairs), 1)}


def rooflines(done: pd.DataFrame, numbers: dict[tuple[str, str], int]) -> list[Drawing]:
    """One a backend: each kernel that was timed there, a point, by the medians of its rows."""
    return [
        _drawn(str(backend), group, numbers)
        for backend, group in _known(done).groupby("backend", sort=False)
    ]


def _known(done: pd.DataFrame) -> pd.DataFrame:
    return done[(done[list(COLUMNS)] > 0).all(axis=1)]


def _drawn(backend: str, rows: pd.DataFrame, numbers: dict[tuple[str, str], int]) -> Drawing:
    points = rows.groupby(["where", "arithmetic"], sort=False)[["seconds", *COLUMNS]].median()
    points = points.reset_index()
    points["intensity"] = points["operations"] / points["bytes"]
    points["rate"] = points["operations"] / points["seconds"]
    points["number"] = [numbers[row.where, row.arithmetic] for row in records(points)]
    figure, axes = panel(f"Roofline: {backend}", _HEIGHT)
    axes.set_xscale("log")
    axes.set_yscale("log")
    roofs = _roofs(points)
    shown = [*(roof.bend for roof in roofs), *points["intensity"]]
    low, high = 0.25 * min(shown), 4.0 * max(shown)
    _draw_roofs(axes, roofs, low, high)
    axes.plot(points["intensity"], points["rate"], "o", color=INK, markersize=4)
    axes.margins(y=0.1)
    axes.set_xlim(low, high)
    _number(axes, points)
    log_ticks(axes.xaxis, _tick)
    log_ticks(axes.yaxis, lambda value: _tick(value / 1e9))
    axes.set_xlabel("operations for each byte, dense algorithm")
    axes.set_ylabel("10⁹ operations a second, dense algorithm")
    caption = (
        "The roof is the most that the device was seen to do: copies on the left, products of matrices "
        "on the right. A kernel above it leaves out operations of the dense algorithm, does them in a "
        "matrix unit, or its bytes stay in a cache; the two products of bfloat16x2 count twice. "
        "Numbers are those of the figure of rates beside the dense floor's."
    )
    told = [
        f"{row.number}: {_name(row)} {significant(row.rate / 1e9)} billion a second, "
        f"{duration(row.seconds)}"
        for row in records(points)
    ]
    alt = f"Roofline of {backend}, operations a second: {listing(told)}."
    return Drawing(f"kernel-roofline-{backend}", figure, caption, alt)


def _roofs(points: pd.DataFrame) -> list[_Roof]:
    """One of each precision that kernels compute in, the lowest first."""
    coarse = points["arithmetic"].astype(str).str.startswith("bfloat16")
    names = np.where(coarse, "bfloat16", "float32")
    found = [
        _Roof(
            str(name), *(float(group[column].median()) for column in ("operations_per_s", "copy_per_s"))
        )
        for name, group in points.groupby(names)
    ]
    return sorted(found, key=lambda roof: roof.operations)


def _draw_roofs(axes: Axes, roofs: list[_Roof], low: float, high: float) -> None:
    """All of them, and above them what they stand for."""
    for roof in roofs:
        ends = [low, roof.bend, high]
        axes.plot(ends, [roof.at(x) for x in ends], color=MUTED, linewidth=1.2)
    told = [f"copies {significant(roofs[0].copy / 1e9)} GB/s"]
    told += [f"{roof.precision} {significant(roof.operations / 1e9)} GFLOP/s" for roof in roofs]
    axes.text(1.0, 1.02, ", ".join(told), transform=axes.transAxes, ha="right", color=MUTED, fontsize=7.5)


def _tick(value: float) -> str:
    """Powers of ten as such where their zeros would touch the next one's."""
    exponent = round(np.log10(value))
    if exponent >= _LONG and value == 10.0**exponent:
        return f"10{str(exponent).translate(_RAISED)}"
    return f"{value:,.0f}" if value >= 1 else tick(value)


def _name(row: Any) -> str:
    return f"{row.where}" + ("" if row.arithmetic == "float" else f", {row.arithmetic}")


def _number(axes: Axes, points: pd.DataFrame) -> None:
    """Write each point's number beside it, with a line where it had to step aside."""
    at = np.log10(points[["intensity", "rate"]].to_numpy(float))
    ends = np.log10([axes.get_xlim(), axes.get_ylim()])
    at = (at - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * _INNER * 72
    texts = [str(n) for n in points["number"]]
    for row, text, (right, up) in zip(records(points), texts, beside(at, texts), strict=True):
        aside = np.hypot(right, up) > _NEAR
        axes.annotate(
            text, (row.intensity, row.rate), (right, up), textcoords="offset points", fontsize=7.5,
            ha="center", va="center", bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.2},
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5} if aside else None,
        )  # fmt: skip
