"""Deep models in figures: quality against seconds, what the players of a GAN say, what models make."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ebmbench.report.deep.entries import BOUND, ERROR, PARZEN, Entry, shown, yardstick
from ebmbench.report.deep.published import like
from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.section import Drawing
from ebmbench.report.style import GRID, MUTED, PAPER, WIDTH, Looks, log_time, panel
from ebmbench.report.text import listing, number, tick
from ebmbench.report.training.pictures import images_of, mosaic
from ebmbench.report.training.traces import median_and_range

AXES = {
    BOUND: "bound, nats per test row",
    ERROR: "test rows told wrong",
    PARZEN: "Parzen window, nats per test row",
}
_YARDSTICKS = {
    "baseline_independent": "independent pixels",
    "baseline_mixture": "mixture of 10",
    "parzen_train": "training rows themselves",
    "parzen_centres": "centres of k-means",
}
_OF = {BOUND: ("baseline_independent", "baseline_mixture"), PARZEN: ("parzen_train", "parzen_centres")}
_SAID = {  # what a trace is called, and where it comes from
    "generator's loss": "said_generator_loss",
    "discriminator's loss": "said_discriminator_loss",
    "payoff": "said_payoff",
}
_EQUAL = -2.0 * np.log(2.0)  # the payoff where nobody can tell fakes from data
_DEEP = 0.3  # of an axis of bounds: how far below independent pixels it reaches at most


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
    log_time(axes.xaxis)
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
    caption = f"{AXES[measure][0].upper()}{AXES[measure][1:]} of {where} against clocked seconds."
    if measure == ERROR:
        caption += " What a DBN or DBM begins with stands where its fine-tuning begins."
    if any(entry.unresolved for entry in entries):
        caption += " An open marker is an unresolved end: annealing forwards and backwards disagree."
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
    ends = [float(one[-1]) for one in medians]
    top = max([*ends, *(float(one.max()) for one in medians), *lines])
    low = min([*lines, *ends])
    low = max(low, min(lines) - _DEEP * (top - min(lines))) if lines else low
    margin = 0.05 * (top - low) or 1.0
    axes.set_ylim(low - margin, top + margin)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def players(name: str, entry: Entry, arrays: dict[str, np.ndarray]) -> list[Drawing]:
    """What the two players of a GAN said as they went."""
    updates = arrays.get("said_update")
    if updates is None or not all(key in arrays for key in _SAID.values()):
        return []
    looks = Looks(tuple(_SAID), ())
    ends = [
        End(label, float(np.median(arrays[key][-10:])), looks.colour(label), looks.marker(label))
        for label, key in _SAID.items()
    ]
    ends.append(End("payoff of a draw", _EQUAL))
    figure, axes = panel(f"{entry.where}: {entry.label}", height_for([end.label for end in ends]))
    for label, key in _SAID.items():
        axes.plot(updates, arrays[key], color=looks.colour(label), linewidth=1.0)
    axes.axhline(_EQUAL, color=MUTED, linewidth=1.0, zorder=1)
    axes.set_xlabel("updates")
    axes.set_ylabel("nats per row, of a batch")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    name_ends(axes, ends)
    caption = (
        "What the players of the GAN said of single batches: the payoff V, which the discriminator "
        "climbs, so that its loss is −V; and what the generator descends. At the line, −2 log 2, nobody "
        "tells fakes from data."
    )
    last = [f"{label} {number(end.value)}" for label, end in zip(_SAID, ends, strict=False)]
    over = f"Payoff and losses of {entry.label} over {int(updates[-1]):,} updates"
    alt = f"{over}; at the end {listing(last)}."
    return [Drawing(f"{name}-players", figure, caption, alt)]


def pictures(name: str, entry: Entry, arrays: dict[str, np.ndarray]) -> list[Drawing]:
    """What the model makes: at the first, a middle and the last look, or at the end."""
    samples, updates = arrays.get("samples"), arrays.get("samples_update")
    shape = tuple(int(side) for side in np.ravel(arrays.get("image_shape", ())))
    fits = samples is not None and samples.ndim == 3 and len(shape) == 2 and min(shape) > 1
    if samples is None or updates is None or not fits or samples.shape[2] != shape[0] * shape[1]:
        return []
    looks = sorted({0, len(samples) // 2, len(samples) - 1})
    order = str(arrays.get("image_order", "C"))
    grids = [mosaic(images_of(samples[n], shape, order)) for n in looks]
    figure = _grids(f"{entry.where}: {entry.label}", grids, [int(updates[n]) for n in looks])
    when = listing([f"{int(updates[n]):,}" for n in looks])
    count = samples.shape[1]
    same = " of the same noise" if entry.measure == PARZEN else ""
    caption = f"{count} samples of {entry.label}{same} after {when} updates."
    alt = f"{count} samples of {entry.label} on {entry.where} as images, after {when} updates."
    return [Drawing(f"{name}-samples", figure, caption, alt)]


def _grids(title: str, grids: list[np.ndarray], updates: list[int]) -> Figure:
    height, width = grids[0].shape
    across = WIDTH / len(grids)
    figure, first = panel(title, 0.65 + across * height / width)
    first.remove()
    for axes, grid, update in zip(
        figure.subplots(1, len(grids), squeeze=False)[0], grids, updates, strict=True
    ):
        axes.set(facecolor=GRID, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.imshow(grid, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(f"{update:,} updates", fontsize=8)
    return figure
