"""Estimates of log Z: their error against the seconds that they take."""

import re
from typing import NamedTuple

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
from ebmbench.report.text import MISSING, count, duration, listing, number, tick

_NAMES = {"ais": "AIS", "reverse_ais": "reverse AIS"}
KIND = Kind(
    ("model", "temperature"),
    "method",
    ("temperature", "log_z", "std_error", "truth", "error", "ess", "seconds"),
    varied=("setting.betas",),
    words={"dataset": "base"},
    others=("log_z_schedule", "truth_source"),
    names=_NAMES,
)
_PAPER = 14_500  # temperatures of the schedule that a suite calls `paper`
_RESOLVED = 1.0  # nats
_SIDES = {"ais": -1.0, "reverse_ais": 1.0}  # on which side of the truth a method stands on average


class Step(NamedTuple):
    """The seeds of one label and number of temperatures on one model; medians but for the errors."""

    where: str
    label: str
    temperatures: float
    method: str
    errors: tuple[float, ...]
    log_z: float
    std_error: float
    ess: float
    seconds: float

    @property
    def order(self) -> tuple[float, float]:
        """The place on a line: by temperatures, or by seconds where there are none."""
        return float(np.nan_to_num(self.temperatures)), self.seconds

    @property
    def error(self) -> float:
        """Median of the seeds' errors."""
        known = [error for error in self.errors if np.isfinite(error)]
        return float(np.median(known)) if known else np.nan

    @property
    def worst(self) -> float:
        """The largest of the seeds' errors, without its sign; NaN if one of them is unknown."""
        return float(np.abs(self.errors).max())

    @property
    def name(self) -> str:
        """The label and the number of temperatures."""
        if np.isnan(self.temperatures):
            return self.label
        return f"{self.label} with {count(int(self.temperatures), 'temperature')}"


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about log Z."""
    told = zip(cases["setting.betas"], cases["log_z_schedule"], strict=True)
    cases = cases.assign(temperatures=[_temperatures(str(b), str(s)) for b, s in told])
    adaptive = cases["setting.betas"] == "adaptive"
    cases["label"] = cases["label"].where(~adaptive, cases["label"] + ", adaptive")
    done = cases[cases["status"] == "done"]
    found = Section("log-z", "Partition functions", cases)
    found.answer = _answer(done)
    if done.empty:
        found.intro = ["There is no log Z to judge, as no case was finished."]
        return found
    methods = Looks(tuple(done["method"].unique()), ())
    drawable = done["error"].notna() & (done["seconds"] > 0)
    found.intro = not_drawn(done, drawable)
    for name, where, group in panels("log-z", done, drawable):
        found.drawings.append(_drawing(name, where, group, methods))
    found.sheets = [_sheet(done)]
    found.method = [
        "The error of log Z is the estimate less the true value, which is exact by enumeration or that "
        "of a published model. On average AIS lies below the truth and reverse AIS above it: the truth "
        "stands between them. Reverse AIS does so only if it starts from exact draws."
    ]
    return found


def _temperatures(betas: str, schedule: str) -> float:
    """The number of temperatures in a setting or in a schedule's name; NaN for a method without any."""
    if betas == "paper":
        return float(_PAPER)
    found = re.search(r"\d+", betas) or re.search(r"\d+", schedule)
    return float(found[0]) if found else np.nan


def _steps(cases: pd.DataFrame) -> list[Step]:
    """By model, then label, then number of temperatures."""
    models, labels = list(cases["where"].unique()), list(cases["label"].unique())
    steps = []
    for _, group in cases.groupby(["where", "label", "temperatures"], sort=False, dropna=False):
        first, middle = group.iloc[0], group[["log_z", "std_error", "ess", "seconds"]].median()
        known = {name: str(first[name]) for name in ("where", "label", "method")}
        errors = tuple(group["error"])
        step = Step(**known, temperatures=first["temperatures"], errors=errors, **middle.to_dict())  # type: ignore[arg-type]
        steps.append(step)
    steps.sort(key=lambda step: (models.index(step.where), labels.index(step.label), step.order))
    return steps


def _answer(done: pd.DataFrame) -> Answer:
    """What is the cheapest way to within a nat on each model, and whether the sandwich holds."""
    name = "Partition functions"
    steps = [s for s in _steps(done) if s.method != "exact" and np.isfinite(s.error)]
    models = list(dict.fromkeys(step.where for step in steps))
    if not models:
        return Answer(name, "No finished case has an estimate of log Z beside its true value", [])
    winners, sentences = [], []
    for where in models:
        own = [step for step in steps if step.where == where]
        near = [step for step in own if step.worst < _RESOLVED]
        if not near:
            best = min(own, key=lambda step: abs(step.error))
            sentences.append(
                f"{where}: nothing comes within {_RESOLVED:g} nat with every seed; the nearest is "
                f"{best.name}, whose median is {number(abs(best.error))} nats off."
            )
            continue
        best = min(near, key=lambda step: step.seconds)
        winners.append(best.label)
        sentences.append(
            f"{where}: {best.name} is within {_RESOLVED:g} nat with every seed after "
            f"{duration(best.seconds)}; its worst seed is {number(best.worst)} nats off."
        )
    sentences = first(sentences) + _sandwich(done)
    if not winners:
        return Answer(name, "No method comes within 1 nat of log Z with every seed", sentences)
    return Answer(name, f"Cheapest within {_RESOLVED:g} nat of log Z: {ranked_by(winners)}", sentences)


def _sandwich(done: pd.DataFrame) -> list[str]:
    """How many single runs stand on their method's side of the truth."""
    told = []
    for method, side in _SIDES.items():
        errors = done.loc[done["method"] == method, "error"].dropna()
        if len(errors):
            right = int((side * errors >= 0).sum())
            told.append(
                f"{_NAMES[method]} {'above' if side > 0 else 'below'} it in {right} of {len(errors)}"
            )
    return [f"Single runs against the true log Z: {listing(told)}."] if told else []


def _drawing(name: str, where: str, cases: pd.DataFrame, looks: Looks) -> Drawing:
    steps = _steps(cases)
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
    sources = [str(name) for name in cases["truth_source"].dropna().unique()]
    if sources and sources != ["enumeration"]:
        caption += f" The true value is from {listing(sources)}."
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


def _sheet(done: pd.DataFrame) -> Sheet:
    columns = [
        "Model", "Method", "Temperatures", "Seeds", "Error of log Z, nats", "Stated std error", "ESS",
        "Time",
    ]  # fmt: skip
    rows = [
        [
            Cell(step.where),
            Cell(step.label),
            whole(step.temperatures),
            whole(len(step.errors)),
            spread(step.errors) if np.isfinite(step.error) else _unknown(step.log_z),
            rounded(step.std_error),
            rounded(step.ess),
            seconds(step.seconds),
        ]
        for step in _steps(done)
    ]
    return Sheet("", columns, rows)


def _unknown(log_z: float) -> Cell:
    """The estimate in place of an error that nobody knows."""
    note = f"log Z {number(log_z)}, truth unknown" if np.isfinite(log_z) else ""
    return Cell(MISSING, np.nan, note)
