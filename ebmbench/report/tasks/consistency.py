"""Consistency: whether an estimator's error falls with the rows of data as theory says."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, SymmetricalLogLocator

from ebmbench.report.cases import Kind
from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.section import Answer, Cell, Drawing, Section, Sheet
from ebmbench.report.style import MUTED, Looks, panel
from ebmbench.report.tasks.cells import rounded, whole
from ebmbench.report.tasks.fits import Slope, slope
from ebmbench.report.text import count, listing, number, significant, slug, tick

KIND = Kind(
    ("family",),
    "estimator",
    ("n", "kl", "parameter_error", "learned_log_z", "log_z"),
    varied=("n",),
    words={"updates": "updates", "rate": "rate", "momentum": "momentum", "centred": "centred"},
    names={"rbm": "RBM", "boltzmann_machine": "Boltzmann machine", "gaussian": "Gaussian"}
    | {"markov_field": "Markov field"},
)
# What is measured: column -> its name, the exponent that theory gives, and how that is written.
_MEASURES = {
    "kl": ("KL divergence, nats", -1.0, "1/n"),
    "parameter_error": ("error of the parameters", -0.5, "1/√n"),
}
_LEARNED = "learned log Z − exact log Z, nats"


class Measured(NamedTuple):
    """The fits of a family that were tried, by one measure.

    rows: those with an `error` whose logarithm can be taken; left: how many others each label has.
    """

    family: str
    measure: str
    rows: pd.DataFrame
    left: dict[str, int]

    @property
    def tried(self) -> int:
        """How many fits there are."""
        return len(self.rows) + sum(self.left.values())


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about consistency."""
    found = Section("consistency", "Consistency", cases)
    done = cases[cases["status"] == "done"]
    rows, told = [], []
    fits: list[Slope] = []
    slow: list[str] = []
    fast: list[str] = []
    measured = list(_measured(cases[cases["status"] != "unavailable"]))
    for one in measured:
        family, measure, group, _ = one
        slopes = {str(label): slope(own) for label, own in group.groupby("label", sort=False)}
        if group.empty:
            continue
        found.drawings.append(_drawing(one, slopes, looks))
        rows += [_row(family, measure, label, group, fit) for label, fit in slopes.items()]
        told.append(_told(family, measure, slopes))
        fits += slopes.values()
        expected = _MEASURES[measure][1]
        for label, fit in slopes.items():
            if fit.agrees(expected) is False:
                (slow if fit.value > expected else fast).append(f"{label} ({family})")
    learned = done.assign(error=done["learned_log_z"] - done["log_z"]).dropna(subset=["error", "n"])
    for name, group in learned.groupby("where", sort=False):
        found.drawings.append(_learned(str(name), group, looks))
        told.append(_told_learned(str(name), group))
    if not found.drawings:
        found.intro = ["There is no error to draw, as no case that was finished has one."]
        found.answer = Answer("Consistency", f"No finished case has an error{_left(measured)}", [])
        return found
    if rows:
        columns = ["Model", "Estimator", "Error", "Seeds", "Slope", "Expected", "At n", "There"]
        found.sheets = [Sheet("", columns, rows)]
    headline = _headline(slow, fast, fits)
    found.answer = Answer("Consistency", headline + _left(measured), told)
    found.method = [
        "A slope is the exponent with which an error falls with the rows of data n: the mean over the "
        "seeds of least squares on logarithms, with Student's 95 % interval. An interval that misses the "
        "expected exponent can mean that the smallest n are not yet in the regime of the theory."
    ]
    return found


def _measured(tried: pd.DataFrame) -> Iterator[Measured]:
    """Each family by what is measured of it; by nothing in particular where no fit got as far as that."""
    for family, group in tried.groupby("where", sort=False):
        done = group["status"] == "done"
        measures = [name for name in _MEASURES if group[name].notna().any()]
        if not measures and done.any():
            continue  # judged by its learned log Z alone
        for measure in measures or list(_MEASURES)[:1]:
            known = group.assign(error=group[measure])
            usable = done & (known["error"] > 0) & (known["n"] > 0) & np.isfinite(known["error"])
            left = known[~usable].groupby("label", sort=False).size()
            yield Measured(str(family), measure, known[usable], {str(k): int(v) for k, v in left.items()})


