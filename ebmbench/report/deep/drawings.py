"""Deep models: their quality against seconds."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ebmbench.harness.measures import BOUND, ERROR, PARZEN
from ebmbench.report.deep.entries import Entry, shown, yardstick
from ebmbench.report.deep.published import like
from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.section import Drawing
from ebmbench.report.style import MUTED, PAPER, Looks, log_time, panel
from ebmbench.report.text import UNRESOLVED, listing, tick
from ebmbench.report.training.traces import median_and_range

AXES = {
    BOUND: "bound, nats per test row",
    ERROR: "test rows told wrong",
    PARZEN: "Parzen window, nats per test row",
}
_MEASURED = {
    BOUND: "Bound on the mean log-likelihood of the test rows of {}",
    ERROR: "Share of the test rows of {} that are told wrong,",
    PARZEN: "Log density of the test rows of {} under Parzen windows about a generator's samples,",
}
_YARDSTICKS = {
    "baseline_independent": "independent pixels",
    "baseline_mixture": "mixture of 10",
    "parzen_train": "training rows themselves",
    "parzen_centres": "centres of k-means",
}
_OF = {BOUND: ("baseline_independent", "baseline_mixture"), PARZEN: ("parzen_train", "parzen_centres")}


_BELOW = 0.3  # of what the ends and yardsticks span: how much lower an axis may reach


def curves(name: str, where: str, measure: str, entries: list[Entry], points: pd.DataFrame) -> list:
    """The figure of quality against seconds of the entries with this measure on one data set."""
    looks = Looks(tuple(dict.fromkeys(entry.label for entry in entries)), ())
    traces = {n: trace for n, entry in enumerate(entries) if (trace := _trace(entry, points))}
    if not traces:
        return []
    lines = {_YARDSTICKS[one]: yardstick(entries[0], one) for one in _OF.get(measure, ())}
    published = {f"published {one.what}": one.value for entry in entries if (one := like(entry))}
    lines = {label: value for label, value in (lines | published).items() if np.isfinite(value)}
    ends = [End(entries[n].label, trace[1][-1], *_look(looks, entries[n])) for n, trace in traces.items()]
    ends += [End(label, value) for label, value in lines.items()]
    figure, axes = panel(f"{where}: {AXES[measure].split(',')[0]}", height_for([e.label for e in ends]))
    log_time(axes.xaxis, ticks=4)  # names of lines take a third of the width
    axes.set_xlabel("clocked training time, all phases")
    axes.set_ylabel(AXES[measure])
    for n, (seconds, median, low, high) in traces.items():
        colour, marker, filled = _look(looks, entries[n])
        if len(entries[n].keys) > 1:
            axes.fill_between(seconds, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(seconds, median, marker, linestyle="-", color=colour, markersize=2.5)
        face = colour if filled else PAPER
        axes.plot(seconds[-1:], median[-1:], marker, color=colour, markerfacecolor=face, markersize=4)
    for value in lines.values():
        axes.axhline(value, color=MUTED, linewidth=1.0, zorder=1)
    _limit(axes, measure, [trace[1] for trace in traces.values()], list(lines.values()))
    name_ends(axes, ends)
    told = [f"{entries[n].label} ends at {shown(measure, t[1][-1])}" for n, t in traces.items()]
    caption = f"{_MEASURED[measure].format(where)} against clocked training time."
    if measure == ERROR:
        caption += " What a DBN or DBM begins with stands where its fine-tuning begins."
    if any(entry.unresolved for entry in entries):
        caption += f" An open marker is an unresolved end: {UNRESOLVED}."
    alt = f"{AXES[measure]} on {where} against seconds: {listing(told)}."
    return [Drawing(f"{name}-{measure}", figure, caption, alt)]


def _trace(entry: Entry, points: pd.DataFrame) -> tuple | None:
    """Seconds, and over the seeds median, least and most, of the checkpoints with the entry's measure."""
    if entry.measure not in points:
        return None
    own = points[points["key"].isin(entry.keys)][["key", "seconds", entry.measure]]
    own = own.assign(
        seconds=pd.to_numeric(own["seconds"], errors="coerce"),
        value=pd.to_numeric(own[entry.measure], errors="coerce"),
    )
    own = own[own["seconds"] > 0].dropna(subset=["seconds", "value"]).sort_values("seconds")
    seeds = [one[["seconds", "value"]].to_numpy(float).T for _, one in own.groupby("key")]
    return median_and_range(seeds) if seeds else None


def _look(looks: Looks, entry: Entry) -> tuple[str, str, bool]:
    return looks.colour(entry.label), looks.marker(entry.label), not entry.unresolved


def _limit(axes: Axes, measure: str, medians: list[np.ndarray], lines: list[float]) -> None:
    """Limits and ticks of the axis of quality, which leave out what lies far below."""
    if measure == ERROR:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{tick(100 * value)} %"))
        return
    top = max([float(one.max()) for one in medians] + lines)
    low = min([float(one[-1]) for one in medians] + lines)
    low = max(min([float(one.min()) for one in medians] + [low]), low - _BELOW * (top - low))
    margin = 0.05 * (top - low) or 1.0
    axes.set_ylim(low - margin, top + margin)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
