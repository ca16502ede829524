"""Kernels: how near they come to the floor of the device, and how they compare with peers."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from ebmbench.report.cases import Kind
from ebmbench.report.section import Answer, Drawing, Section
from ebmbench.report.style import INK, MUTED, PAPER, Decades, Looks, panel
from ebmbench.report.tasks.cells import first, rate, records, text_of
from ebmbench.report.tasks.kernel_tables import sheets
from ebmbench.report.tasks.roofline import COLUMNS, numbered, rooflines
from ebmbench.report.text import count, duration, listing, significant, slug, tick

KIND = Kind(
    ("job",),
    "arithmetic",
    (
        "seconds", "seconds_low", "seconds_high",
        "against_seconds", "against_seconds_low", "against_seconds_high",
        "ratio", "ratio_low", "ratio_high", "floor_s", "fraction", "put_s", "get_s",
        "n_visible", "n_hidden", "turns", "images_per_s", "draws_per_ns", *COLUMNS,
    ),
    words={
        "peer": "beside", "model": "of", "dataset": "started from", "n_visible": "visible",
        "n_hidden": "hidden",
    },
    others=("bound", "peer_version", "peer_verdict", "peer_settings"),
)  # fmt: skip


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about kernels and peers."""
    of_model = (", " + cases["model"].astype(str)).where(cases["model"].notna(), "")
    cases = cases.assign(where=cases["where"] + of_model)
    found = Section("kernel", "Kernels and peers", cases)
    done = cases[(cases["status"] == "done") & cases["seconds"].notna()]
    if done.empty:
        found.answer = Answer("Kernels", "No kernel was timed", [])
        found.intro = ["There is no time of a kernel, as no case was finished."]
        return found
    found.answer = _answer(done)
    reached = _reached(done)
    if len(reached):
        numbers = numbered(done)
        found.drawings += [_floors(reached, numbers), *rooflines(done, numbers)]
    peers = Looks(tuple(dict.fromkeys(str(name) for name in done["peer"])), ())
    for place, (job, group) in enumerate(done[done["ratio"].notna()].groupby("where", sort=False), 1):
        found.drawings.append(_ratios(f"kernel-{place}-{slug(str(job))}", str(job), group, peers))
    found.sheets = sheets(done)
    found.method = [_METHOD, *_versions(done)]
    return found


_LETTERS = 40  # of a line of a kernel's name
_LINE = 0.13  # inches that it takes
_METHOD = (
    "A kernel's dense floor is the larger of its operations over the device's measured rate of matrix "
    "products in that precision and of its bytes over the measured rate of copies. Operations and bytes "
    "are those of the plain dense algorithm, each input read once: a kernel that adds only the rows of "
    "units that are on or have flipped, or whose bytes stay in a cache, may have more than 1× its rate. "
    "A peer's result, and ours, are checked before they take turns: states of up to 1,000 of the chains "
    "against the exact conditional law of their layer, values and gradients against the float64 "
    "reference. Log Z by AIS is held to that of another backend at few temperatures; an epoch of ours "
    "must be finite, as the gate holds training on small models to the reference. A peer's settings are "
    "tried before, and the fastest are kept."
)


def _versions(done: pd.DataFrame) -> list[str]:
    used = list(dict.fromkeys(str(name) for name in done["peer_version"].dropna()))
    if not used:
        return []
    told = (
        "A peer is verified on small models that can be enumerated: the law of one sweep, the law that "
        "must stay, updates, short batches and scores, as far as it has them."
    )
    return [f"Peers: {listing(used)}. {told}"]


def _answer(done: pd.DataFrame) -> Answer:
    compared = done[done["ratio"].notna()]
    sentences = []
    for job, group in done.groupby("where", sort=False):
        # Of what was timed beside several peers the median, as everywhere on the page.
        ways = group.groupby(["arithmetic", "backend"], sort=False)[["seconds", "fraction"]].median()
        best = ways.reset_index().sort_values("seconds").iloc[0]
        text = f"{job}: {duration(best['seconds'])} in {best['arithmetic']} on {best['backend']}"
        if np.isfinite(best["fraction"]):
            text += f", {rate(best['fraction'])} the dense floor's rate"
        rivals = group[group["ratio"].notna()]
        if len(rivals):
            near = rivals.sort_values("ratio").iloc[0]
            verdict = text_of(near["peer_verdict"]).partition(":")[0]
            doubt = "" if verdict in ("", "verified") else f" ({verdict})"
            text += (
                f"; nearest is {near['peer']}{doubt} beside {near['arithmetic']}, "
                f"{significant(near['ratio'])} times our time"
            )
        sentences.append(f"{text}.")
    if compared.empty:
        return Answer("Kernels", f"{count(len(done), 'kernel')} timed, beside no peer", first(sentences))
    ahead = int((compared["ratio_low"] > 1).sum())
    won = compared[compared["ratio_high"] < 1]
    lost = [f"{row.peer} is faster at {row.where}" for row in records(won)]
    sentences = [f"{text}." for text in lost] + sentences
    headline = f"Faster than the peer in {ahead} of {count(len(compared), 'comparison')}"
    even = int(((compared["ratio_low"] <= 1) & (compared["ratio_high"] >= 1)).sum())
    if even:
        headline += f", not told apart in {even}"
    unsure = int(compared["ratio_low"].isna().sum())
    if unsure:
        headline += f", {unsure} with too few turns for an interval"
    return Answer("Kernels", headline, first(sentences))


