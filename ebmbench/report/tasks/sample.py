"""Samplers: how many effective samples a second buys, and whether they are of the right law."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ebmbench.report.cases import Kind
from ebmbench.report.section import Answer, Cell, Drawing, Section, Sheet
from ebmbench.report.style import INK, MUTED, Looks, panel
from ebmbench.report.tasks.cells import first, not_drawn, panels, ranked_by, rounded, seconds, whole
from ebmbench.report.text import listing, number, significant, tick

KIND = Kind(
    ("model", "temperature"),
    "sampler",
    (
        "temperature", "chains", "sweeps", "burn_in", "ess", "r_hat", "ess_per_s", "total_variation",
        "total_variation_floor", "total_variation_floor_ess", "sample_s", "swap_rate", "swap_rate_min",
    ),
    words={"chains": "chains", "sweeps": "sweeps", "burn_in": "burn-in", "dataset": "base"},
    names={"gibbs": "Gibbs", "parallel_tempering": "PT"},
)  # fmt: skip
_MIXED = 1.01  # R-hat up to which chains are taken to agree (Vehtari et al. 2021)
_NEAR = 1.5  # times the floor up to which a total variation stands at it


class Judged(NamedTuple):
    """What the seeds of one sampler on one model came to: medians.

    total_variation_floor: of as many independent exact draws; total_variation_floor_ess: of as many as
    the effective sample size says.
    """

    where: str
    label: str
    sampler: str
    seeds: int
    chains: float
    sweeps: float
    ess: float
    ess_per_s: float
    r_hat: float
    total_variation: float
    total_variation_floor: float
    total_variation_floor_ess: float
    swap_rate: float
    swap_rate_min: float
    sample_s: float

    @property
    def apart(self) -> bool:
        """Whether the chains disagree."""
        return self.r_hat > _MIXED

    @property
    def mixed(self) -> bool:
        """Whether the chains are known to agree."""
        return self.r_hat <= _MIXED

    @property
    def checked(self) -> bool:
        """Whether the draws were held against the exact distribution."""
        return bool(np.isfinite(self.total_variation) and self.floors)

    @property
    def sound(self) -> bool:
        """Whether the chains agree and nothing is seen to be wrong with their draws."""
        return self.mixed and not self.off

    @property
    def off(self) -> bool:
        """Whether the draws are seen not to be of the exact distribution."""
        return self.total_variation > _NEAR * max(self.floors, default=np.inf)

    @property
    def floors(self) -> list[float]:
        """Those that are known."""
        both = self.total_variation_floor, self.total_variation_floor_ess
        return [floor for floor in both if floor > 0]


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
    drawable = table["total_variation"] > 0
    found.intro = not_drawn(table, drawable)
    for name, where, rows in panels("sample", table, drawable):
        own = [judged[i] for i in rows.index]
        found.drawings.append(_drawing(name, where, own, colours))
    found.sheets = [_sheet(judged)]
    found.method = [
        "Effective sample size (ESS) and R-hat are those of Vehtari et al. (2021); "
        f"chains agree up to an R-hat of {_MIXED:g}. The floor of the total variation is what as many "
        "independent draws from the exact distribution would show. A sampler counts as sound if "
        f"its chains are known to agree and its total variation, where it is known, stands at {_NEAR:g} "
        "times the floor of as many draws as its ESS at most."
    ]
    return found


def collect(done: pd.DataFrame) -> list[Judged]:
    """A sampler and model each, medians over the seeds."""
    found = []
    for _, group in done.groupby(["where", "label"], sort=False):
        first, middle = group.iloc[0], group[list(Judged._fields[4:])].median()
        middle["r_hat"] = group["r_hat"].median(skipna=False)  # one that is unknown may be any
        names = {name: str(first[name]) for name in ("where", "label", "sampler")}
        found.append(Judged(**names, seeds=len(group), **middle.to_dict()))  # type: ignore[arg-type]
    return found


def _answer(judged: list[Judged]) -> Answer:
    sentences, winners = [], []
    for where in dict.fromkeys(one.where for one in judged):
        own = [one for one in judged if one.where == where]
        wrong = [one.label for one in own if one.off]
        told = f"; not at the exact distribution: {listing(wrong)}." if wrong else "."
        apart = [one.label for one in own if one.apart and not one.off]
        told = f"; chains still apart: {listing(apart)}{told}" if apart else told
        unknown = [one.label for one in own if not (one.mixed or one.apart or one.off)]
        told = f"; not known to mix: {listing(unknown)}{told}" if unknown else told
        rated = [one for one in own if np.isfinite(one.ess_per_s) and one.sound]
        rated.sort(key=lambda one: -one.ess_per_s)
        if not rated:
            sentences.append(f"{where}: no sampler is known to be sound{told}")
            continue
        winners.append(rated[0])
        rate = significant(rated[0].ess_per_s)
        text = f"{where}: {rated[0].label} draws {rate} effective samples a second"
        if len(rated) > 1:
            text += f", then {rated[1].label} {significant(rated[1].ess_per_s)}"
        if not rated[0].checked:
            text += "; nobody held its draws against the exact distribution"
        sentences.append(text + told)
    if not winners:
        return Answer("Samplers", "No sampler is known to be sound", sentences)
    right = all(one.checked for one in winners)
    where = "at the right distribution" if right else "among chains that agree"
    headline = f"Most effective samples a second, {where}: {ranked_by([w.label for w in winners])}"
    return Answer("Samplers", headline, first(sentences))


def _drawing(name: str, where: str, own: list[Judged], looks: Looks) -> Drawing:
    told = [
        f"{row.label} {significant(row.total_variation)} with a floor of "
        f"{significant(row.total_variation_floor)}"
        for row in own
    ]
    caption = (
        f"Total variation between what a sampler drew and the exact distribution on {where}. The strong "
        "stroke is the floor, which as many independent exact draws would show; the faint one is that "
        "of as many as the effective sample size."
    )
    alt = f"Total variation on {where}: {listing(told)}."
    return Drawing(name, _draw(where, own, looks), caption, alt)


def _draw(where: str, own: list[Judged], looks: Looks) -> Figure:
    figure, axes = panel(where, 1.1 + 0.3 * len(own))
    axes.set_xscale("log")
    for y, row in enumerate(own):
        colour = looks.colour(row.sampler)
        for floor in row.floors:
            thick = floor == row.total_variation_floor
            axes.plot(
                [floor], [y], "|", color=INK if thick else MUTED, markersize=12,
                markeredgewidth=1.8 if thick else 1.0,
            )  # fmt: skip
        marks = [*row.floors, row.total_variation]
        axes.plot([min(marks), max(marks)], [y, y], color=colour, linewidth=1.0, alpha=0.7, zorder=1)
        axes.plot([row.total_variation], [y], looks.marker(row.sampler), color=colour, markersize=6)
        axes.annotate(
            significant(row.total_variation, 2), (max(marks), y), (7, 0), textcoords="offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    values = np.array([value for one in own for value in (*one.floors, one.total_variation)])
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
        "Total variation", "Floor for its ESS", "Swap rate", "Time",
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
            Cell(number(row.r_hat, 3), row.r_hat, "apart" if row.apart else ""),
            _variation(row),
            rounded(row.total_variation_floor_ess),
            _swaps(row),
            seconds(row.sample_s),
        ]
        for row in judged
    ]
    return Sheet("", columns, rows)


def _variation(one: Judged) -> Cell:
    """From the exact law, and what as many independent draws would have."""
    floor = one.total_variation_floor
    note = f"floor {significant(floor)}" if np.isfinite(floor) else ""
    return Cell(significant(one.total_variation), one.total_variation, note)


def _swaps(one: Judged) -> Cell:
    """The mean over pairs of temperatures, and the lowest."""
    note = f"lowest {number(one.swap_rate_min)}" if np.isfinite(one.swap_rate_min) else ""
    return Cell(number(one.swap_rate), one.swap_rate, note)
