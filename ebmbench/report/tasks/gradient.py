"""Fidelity of gradients: what a second of compute buys in accuracy against the exact gradient."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ebmbench.report.cases import Kind
from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.section import Answer, Cell, Drawing, Section, Sheet
from ebmbench.report.style import MUTED, Looks, log_time, panel
from ebmbench.report.tasks.cells import first, not_drawn, panels, part, ranked_by, rounded, seconds, whole
from ebmbench.report.tasks.entries import EXACT, SEEN, Entry, collect
from ebmbench.report.text import duration, listing, number, percent

_NUMBERS = (
    "temperature", "gradient_norm", "bias", "bias_std_error", "variance", "rms_error", "cosine",
    "step_s", "step_s_low", "step_s_high", "replicates", "thin", "restarts",
)  # fmt: skip
_WORDS = {
    "rows": "rows",
    "replicates": "replicates",
    "burn_in": "burn-in",
    "thin": "thin",
    "restarts": "restarts",
}
KIND = Kind(("model", "temperature"), "estimator", _NUMBERS, words=_WORDS, others=("persistent",))

_BUDGET = 1.0  # seconds for which the answer is given


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about gradients."""
    entries = collect(cases)
    found = Section("gradient", "Gradient accuracy", cases)
    found.answer = _answer(entries)
    if not entries:
        found.intro = ["There is no gradient to judge, as no case was finished."]
        return found
    found.intro = [
        "What a second of compute buys: the error of the mean of all the gradients that fit into a time, "
        "relative to the length of the exact gradient. Averaging removes the variance, but not the bias."
    ]
    table = pd.DataFrame(entries)
    drawable = table[["bias", "deviation"]].notna().all(axis=1) & (table["step_s"] > 0)
    limits = _limits([entries[i] for i in table.index[drawable]])
    found.intro += not_drawn(table, drawable)
    for name, where, rows in panels("gradient", table, drawable):
        own = [entries[i] for i in rows.index]
        found.drawings.append(_drawing(name, where, own, limits, looks))
    found.sheets = [_sheet(entries)]
    found.method = [
        "Bias and variance of a gradient are those of replicates at the same model, against the exact "
        "gradient by enumeration. The error after a time assumes that the replicates are independent. A "
        f"bias below {SEEN:g} standard errors is told as an upper limit.",
        *_persistent(entries),
    ]
    return found


def _persistent(entries: list[Entry]) -> list[str]:
    """What to think of the estimators that keep chains, if there are any; a sentence."""
    kept = [entry for entry in entries if entry.persistent]
    if not kept:
        return []
    steps = sorted({number(entry.thin, 0) for entry in kept if np.isfinite(entry.thin)})
    runs = sorted({number(entry.restarts, 0) for entry in kept if np.isfinite(entry.restarts)})
    apart = f", {listing(steps)} steps apart" if steps else ""
    apart += f", in {listing(runs)} independent runs" if runs else ""
    return [
        f"The replicates of {listing(list(dict.fromkeys(entry.label for entry in kept)))} are not "
        f"independent: they follow each other in the same chains{apart}. Slow chains can make an "
        "unbiased estimator look biased, and its curve is optimistic: a bias of theirs is apparent, not "
        "proven."
    ]


def _answer(entries: list[Entry]) -> Answer:
    """Who is closest to the exact gradient after a second, on each model and temperature."""
    sentences, winners = [], []
    for where in dict.fromkeys(entry.where for entry in entries):
        own = [e for e in entries if e.where == where and not e.exact and np.isfinite(e.error(_BUDGET))]
        ranked = sorted(own, key=lambda entry: entry.error(_BUDGET))
        if not ranked:
            continue
        winners.append(ranked[0].label)
        text = f"{where}: {_told(ranked[0])}"
        if len(ranked) > 1:
            text += f", then {_told(ranked[1])}"
            if ranked[1].error(_BUDGET) < ranked[0].most(_BUDGET):
                text += ", in an order that the replicates do not settle"
        quick = min(own, key=lambda entry: entry.step_s)
        if quick.label != ranked[0].label:
            text += f"; the quickest, {quick.label} at {duration(quick.step_s)}, {_told(quick, '')}"
        sentences.append(f"{text}.")
    if not winners:
        return Answer("Gradient accuracy", "No finished case has a gradient other than the exact", [])
    headline = (
        f"Closest to the exact gradient after {duration(_BUDGET)} of averaging: {ranked_by(winners)}"
    )
    return Answer("Gradient accuracy", headline, first(sentences))


def _told(entry: Entry, name: str | None = None) -> str:
    budget = max(_BUDGET, entry.step_s)
    words = f"errs by {percent(entry.error(budget))}"
    if not entry.biased:
        words += f" (at most {percent(entry.most(budget))})"
    if entry.step_s > _BUDGET:
        words += f" after its first gradient, which takes {duration(entry.step_s)}"
    return f"{entry.label} {words}" if name is None else words


def _limits(entries: list[Entry]) -> tuple[float, float]:
    """The limits of error that all panels share, so that they can be compared."""
    shown = [entry for entry in entries if not entry.exact]
    high = [entry.error(entry.step_s) for entry in shown]
    low = [entry.error(_end(shown)) for entry in shown]
    return 0.7 * min([*low, 0.5]), 1.5 * max([*high, 1.0])


