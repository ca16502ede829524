"""What settings do: where training ends over the values tried of each, a panel each data set."""

from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ebmbench.harness.measures import LEAST_GAIN
from ebmbench.report.section import Cell, Drawing, Section, Sheet
from ebmbench.report.style import INK, PAPER, Looks, log_ticks, panel
from ebmbench.report.text import MISSING, UNRESOLVED, listing, number, on, slug, tick
from ebmbench.report.training.summary import yardsticks
from ebmbench.report.training.sweeps import SWEPT, Sweep

_LOG = 5.0  # largest over smallest value from which on their axis is logarithmic


def sections(cases: pd.DataFrame, sweeps: list[Sweep], looks: Looks) -> list[Section]:
    """The part of the page about sweeps of tidy cases, if there are any."""
    if not sweeps:
        return []
    made = Section("settings", "What settings do", cases)
    made.intro.append(
        "Nats per test row at the end of training over the values that were tried of a setting: the "
        "median over the seeds, with the best of the other settings tried beside it. Values are compared "
        "by the test rows, so the best of many flatters a little. Learning curves, times per update and "
        "pictures are of the best rate, momentum, decay, schedule and centring alone."
    )
    places = list(dict.fromkeys(cases["dataset"]))
    for (dataset, setting), group in groupby(sweeps, key=lambda sweep: (sweep.dataset, sweep.setting)):
        own = list(group)
        name = f"settings-{places.index(dataset) + 1}-{slug(dataset)}-{slug(setting)}"
        made.drawings.append(_drawing(name, own, cases[cases["dataset"] == dataset], looks))
        made.sheets.append(_sheet(dataset, setting, own))
        made.outro.extend(_edges(dataset, setting, own))
    return [made]


