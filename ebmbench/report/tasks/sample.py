"""Samplers: how many effective samples a second buys, and whether they are of the right law."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ebmbench.report.cases import Kind
from ebmbench.report.section import Answer, Cell, Drawing, Section, Sheet
from ebmbench.report.style import INK, Looks, panel
from ebmbench.report.tasks.cells import panels, rounded, seconds, whole
from ebmbench.report.text import MISSING, listing, number, significant, tick

KIND = Kind(
    ("model", "temperature"),
    "sampler",
    (
        "temperature", "chains", "sweeps", "ess", "rhat", "ess_per_s", "total_variation",
        "total_variation_floor", "seconds",
    ),
    words={"chains": "chains", "sweeps": "sweeps"},
    others=("swap_rates",),
)  # fmt: skip
_MIXED = 1.01  # R-hat up to which chains are taken to agree (Vehtari et al. 2021)
_NEAR = 1.5  # times the floor up to which a total variation stands at it


class Judged(NamedTuple):
    """What the seeds of one sampler on one model came to: medians; swaps: lowest and highest rate."""

    where: str
    label: str
    sampler: str
    seeds: int
    swaps: tuple[float, float]
    chains: float
    sweeps: float
    ess: float
    ess_per_s: float
    rhat: float
    total_variation: float
    total_variation_floor: float
    seconds: float

    @property
    def apart(self) -> bool:
        """Whether the chains disagree."""
        return self.rhat > _MIXED

    @property
    def off(self) -> bool:
        """Whether the draws are seen not to be of the exact distribution."""
        return self.total_variation > _NEAR * self.total_variation_floor


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about samplers."""
    done = cases[cases["status"] == "done"]
    found = Section("sample", "Samplers", cases)
    if done.empty:
        found.answer = Answer("Samplers", "No sampler was judged", [])
        found.intro = ["There is no sampler to judge, as no case was finished."]
        return found
    judged = collect(done)
    found.answer = _answer(judged)
    colours = Looks(tuple(dict.fromkeys(one.sampler for one in judged)), ())
    table = pd.DataFrame(judged)
    for name, where, rows in panels("sample", table, table["total_variation"] > 0):
        own = [judged[i] for i in rows.index]
        found.drawings.append(_drawing(name, where, own, colours))
    found.sheets = [_sheet(judged)]
    found.method = [
        "Effective sample size (ESS) and R-hat are those of Vehtari et al. (2021); "
        f"chains agree up to an R-hat of {_MIXED:g}. The floor of the total variation is what as many "
        f"independent draws from the exact distribution would show; up to {_NEAR:g} times the floor "
        "counts as standing at it."
    ]
    return found


def collect(done: pd.DataFrame) -> list[Judged]:
    """A sampler and model each, medians over the seeds."""
    found = []
    for _, group in done.groupby(["where", "label"], sort=False):
        first, middle = group.iloc[0], group[list(Judged._fields[5:])].median()
        names = {name: str(first[name]) for name in ("where", "label", "sampler")}
        swaps = _range(group["swap_rates"])
        found.append(Judged(**names, seeds=len(group), swaps=swaps, **middle.to_dict()))  # type: ignore[arg-type]
    return found


def _range(rates: Iterable[Any]) -> tuple[float, float]:
    """Of the swap rates of all pairs of temperatures and seeds; NaN where nothing is swapped."""
    known = [float(x) for one in rates if isinstance(one, list) for x in one if x is not None]
    return (min(known), max(known)) if known else (np.nan, np.nan)


def _answer(judged: list[Judged]) -> Answer:
    sentences, winners = [], []
    for where in dict.fromkeys(one.where for one in judged):
        own = [one for one in judged if one.where == where]
        wrong = [one.label for one in own if one.apart or one.off]
        told = f"; not at the exact distribution: {listing(wrong)}." if wrong else "."
        rated = [one for one in own if np.isfinite(one.ess_per_s) and not (one.apart or one.off)]
        rated.sort(key=lambda one: -one.ess_per_s)
        if not rated:
            sentences.append(f"{where}: no sampler is known to be sound{told}")
            continue
        winners.append(rated[0].label)
        text = f"{where}: {rated[0].label} {significant(rated[0].ess_per_s)} effective samples a second"
        if len(rated) > 1:
            text += f", then {rated[1].label} {significant(rated[1].ess_per_s)}"
        sentences.append(text + told)
    if not winners:
        return Answer("Samplers", "No sampler is known to be sound", sentences)
    names = listing(list(dict.fromkeys(winners)))
    headline = f"Most effective samples a second, at the right distribution: {names}"
    return Answer("Samplers", headline, sentences)


def _drawing(name: str, where: str, own: list[Judged], looks: Looks) -> Drawing:
    told = [
        f"{row.label} {significant(row.total_variation)} with a floor of "
        f"{significant(row.total_variation_floor)}"
        for row in own
    ]
    caption = (
        f"Total variation between what a sampler drew and the exact distribution on {where}; the upright "
        "stroke is the floor, which as many independent exact draws would show."
    )
    alt = f"Total variation on {where}: {listing(told)}."
    return Drawing(name, _draw(where, own, looks), caption, alt)


def _draw(where: str, own: list[Judged], looks: Looks) -> Figure:
    figure, axes = panel(where, 1.1 + 0.3 * len(own))
    axes.set_xscale("log")
    for y, row in enumerate(own):
        colour = looks.colour(row.sampler)
        low, high = row.total_variation_floor, row.total_variation
        if np.isfinite(low) and low > 0:
            axes.plot([low, high], [y, y], color=colour, linewidth=1.0, alpha=0.7)
            axes.plot([low], [y], "|", color=INK, markersize=11, markeredgewidth=1.4)
        axes.plot([high], [y], looks.marker(row.sampler), color=colour, markersize=6)
        axes.annotate(
            significant(high, 2), (np.nanmax([low, high]), y), (7, 0), textcoords="offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    values = np.array([(one.total_variation, one.total_variation_floor) for one in own])
    values = values[values > 0]
    axes.set_xlim(0.7 * values.min(), 2.2 * values.max())
    subs = (1.0, 2.0, 5.0) if values.max() < 100 * values.min() else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(10, subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(own)), [one.label for one in own])
    axes.set_ylim(len(own) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("total variation")
    return figure


def _sheet(judged: list[Judged]) -> Sheet:
    columns = [
        "Model", "Sampler", "Seeds", "Chains", "Sweeps", "ESS", "ESS a second", "R-hat",
        "Total variation", "Its floor", "Swap rates", "Time",
    ]  # fmt: skip
    rows = [
        [
            Cell(row.where),
            Cell(row.label),
            whole(row.seeds),
            whole(row.chains),
            whole(row.sweeps),
            rounded(row.ess),
            rounded(row.ess_per_s),
            Cell(number(row.rhat, 3), row.rhat, "apart" if row.apart else ""),
            rounded(row.total_variation),
            rounded(row.total_variation_floor),
            _swaps(*row.swaps),
            seconds(row.seconds),
        ]
        for row in judged
    ]
    return Sheet("", columns, rows)


def _swaps(low: float, high: float) -> Cell:
    if not np.isfinite(low):
        return Cell(MISSING, np.nan)
    return Cell(number(low) if low == high else f"{number(low)} to {number(high)}", low)
