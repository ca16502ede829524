"""How the cost of a sweep grows along one dial while all others stay: series, fitted powers, figures."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.section import Drawing
from ebmbench.report.style import Looks, log_ticks, panel
from ebmbench.report.tasks.fits import Power, power
from ebmbench.report.text import count, duration, listing, number, plain, tick

_LEAST = 3  # points of a line


class Dial(NamedTuple):
    """What is turned: the column of what was asked for, that of what was measured, and words.

    dense: the exponent of the plain dense algorithm; within: the columns that stay as they are, beside
    backend, threads and arithmetic.
    """

    name: str
    asked: str
    measured: str
    title: str
    label: str
    dense: float
    within: tuple[str, ...]


DIALS = (
    Dial(
        "size", "units", "units", "Time of a sweep by size", "units a layer",
        2.0, ("chains", "on_rate", "persistence"),
    ),
    Dial("chains", "chains", "chains", "Time of a sweep by chains", "chains", 1.0, ("where",)),
    Dial(
        "on-rate", "on_rate", "on", "Time of a sweep by units that are on", "share of units on",
        0.0, ("n_visible", "n_hidden", "chains", "persistence"),
    ),
    Dial(
        "flip-rate", "persistence", "flips", "Time of a sweep by units that flip",
        "share of units that flip in a sweep",
        0.0, ("n_visible", "n_hidden", "chains", "on_rate"),
    ),
)  # fmt: skip
_SOFTWARE = ("backend", "threads", "arithmetic")  # what a series is of, beside what it lies within
_NAMED = ("grid", "bfloat16", "bfloat16x2")  # arithmetics; the other one goes without saying
_WORDS = {"chains": "chains", "on_rate": "on-rate", "persistence": "persistence", "where": "on"}


class Series(NamedTuple):
    """The points of one line in ascending order, medians over seeds, and the power fitted to them.

    points: with the columns x, sweep_s, sweep_s_low, sweep_s_high and floor_s.
    """

    dial: Dial
    label: str
    points: pd.DataFrame
    fit: Power


def with_dials(done: pd.DataFrame) -> pd.DataFrame:
    """The rows with the columns units, on and flips: of both layers together."""
    units = done["n_visible"] + done["n_hidden"]
    both = {
        name: (done[f"visible_{rate}"] * done["n_visible"] + done[f"hidden_{rate}"] * done["n_hidden"])
        / units
        for name, rate in (("on", "on_rate"), ("flips", "flip_rate"))
    }
    return done.assign(units=np.sqrt(done["n_visible"] * done["n_hidden"]), **both)


def series(done: pd.DataFrame, dial: Dial) -> list[Series]:
    """Each line of enough points that differ in nothing but the dial."""
    usable = done[(done[dial.measured] > 0) & done[dial.asked].notna() & (done["sweep_s"] > 0)]
    found = [(own, points) for own, points in _groups(usable, dial) if len(points) >= _LEAST]
    several = [name for name in dial.within if len({plain(own[name]) for own, _ in found}) > 1]
    return [Series(dial, _label(own, several), points, _fit(points)) for own, points in found]


def _groups(usable: pd.DataFrame, dial: Dial) -> Iterator[tuple["pd.Series", pd.DataFrame]]:
    for _, group in usable.groupby([*_SOFTWARE, *dial.within], sort=False, dropna=False):
        columns = [dial.measured, "sweep_s", "sweep_s_low", "sweep_s_high", "floor_s"]
        points = group[columns].groupby(group[dial.asked].to_numpy()).median()
        points = points.set_axis(["x", *columns[1:]], axis=1).sort_values("x")
        yield group.iloc[0], points


def _fit(points: pd.DataFrame) -> Power:
    return power(points["x"].to_numpy(), points["sweep_s"].to_numpy())


def software(row: "pd.Series") -> str:
    """`cpu, 2 threads`; an arithmetic other than float is named."""
    words = [str(row["backend"]) if isinstance(row["backend"], str) else "an unnamed backend"]
    words += [count(int(row["threads"]), "thread")] if row["threads"] > 0 else []
    words += [str(row["arithmetic"])] if row["arithmetic"] in _NAMED else []
    return ", ".join(words)


def _label(row: "pd.Series", several: list[str]) -> str:
    words = [f"{_WORDS.get(name, name)} {plain(row[name])}" for name in several]
    return ", ".join([software(row), *words])


def drawing(lines: list[Series]) -> Drawing:
    """The lines of one dial: points with their quartiles, the fitted powers, the dense floors."""
    dial = lines[0].dial
    looks = Looks(tuple(line.label for line in lines), ())
    names = [f"{line.label} ∝ x^{number(line.fit.exponent)}" for line in lines]
    figure, axes = panel(dial.title, height_for(names))
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = []
    for line, name in zip(lines, names, strict=True):
        x, y = (line.points[column].to_numpy() for column in ("x", "sweep_s"))
        colour, marker = looks.colour(line.label), looks.marker(line.label)
        around = np.abs(line.points[["sweep_s_low", "sweep_s_high"]].to_numpy().T - y)
        axes.errorbar(x, y, np.nan_to_num(around), fmt=marker, color=colour, markersize=5, linewidth=1.0)
        axes.plot(x, line.fit.at(x), color=colour, linewidth=1.2)
        axes.plot(x, line.points["floor_s"], color=colour, linewidth=1.0, linestyle="--", zorder=1)
        ends.append(End(name, float(line.fit.at(x)[-1]), colour, marker))
    axes.margins(x=0.05, y=0.08)
    log_ticks(axes.xaxis, tick)
    log_ticks(axes.yaxis, duration)
    axes.set_xlabel(dial.label)
    axes.set_ylabel("time of a sweep of all chains")
    name_ends(axes, ends)
    told = "; ".join(f"{line.label} {line.fit.text}" for line in lines)
    caption = (
        f"Time of a sweep by {dial.label}: medians and quartiles, and the fitted power. Exponents with "
        f"95 % intervals, where the dense algorithm's is {tick(dial.dense)}: {told}. Dashed, in the "
        "same colour: the least time of the dense algorithm by what the device was measured to do."
    )
    reach = [
        f"{line.label} from {duration(line.points['sweep_s'].iloc[0])} to "
        f"{duration(line.points['sweep_s'].iloc[-1])}"
        for line in lines
    ]
    return Drawing(f"gibbs-{dial.name}", figure, caption, f"{dial.title}, logarithmic: {listing(reach)}.")