def _drawing(name: str, sweeps: list[Sweep], cases: pd.DataFrame, looks: Looks) -> Drawing:
    dataset, word = sweeps[0].dataset, SWEPT[sweeps[0].setting]
    names = list(dict.fromkeys(sweep.estimator for sweep in sweeps))
    backends = list(dict.fromkeys(sweep.backend for sweep in sweeps))
    figure, axes = panel(f"{dataset}: {word}", 3.2 + 0.17 * -(-len(names) // 2))
    tried = [one for sweep in sweeps for one in sweep.tried]
    ended = [one for one in tried if np.isfinite(one.end)]
    ends = [one.end for one in ended if one.sure] or [one.end for one in ended]
    if ends:
        axes.set_ylim(_limits(ends, yardsticks(cases).baseline_independent))
    for sweep in sweeps:
        _draw(axes, sweep, looks)
    values = [one.value for one in tried]
    if min(values) > 0 and max(values) >= _LOG * min(values):
        axes.set_xscale("log")
        log_ticks(axes.xaxis, tick)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_xlabel(word)
    axes.set_ylabel("nats per test row")
    handles = [
        Line2D([], [], color=looks.colour(name), marker=looks.marker(name), markersize=4, label=name)
        for name in names
    ]
    if len(backends) > 1:
        handles += [Line2D([], [], color=INK, label=name, **looks.line(name)) for name in backends]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
    caption = (
        f"Where training on {dataset} ends, over the {word}; the best value of each has the large marker."
    )
    if any(one.result.diverged for one in tried):
        caption += " A cross at the bottom stands where training diverged, if with one seed only."
    if any(one.unresolved for one in tried):
        caption += f" An open marker, at the edge if need be, is an unresolved end: {UNRESOLVED}."
    if ends and min(ends) < axes.get_ylim()[0]:
        caption += " What lies below base rates is left out."
    alt = f"Nats per test row on {dataset} over the {word}: {listing([_told(s) for s in sweeps])}."
    return Drawing(name, figure, caption, alt)


def _limits(ends: list[float], base: float) -> tuple[float, float]:
    """Limits of the axis: all ends are inside but those below base rates, unless all are below."""
    high, low = max(ends), min(ends)
    low = max(low, base) if base < high else low
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _draw(axes: Axes, sweep: Sweep, looks: Looks) -> None:
    colour, marker = looks.colour(sweep.estimator), looks.marker(sweep.estimator)
    values = np.array([one.value for one in sweep.tried])
    ends = np.array([one.end for one in sweep.tried])
    sure = np.where([one.sure for one in sweep.tried], ends, np.nan)
    line = looks.line(sweep.backend)
    axes.plot(values, sure, color=colour, linewidth=1.3, marker=marker, markersize=3, **line)
    if sweep.best:
        axes.plot(sweep.best.value, sweep.best.end, marker, color=colour, markersize=7)
    unresolved = np.where([one.unresolved for one in sweep.tried], ends, np.nan)
    inside = np.clip(unresolved, *axes.get_ylim())
    axes.plot(values, inside, marker, color=colour, markerfacecolor=PAPER, markersize=4, clip_on=False)
    lost = values[[bool(one.result.diverged) for one in sweep.tried]]
    bottom = axes.get_xaxis_transform()  # values along the axis, parts of its height
    axes.plot(lost, np.full(len(lost), 0.02), "x", color=colour, markersize=5, transform=bottom)


def _sheet(dataset: str, setting: str, sweeps: list[Sweep]) -> Sheet:
    """The best value of each estimator, the best estimator on top; no column without an entry."""
    word = SWEPT[setting]
    ranked = sorted(sweeps, key=lambda sweep: -sweep.best.end if sweep.best else np.inf)
    lost = [[one.value for one in sweep.tried if one.result.diverged] for sweep in ranked]
    doubtful = [[one.value for one in sweep.tried if one.unresolved] for sweep in ranked]
    columns = {
        "Estimator": [Cell(sweep.estimator) for sweep in ranked],
        "Backend": [Cell(sweep.backend) for sweep in ranked],
        f"Best {word}": [Cell(_value(s), s.best.value if s.best else np.nan) for s in ranked],
        "Nats per test row": [Cell(number(end), end) for end in map(_end, ranked)],
        f"Within {number(LEAST_GAIN, 0)} nat of it": [Cell(_range(s.near(LEAST_GAIN))) for s in ranked],
        "Tried": [_values([one.value for one in sweep.tried]) for sweep in ranked],
        "Diverged": [_values(values) for values in lost],
        "Unresolved": [_values(values) for values in doubtful],
    }
    if len({sweep.backend for sweep in sweeps}) == 1:
        del columns["Backend"]
    told = {name: cells for name, cells in columns.items() if any(cell.text for cell in cells)}
    rows = [list(row) for row in zip(*told.values(), strict=True)]
    return Sheet(f"{dataset}: {word}", list(told), rows)


def _edges(dataset: str, setting: str, sweeps: list[Sweep]) -> list[str]:
    """Those whose best value might not be the best there is, in a sentence."""
    several = len({sweep.backend for sweep in sweeps}) > 1
    names = [
        f"{on(sweep.estimator, sweep.backend) if several else sweep.estimator} ({_value(sweep)})"
        for sweep in sweeps
        if sweep.at_edge
    ]
    if not names:
        return []
    return [
        f"The best {SWEPT[setting]} on {dataset} is the least or the greatest that was tried, so that "
        f"another may be better, for {listing(names)}."
    ]


def _end(sweep: Sweep) -> float:
    return sweep.best.end if sweep.best else np.nan


def _values(values: list[float]) -> Cell:
    return Cell(", ".join(map(tick, values)))


def _told(sweep: Sweep) -> str:
    if sweep.best is None:
        return f"{sweep.estimator} on {sweep.backend} has no known end"
    return f"{sweep.estimator} on {sweep.backend} is best at {_value(sweep)}, {number(sweep.best.end)}"


def _value(sweep: Sweep) -> str:
    return tick(sweep.best.value) if sweep.best else MISSING


def _range(values: list[float]) -> str:
    if not values:
        return MISSING
    return tick(values[0]) if len(values) == 1 else f"{tick(values[0])} to {tick(values[-1])}"