def _reached(done: pd.DataFrame) -> pd.DataFrame:
    """The fraction of the floor of each kernel: the median, where it was timed beside several peers."""
    known = done[done["fraction"] > 0]
    names = ["where", "arithmetic", "backend"]
    return known.groupby(names, sort=False).agg({"fraction": "median", "bound": "first"}).reset_index()


def _floors(reached: pd.DataFrame, numbers: dict[tuple[str, str], int]) -> Drawing:
    """Each kernel with its number in the rooflines, if it is there."""
    labels = [
        _shortened(numbers.get((row.where, row.arithmetic)), row.where, row.arithmetic, row.backend)
        for row in records(reached)
    ]
    lines = max(label.count("\n") + 1 for label in labels)
    height = 1.2 + (0.1 + _LINE * lines) * len(labels)
    figure, axes = panel("Rate of kernels beside the dense floor's", height)
    axes.set_xscale("log")
    for y, row in enumerate(records(reached)):
        axes.plot([row.fraction], [y], "o" if row.bound == "operations" else "s", color=INK, markersize=5)
        axes.annotate(
            rate(row.fraction), (row.fraction, y), (7, 0), textcoords="offset points", va="center",
            fontsize=8, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
    axes.axvline(1.0, color=MUTED, linewidth=1.0)
    axes.set_xlim(min(0.5 * reached["fraction"].min(), 0.5), max(4.0 * reached["fraction"].max(), 4.0))
    _rows(axes, labels)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{tick(value)}×"))
    axes.set_xlabel("of the dense floor's rate")
    told = [
        f"{label.replace(chr(10), ' ')} {rate(value)}"
        for label, value in zip(labels, reached["fraction"], strict=True)
    ]
    caption = (
        "The dense floor is the least time that the device needs for the plain dense algorithm; at the "
        "line a kernel takes just that. Circles: bound by operations; squares: by bytes. To the right of "
        "the line a kernel does fewer operations than the dense algorithm, does them in a matrix unit, "
        "or its bytes stay in a cache."
    )
    return Drawing("kernel-floors", figure, caption, f"Rate beside the dense floor: {listing(told)}.")


def _shortened(number: int | None, job: str, arithmetic: str, backend: str) -> str:
    before = "" if number is None else f"{number}: "
    return textwrap.fill(f"{before}{job}, {arithmetic}, {backend}", _LETTERS)


def _ratios(name: str, job: str, group: pd.DataFrame, peers: Looks) -> Drawing:
    figure = _draw_ratios(job, group, peers)
    told = [
        f"{row.arithmetic} on {row.backend} is {significant(row.ratio)} times as fast as {row.peer}"
        for row in records(group)
    ]
    caption = (
        f"{job}: how many times as fast as a peer, with the 95 % interval. To the right of the line we "
        "are faster."
    )
    return Drawing(name, figure, caption, f"{job}: {listing(told)}.")


def _draw_ratios(job: str, group: pd.DataFrame, peers: Looks) -> Figure:
    figure, axes = panel(job, 1.2 + 0.34 * len(group))
    axes.set_xscale("log")
    for y, row in enumerate(records(group)):
        colour = peers.colour(row.peer)
        if np.isfinite(row.ratio_low) and np.isfinite(row.ratio_high):
            axes.plot([row.ratio_low, row.ratio_high], [y, y], color=colour, linewidth=2.0)
        axes.plot([row.ratio], [y], peers.marker(row.peer), color=colour, markersize=6)
    axes.axvline(1.0, color=MUTED, linewidth=1.0)
    ends = group[["ratio", "ratio_low", "ratio_high"]].to_numpy(float)
    axes.set_xlim(min(0.7 * np.nanmin(ends), 0.7), max(1.4 * np.nanmax(ends), 1.5))
    _rows(axes, [f"{row.arithmetic}, {row.backend}\nagainst {row.peer}" for row in records(group)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_xlabel("times as fast as the peer")
    return figure


def _rows(axes: Axes, labels: list[str]) -> None:
    """A logarithmic axis with few ticks over rows with names."""
    axes.xaxis.set_major_locator(Decades(10))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(labels)), labels, fontsize=7.5)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