def _left(measured: list[Measured]) -> str:
    """How many fits the slopes are without, to follow on a headline."""
    left, tried = sum(sum(one.left.values()) for one in measured), sum(one.tried for one in measured)
    return f"; {left} of {count(tried, 'fit')} {'is' if left == 1 else 'are'} left out" if left else ""


def _left_here(one: Measured) -> str:
    """The same of one figure, with why and whose; a sentence."""
    if not one.left:
        return ""
    whose = listing([f"{n} of {label}" for label, n in one.left.items()])
    left = sum(one.left.values())
    return (
        f" Left out {'is' if left == 1 else 'are'} {left} of {count(one.tried, 'fit')}, which did not "
        f"finish or left no finite error above 0, whose logarithm could be taken: {whose}."
    )


def _headline(slow: list[str], fast: list[str], fits: list[Slope]) -> str:
    if not fits:
        return "The normaliser that NCE learns is compared with the exact one"
    if not any(np.isfinite(fit.value) for fit in fits):
        return "One size of data tells nothing of how errors fall"
    known = [fit for fit in fits if np.isfinite(fit.low)]
    if not known:
        return "Slopes are fitted to one seed, so they have no intervals"
    if slow:
        return f"Falling more slowly than theory says: {listing(slow)}"
    vague, all_known = sum(fit.high >= 0 for fit in known), count(len(known), "slope")
    if vague:
        return f"Too few seeds to say that errors fall: {vague} of the intervals of {all_known} hold 0"
    if fast:
        return f"Errors fall at least as fast as theory says, and faster at these n: {listing(fast)}"
    return f"Errors fall as theory says: every interval of {all_known} holds its exponent"


def _told(family: str, measure: str, slopes: dict[str, Slope]) -> str:
    name, expected, law = _MEASURES[measure]
    fits = [f"{label} {fit.text}" for label, fit in slopes.items() if np.isfinite(fit.value)]
    name = name.split(",")[0]
    if not fits:
        return f"{family}: one size of data gives no slope of the {name}."
    return f"{family}, slopes of the {name} ({tick(expected)} is {law}): {', '.join(fits)}."


def _told_learned(family: str, group: pd.DataFrame) -> str:
    largest = group[group["n"] == group["n"].max()]
    off = [
        f"{label} {number(own['error'].abs().median())} nats"
        for label, own in largest.groupby("label", sort=False)
    ]
    return (
        f"{family}: with {largest['n'].iloc[0]:,.0f} rows the learned log Z is off from the exact one, "
        f"in the median of the seeds, by: {', '.join(off)}."
    )


def _row(family: str, measure: str, label: str, group: pd.DataFrame, fit: Slope) -> list[Cell]:
    own = group[group["label"] == label]
    largest = own[own["n"] == own["n"].max()]
    name, expected, law = _MEASURES[measure]
    verdict = {True: "", False: "not in the interval", None: ""}[fit.agrees(expected)]
    return [
        Cell(family),
        Cell(label),
        Cell(name),
        whole(own["seed"].nunique()),
        Cell(number(fit.value), fit.value, fit.interval),
        Cell(law, expected, verdict),
        whole(float(largest["n"].iloc[0])),
        rounded(float(largest["error"].median())),
    ]


