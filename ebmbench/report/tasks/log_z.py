"""Estimates of log Z: their error against the seconds that they take."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, SymmetricalLogLocator

from ebmbench.report.cases import Kind
from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.section import Answer, Cell, Drawing, Section, Sheet
from ebmbench.report.style import GRID, MUTED, Looks, log_time, panel
from ebmbench.report.tasks.cells import (
    first,
    not_drawn,
    panels,
    ranked_by,
    rounded,
    seconds,
    spread,
    whole,
)
from ebmbench.report.tasks.steps import Step, collect, temperatures
from ebmbench.report.text import MISSING, duration, listing, number, tick

_NAMES = {"ais": "AIS", "reverse_ais": "reverse AIS"}
KIND = Kind(
    ("model", "temperature"),
    "method",
    ("temperature", "log_z", "std_error", "truth", "error", "ess", "seconds"),
    varied=("setting.betas",),
    words={"dataset": "base"},
    others=("log_z_schedule", "log_z_start", "truth_source"),
    names=_NAMES,
)
_RESOLVED = 1.0  # nats, as `evaluation.sandwich.RESOLVED`, which no report may import
_EXACT = ("enumeration", "elimination")  # the sources of a truth that is exact
_SIDES = {"ais": -1.0, "reverse_ais": 1.0}  # on which side of the truth a method stands on average


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about log Z."""
    told = zip(cases["setting.betas"], cases["log_z_schedule"], strict=True)
    cases = cases.assign(temperatures=[temperatures(str(b), str(s)) for b, s in told])
    adaptive = cases["setting.betas"] == "adaptive"
    cases["label"] = cases["label"].where(~adaptive, cases["label"] + ", adaptive")
    done = cases[cases["status"] == "done"]
    found = Section("log-z", "Partition functions", cases)
    found.answer = _answer(cases)
    if done.empty:
        found.intro = ["There is no log Z to judge, as no case was finished."]
        return found
    methods = Looks(tuple(done["method"].unique()), ())
    drawable = done["error"].notna() & (done["seconds"] > 0)
    found.intro = not_drawn(done, drawable)
    for name, where, group in panels("log-z", done, drawable):
        found.drawings.append(_drawing(name, where, group, methods))
    found.sheets = [_sheet(cases)]
    found.method = [
        "The error of log Z is the estimate less the true value, which is exact by enumeration"
        f"{_published(done)}. On average AIS lies below the truth and reverse AIS above it: the truth "
        "stands between them. Reverse AIS does so only if it starts from exact draws. A seed that was "
        "tried and did not finish is not within any error."
    ]
    return found


def _published(done: pd.DataFrame) -> str:
    """The models whose truth is somebody's statement, with its source, to follow on a sentence."""
    known = done.dropna(subset=["truth", "truth_source"])
    known = known[~known["truth_source"].isin([*_EXACT, ""])]
    told = known[["where", "truth_source"]].drop_duplicates().itertuples(index=False, name=None)
    return "".join(f"; on {where} it is not, but from {source}" for where, source in told)


def _answer(cases: pd.DataFrame) -> Answer:
    """What is the cheapest way to within a nat on each model, and whether the sandwich holds."""
    name = "Partition functions"
    steps = [s for s in collect(cases) if s.method != "exact" and np.isfinite(s.error)]
    models = list(dict.fromkeys(step.where for step in steps))
    if not models:
        return Answer(name, "No finished case has an estimate of log Z beside its true value", [])
    winners, sentences = [], []
    for where in models:
        own = [step for step in steps if step.where == where]
        near = [step for step in own if step.worst < _RESOLVED]
        if not near:
            best = min(own, key=lambda step: abs(step.error))
            off = f"{number(abs(best.error))} nats off{_said(best.source)}"
            left = f", though {best.unfinished}" if best.unfinished else ""
            sentences.append(
                f"{where}: nothing comes within {_RESOLVED:g} nat with every seed; the nearest is "
                f"{best.name}, whose median is {off}{left}."
            )
            continue
        best = min(near, key=lambda step: step.seconds)
        winners.append(best.label)
        sentences.append(
            f"{where}: {best.name} is within {_RESOLVED:g} nat with every seed after "
            f"{duration(best.seconds)}; its worst seed is {number(best.worst)} nats off"
            f"{_said(best.source)}."
        )
    sentences = first(sentences) + _sandwich(cases[cases["status"] == "done"])
    if not winners:
        return Answer(name, "No method comes within 1 nat of log Z with every seed", sentences)
    headline = f"Cheapest estimate within {_RESOLVED:g} nat of log Z: {ranked_by(winners)}"
    return Answer(name, headline, sentences)


def _said(source: str) -> str:
    """Names the source of a truth that is not exact, after a number of nats."""
    return f" the log Z from {source}" if source not in ("", *_EXACT) else ""


def _sandwich(done: pd.DataFrame) -> list[str]:
    """How many single runs stand on their method's side of the truth, a sentence each source of it."""
    sentences = []
    sources = done["truth_source"].map(lambda name: _said(name) if isinstance(name, str) else "")
    for source, group in done.groupby(sources, sort=False):
        told = []
        for method, side in _SIDES.items():
            errors = group.loc[group["method"] == method, "error"].dropna()
            if len(errors):
                right = int((side * errors >= 0).sum())
                told.append(
                    f"{_NAMES[method]} {'above' if side > 0 else 'below'} it in {right} of {len(errors)}"
                )
        truth = str(source).strip() or "the true log Z"
        sentences += [f"Single runs against {truth}: {listing(told)}."] if told else []
    return sentences