def _end(entries: list[Entry]) -> float:
    """Seconds after which biases are all that is left, within reason."""
    slowest = max((entry.step_s for entry in entries), default=1.0)
    floors = [entry.deviation**2 * entry.step_s / entry.bias**2 for entry in entries if entry.bias > 0]
    return float(np.clip(10 * max(floors, default=slowest), 30 * slowest, max(10.0, 30 * slowest)))


def _drawing(
    name: str, where: str, entries: list[Entry], limits: tuple[float, float], looks: Looks
) -> Drawing:
    dashed = not all(entry.biased or entry.exact for entry in entries)
    caption = (
        f"Error of averaged gradients on {where}. A marker is one gradient; a curve levels out at the "
        "estimator's bias, which stands behind its name."
    )
    if dashed:
        caption += " A dotted end is an error below the smallest bias that could be seen."
    caption += "".join(f" {sentence}" for sentence in _persistent(entries))
    exact = [entry for entry in entries if entry.exact]
    if exact:
        caption += " A vertical line is an estimator without error, at the time that it takes."
    told = [
        f"{entry.label} starts at {percent(entry.error(entry.step_s))} after {duration(entry.step_s)} "
        f"and levels out at {entry.floor}"
        for entry in entries
        if not entry.exact
    ]
    told += [f"{entry.label} is exact after {duration(entry.step_s)}" for entry in exact]
    alt = f"Relative error of the gradient against seconds on {where}: {listing(told)}."
    return Drawing(name, _draw(where, entries, limits, looks), caption, alt)


def _draw(where: str, entries: list[Entry], limits: tuple[float, float], looks: Looks) -> Figure:
    """One panel, both axes logarithmic."""
    shown = [entry for entry in entries if not entry.exact]
    names = [f"{entry.label}, {entry.floor}" for entry in shown]
    figure, axes = panel(where, height_for(names, 3.4))
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(LogLocator(10, numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    end = _end(shown)
    for entry in shown:
        _draw_entry(axes, entry, end, looks)
    for entry in entries:
        if entry.exact:
            colour = looks.colour(entry.estimator)
            axes.axvline(entry.step_s, color=colour, linewidth=1.2, linestyle="-.")
            axes.annotate(
                f"{entry.label} ", (entry.step_s, limits[0]), (-3, 4), textcoords="offset points",
                rotation=90, va="bottom", ha="right", fontsize=8,
            )  # fmt: skip
    log_time(axes.xaxis, ticks=4)
    axes.set_xlim(0.5 * min(entry.step_s for entry in entries), end if shown else None)
    if axes.get_xlim()[0] < _BUDGET < axes.get_xlim()[1]:
        axes.axvline(_BUDGET, color=MUTED, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_xlabel("seconds spent on averaging")
    axes.set_ylabel("error relative to the exact gradient")
    name_ends(
        axes,
        [
            End(name, entry.error(end), looks.colour(entry.estimator), looks.marker(entry.estimator))
            for name, entry in zip(names, shown, strict=True)
        ],
    )
    return figure


def _draw_entry(axes: Any, entry: Entry, end: float, looks: Looks) -> None:
    times = np.geomspace(entry.step_s, max(end, 1.01 * entry.step_s), 200)
    known = times if entry.biased else times[entry.error(times) >= entry.limit]
    colour, line = looks.colour(entry.estimator), looks.line(entry.backend)
    axes.plot(known, entry.error(known), color=colour, **line)
    rest = times[len(known) - 1 :] if len(known) else times
    if len(rest) > 1:
        axes.plot(rest, entry.error(rest), color=colour, linestyle=":", linewidth=1.2)
    start = entry.error(entry.step_s)
    axes.plot([entry.step_s], [start], looks.marker(entry.estimator), color=colour, markersize=5)


def _sheet(entries: list[Entry]) -> Sheet:
    columns = [
        "Model", "Estimator", "Bias", "Deviation of one gradient", f"Error after {duration(_BUDGET)}",
        "Cosine", "One gradient", "Replicates",
    ]  # fmt: skip
    rows = [
        [
            Cell(entry.where),
            Cell(entry.label),
            _bias(entry),
            part(entry.deviation),
            _after_budget(entry),
            rounded(entry.cosine),
            seconds(entry.step_s),
            whole(entry.replicates),
        ]
        for entry in entries
    ]
    return Sheet("", columns, rows)


def _bias(entry: Entry) -> Cell:
    if not entry.biased or entry.exact:
        return Cell("exact" if entry.exact else entry.floor, entry.bias)
    error = f"± {percent(entry.bias_std_error)}" if entry.bias_std_error > EXACT else ""
    return part(entry.bias, f"{error}{' (apparent)' if entry.persistent else ''}".strip())


def _after_budget(entry: Entry) -> Cell:
    if entry.step_s > _BUDGET:
        return part(np.nan)
    limit = "" if entry.biased or entry.exact else f"at most {percent(entry.most(_BUDGET))}"
    return part(entry.error(_BUDGET), limit)