def _drawing(one: Measured, slopes: dict[str, Slope], looks: Looks) -> Drawing:
    family, measure, group, _ = one
    name, _, law = _MEASURES[measure]
    fits = [f"{label} {fit.text}" for label, fit in slopes.items() if np.isfinite(fit.value)]
    caption = (
        f"{family}: {name.split(',')[0]} against rows of data; lines join the medians of the "
        f"seeds, which are the dots. The dashed line falls as {law}."
    )
    caption += f" Fitted slopes with 95 % intervals: {listing(fits)}." if fits else ""
    caption += _left_here(one)
    ends = [
        f"{label} ends at {significant(_medians(own).iloc[-1])}"
        for label, own in group.groupby("label", sort=False)
    ]
    alt = f"{name} against rows of data for {family}, both logarithmic: {listing(ends)}."
    figure, axes = _panel(family, group, name)
    axes.set_yscale("log")
    _short_log(axes.yaxis)
    ends_at = _lines(axes, group, looks)
    axes.margins(x=0.03)
    guide = _guide(axes, group, _MEASURES[measure][1])
    name_ends(axes, [*ends_at, End(law, guide)])
    return Drawing(f"consistency-{slug(family)}-{slug(measure)}", figure, caption, alt)


def _learned(family: str, group: pd.DataFrame, looks: Looks) -> Drawing:
    """The learned log Z less the exact one; linear about 0, logarithmic beyond the smaller errors."""
    figure, axes = _panel(f"{family}: learned log Z", group, _LEARNED)
    known = group["error"].abs().clip(lower=1e-6)
    linear = 10.0 ** np.floor(np.log10(known.median()))
    axes.set_yscale("symlog", linthresh=linear)
    axes.yaxis.set_major_locator(SymmetricalLogLocator(linthresh=linear, base=10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{'+' if v > 0 else ''}{tick(v)}"))
    axes.axhline(0, color=MUTED, linewidth=1.0, zorder=1)
    ends = _lines(axes, group, looks)
    axes.margins(x=0.03)
    largest = 2.0 * float(known.max())
    axes.set_ylim(-largest, largest)
    name_ends(axes, ends)
    caption = (
        f"{family}: the log Z that noise-contrastive estimation learns as a parameter, less the "
        "exact one of the same model; lines join the medians of the seeds, which are the dots. The axis "
        "is linear about 0 and logarithmic beyond."
    )
    alt = f"{_LEARNED}, against rows of data. {_told_learned(family, group)}"
    return Drawing(f"consistency-{slug(family)}-learned-log-z", figure, caption, alt)


def _panel(title: str, group: pd.DataFrame, label: str) -> tuple[Figure, Axes]:
    figure, axes = panel(title, height_for([*group["label"].unique(), "guide"]))
    axes.set_xscale("log")
    _short_log(axes.xaxis)
    axes.set_xlabel("rows of data, n")
    axes.set_ylabel(label)
    return figure, axes


def _short_log(axis) -> None:  # type: ignore[no-untyped-def]
    axis.set_major_locator(LogLocator(10, numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else tick(v)))
    axis.set_minor_formatter(NullFormatter())


def _medians(own: pd.DataFrame) -> "pd.Series[float]":
    return own.groupby("n")["error"].median()


def _lines(axes: Axes, group: pd.DataFrame, looks: Looks) -> list[End]:
    ends = []
    for label, own in group.groupby("label", sort=False):
        estimator = str(own["estimator"].iloc[0])
        colour, marker = looks.colour(estimator), looks.marker(estimator)
        middle = _medians(own)
        axes.plot(own["n"], own["error"], ".", color=colour, alpha=0.5, markersize=4)
        axes.plot(middle.index, middle.to_numpy(), marker=marker, color=colour, markersize=5)
        ends.append(End(str(label), float(middle.iloc[-1]), colour, marker))
    return ends


def _guide(axes: Axes, group: pd.DataFrame, exponent: float) -> float:
    """A line of the expected slope below the points; its value at the right end."""
    n = np.array([group["n"].min(), group["n"].max()], dtype=float)
    level = 0.6 * float((group["error"] * group["n"] ** -exponent).min())
    axes.plot(n, level * n**exponent, color=MUTED, linewidth=1.0, linestyle="--", zorder=1)
    return float(level * n[1] ** exponent)