def _drawing(name: str, where: str, cases: pd.DataFrame, looks: Looks) -> Drawing:
    steps = collect(cases)
    named = _named(steps)
    told = [
        f"{own[-1].label} goes from {number(own[0].error)} to {number(own[-1].error)} nats within "
        f"{duration(own[-1].seconds)}"
        for own in _lines(steps)
    ]
    caption = (
        f"Error of log Z on {where}; the axis is linear within 1 nat, the grey band, and logarithmic "
        "beyond. Dots are seeds, lines join their medians along the number of temperatures"
        f"{f', which stands at the marks of {named}' if named else ''}."
    )
    sources = [str(name) for name in cases["truth_source"].dropna().unique() if name]
    if sources and not set(sources) <= set(_EXACT):
        caption += f" The value that errors are taken from is not exact, but from {listing(sources)}."
    alt = f"Error of log Z in nats against seconds on {where}: {listing(told)}."
    return Drawing(name, _draw(where, cases, steps, looks), caption, alt)


def _lines(steps: list[Step]) -> list[list[Step]]:
    """The steps of each label."""
    labels = dict.fromkeys(step.label for step in steps)
    return [[step for step in steps if step.label == label] for label in labels]


def _named(steps: list[Step]) -> str | None:
    """The label at whose marks the temperatures stand: names at all marks would hide each other."""
    tempered = [step for step in steps if np.isfinite(step.temperatures)]
    return min(tempered, key=lambda step: step.error).label if tempered else None


def _draw(where: str, cases: pd.DataFrame, steps: list[Step], looks: Looks) -> Figure:
    """One panel: signed error, linear within a nat and logarithmic beyond."""
    figure, axes = panel(where, height_for([own[0].label for own in _lines(steps)], 3.8))
    log_time(axes.xaxis)
    axes.set_yscale("symlog", linthresh=_RESOLVED)
    axes.yaxis.set_major_locator(SymmetricalLogLocator(linthresh=_RESOLVED, base=10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{'+' if v > 0 else ''}{tick(v)}"))
    axes.axhspan(-_RESOLVED, _RESOLVED, color=GRID, alpha=0.5, linewidth=0, zorder=0)
    axes.axhline(0, color=MUTED, linewidth=1.0, zorder=1)
    axes.set_xlabel("seconds")
    axes.set_ylabel("error of log Z, nats")
    ends, named = [], _named(steps)
    for own in _lines(steps):
        colour, marker = looks.colour(own[0].method), looks.marker(own[0].method)
        seeds = cases[cases["label"] == own[0].label]
        axes.plot(seeds["seconds"], seeds["error"], ".", color=colour, alpha=0.5, markersize=4)
        middle = [step.error for step in own]
        axes.plot([s.seconds for s in own], middle, marker=marker, color=colour, markersize=5)
        below = middle[0] < 0
        for step in own if own[0].label == named else []:
            if np.isfinite(step.temperatures):
                axes.annotate(
                    number(step.temperatures, 0), (step.seconds, step.error), (0, -9 if below else 6),
                    textcoords="offset points", ha="center", va="top" if below else "bottom",
                    fontsize=7, color=MUTED,
                )  # fmt: skip
        ends.append(End(own[0].label, middle[-1], colour, marker))
    errors = cases["error"]
    axes.set_ylim(min(3 * errors.min(), -2 * _RESOLVED), max(2 * errors.max(), 2 * _RESOLVED))
    axes.margins(x=0.08)
    name_ends(axes, ends)
    return figure


def _sheet(cases: pd.DataFrame) -> Sheet:
    steps = collect(cases)
    starts = any(step.starts for step in steps)
    columns = [
        "Model", "Method", "Temperatures", "Seeds", "Error of log Z, nats", "Stated std error", "ESS",
        "Time", *(["Walks back start from"] if starts else []),
    ]  # fmt: skip
    rows = [
        [
            Cell(step.where, note=f"against{_said(step.source)}" if _said(step.source) else ""),
            Cell(step.label),
            whole(step.temperatures),
            _seeds(step),
            spread(step.errors) if np.isfinite(step.error) else _unknown(step.log_z),
            rounded(step.std_error),
            rounded(step.ess),
            seconds(step.seconds),
            *([_starts(step)] if starts else []),
        ]
        for step in steps
    ]
    return Sheet("", columns, rows)


def _seeds(step: Step) -> Cell:
    """The finished seeds, and how many were tried if they are fewer."""
    tried, known = len(step.errors), step.finished
    return Cell(number(known, 0), known, f"of {tried}" if known < tried else "")


def _starts(step: Step) -> Cell:
    """How walks back began; of seeds that differ, the first one's words and how many others there are."""
    ways = list(dict.fromkeys(step.starts))
    if not ways:
        return Cell(MISSING)
    return Cell(ways[0], note=f"and {len(ways) - 1} more like it" if len(ways) > 1 else "")


def _unknown(log_z: float) -> Cell:
    """The estimate in place of an error that nobody knows."""
    note = f"log Z {number(log_z)}, truth unknown" if np.isfinite(log_z) else ""
    return Cell(MISSING, np.nan, note)
