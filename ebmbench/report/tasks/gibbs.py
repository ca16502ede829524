"""Gibbs sampling: what a sweep costs, how that grows, and what threads bring."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullLocator

from ebmbench.report.cases import Kind
from ebmbench.report.section import Answer, Cell, Drawing, Section, Sheet
from ebmbench.report.style import INK, MUTED, Looks, panel
from ebmbench.report.tasks.cells import first, of_floor, part, ranged, rate, records, rounded, whole
from ebmbench.report.tasks.growth import DIALS, Series, drawing, series, software, with_dials
from ebmbench.report.text import MISSING, count, duration, listing, number, significant, tick

KIND = Kind(
    ("subject",),
    "job",
    (
        "n_visible", "n_hidden", "on_rate", "persistence", "chains", "threads",
        "sweep_s", "sweep_s_low", "sweep_s_high", "sweeps_a_turn", "unit_updates_per_s",
        "attempted_flips_per_ns", "changed_units_per_ns", "ess_per_draw", "ess_per_s", "floor_s",
        "fraction",
        "visible_on_rate", "hidden_on_rate", "visible_flip_rate", "hidden_flip_rate",
    ),
    words={"chains": "chains", "threads": "threads", "arithmetic": "arithmetic"},
    others=("bound", "ess_reason"),
)  # fmt: skip
_SAME = ["where", "chains", "backend", "arithmetic"]  # of cases that differ in their threads


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about Gibbs sampling."""
    found = Section("gibbs", "Gibbs sampling", cases)
    done = with_dials(cases[(cases["status"] == "done") & (cases["sweep_s"] > 0)])
    if done.empty:
        found.answer = Answer("Gibbs sampling", "No sweep was timed", [])
        found.intro = ["There is no time of a sweep, as no case was finished."]
        return found
    grown = [lines for lines in (series(done, dial) for dial in DIALS) if lines]
    speedups = _speedups(done)
    found.answer = _answer(done, grown, speedups)
    found.drawings = [drawing(lines) for lines in grown]
    if len(speedups):
        found.drawings.append(_drawn(speedups))
    found.sheets = [*([_exponents(grown)] if grown else []), _sheet(done)]
    found.outro = _unknown(done)
    found.method = [_METHOD]
    return found


_METHOD = (
    "Gibbs sampling: a turn is one call of as many sweeps as take about a fifth of a second, at least "
    "20, and times lie between the quartiles of the turns; the last sweep is held against its "
    "conditional law before and after them. A unit update draws one unit of one chain. Attempted "
    "flips/ns are unit updates a nanosecond, which is what the literature on the Ising model calls "
    "flips/ns; changed units/ns are those that are not what they were a sweep before. On-rates, flip "
    "rates and effective samples a draw are recorded off the clock, of 8 chains that are looked at "
    "after every sweep. Effective samples a second (ESS/s) are those a draw times draws a second, the "
    "fewer of those of the free energy and of the number of active units. A made-up model states its "
    "on-rate and its persistence, the correlation of a visible unit with itself a sweep later. The "
    "floor is that of the dense algorithm on as many threads: the larger of its operations over the "
    "measured rate of matrix products and of its bytes over that of copies; a kernel that adds fewer "
    "rows may have more than 1× its rate. Units a layer are the geometric mean of both layers'. A fitted "
    "power is a straight line through logarithms, whose interval widens where they bend; its upper end "
    "are the last two points. Cases with few threads do not take turns with those with more, so their "
    "ratio has no interval."
)


def _answer(done: pd.DataFrame, grown: list[list[Series]], speedups: pd.DataFrame) -> Answer:
    sentences = []
    for lines in grown:
        dial = lines[0].dial
        told = "; ".join(_growth(line) for line in lines)
        dense = f"the dense algorithm's is {tick(dial.dense)}"
        sentences.append(f"Exponents of a sweep's cost by {dial.label}, where {dense}: {told}.")
    for backend, reached in done.groupby("backend", sort=False)["fraction"]:
        if reached.notna().any():
            ends = f"{rate(reached.min())} to {rate(reached.max())}"
            median = rate(reached.median())
            sentences.append(f"{backend} has {ends} the dense floor's rate, in the median {median}.")
    if len(speedups):
        least, most = (significant(value) for value in (speedups["ratio"].min(), speedups["ratio"].max()))
        threads = listing([f"{n:g}" for n in sorted(speedups["threads"].unique())])
        sentences.append(f"{threads} threads are {least} to {most} times as fast as one.")
    best = done.iloc[int(done["unit_updates_per_s"].fillna(0).to_numpy().argmax())]
    fastest = significant(1e-6 * best["unit_updates_per_s"])
    headline = f"At most {fastest} million units a second are drawn: {_named(best)}"
    return Answer("Gibbs sampling", headline, first(sentences))


def _growth(line: Series) -> str:
    last = f", {number(line.fit.last)} at the upper end" if np.isfinite(line.fit.last) else ""
    return f"{line.label} {line.fit.text}{last}"


def _named(row: "pd.Series") -> str:
    chains = f", {count(int(row['chains']), 'chain')}" if row["chains"] > 0 else ""
    return f"{row['where']}{chains}, on {software(row)}"


def _speedups(done: pd.DataFrame) -> pd.DataFrame:
    """The rows of several threads with `ratio`, how many times as fast as those of one thread."""
    alike = done.groupby([*_SAME, "threads"], sort=False, dropna=False)
    middle = alike[["n_visible", "n_hidden", "sweep_s"]].median().reset_index()
    alone = middle[middle["threads"] == 1][[*_SAME, "sweep_s"]]
    both = middle[middle["threads"] > 1].merge(alone, on=_SAME, suffixes=("", "_alone"))
    both = both.assign(ratio=both["sweep_s_alone"] / both["sweep_s"])
    return both.sort_values(["n_visible", "n_hidden", "chains", "threads"])


def _drawn(speedups: pd.DataFrame) -> Drawing:
    rows = list(records(speedups))
    figure, axes = panel("Threads: how many times as fast as one", 1.2 + 0.3 * len(rows))
    for threads in [1.0, *sorted(speedups["threads"].unique())]:
        axes.axvline(threads, color=MUTED, linewidth=1.0, linestyle="-" if threads == 1 else ":")
    for y, row in enumerate(rows):
        axes.plot([row.ratio], [y], "o", color=INK, markersize=5)
        axes.annotate(
            significant(row.ratio), (row.ratio, y), (7, 0), textcoords="offset points", va="center",
            fontsize=8,
        )  # fmt: skip
    labels = [f"{row.n_visible:g}x{row.n_hidden:g}, {count(int(row.chains), 'chain')}" for row in rows]
    if speedups["threads"].nunique() > 1:
        labels = [f"{label}, {row.threads:g} threads" for label, row in zip(labels, rows, strict=True)]
    axes.set_yticks(range(len(rows)), labels, fontsize=7.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(
        min(0.9, 0.9 * speedups["ratio"].min()), 1.15 * max(speedups[["ratio", "threads"]].max())
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_xlabel("time on one thread over time on several")
    told = [f"{label} {significant(row.ratio)}" for label, row in zip(labels, rows, strict=True)]
    caption = (
        "How many times as fast several threads are as one. The dotted line stands at as many times as "
        "there are threads."
    )
    return Drawing("gibbs-threads", figure, caption, f"Speed-up by threads: {listing(told)}.")


def _exponents(grown: list[list[Series]]) -> Sheet:
    columns = ["Cost against", "Of", "Points", "Exponent", "At the upper end", "Dense", "From", "To"]
    rows = [
        [
            Cell(line.dial.label),
            Cell(line.label),
            whole(len(line.points)),
            Cell(number(line.fit.exponent), line.fit.exponent, line.fit.interval),
            Cell(number(line.fit.last), line.fit.last),
            Cell(tick(line.dial.dense), line.dial.dense),
            _point(line, 0),
            _point(line, -1),
        ]
        for lines in grown
        for line in lines
    ]
    return Sheet("How the cost of a sweep grows", columns, rows)


def _point(line: Series, place: int) -> Cell:
    """A sweep's time at an end of a line, and where that is."""
    point = line.points.iloc[place]
    return Cell(duration(point["sweep_s"]), point["sweep_s"], f"at {_place(point['x'])}")


def _place(x: float) -> str:
    return f"{x:,.0f}" if x >= 1 else tick(float(f"{x:.2g}"))


def _sheet(done: pd.DataFrame) -> Sheet:
    columns = [
        "Model", "Chains", "Computed by", "On", "Flipping", "A sweep", "Million updates/s",
        "Attempted flips/ns", "Changed units/ns", "ESS/s", "Dense floor's rate",
    ]  # fmt: skip
    rows = [
        [
            _model(row),
            whole(row["chains"]),
            Cell(software(row)),
            part(row["on"]),
            part(row["flips"]),
            ranged(row["sweep_s"], row["sweep_s_low"], row["sweep_s_high"]),
            rounded(1e-6 * row["unit_updates_per_s"]),
            rounded(row["attempted_flips_per_ns"]),
            rounded(row["changed_units_per_ns"]),
            _effective(row),
            of_floor(row["fraction"], row["floor_s"], row["bound"]),
        ]
        for _, row in done.iterrows()
    ]
    return Sheet("Every case", columns, rows)


def _effective(row: "pd.Series") -> Cell:
    """Effective samples a second, and how many a draw is worth."""
    draw = row["ess_per_draw"]
    note = f"{significant(draw)} a draw" if np.isfinite(draw) else ""
    return Cell(significant(row["ess_per_s"]), row["ess_per_s"], note)


def _model(row: "pd.Series") -> Cell:
    """The size of a made-up model, which its rates tell apart from others; the name of any other."""
    made_up = np.isfinite(row["persistence"]) and np.isfinite(row["n_visible"] * row["n_hidden"])
    return Cell(f"{row['n_visible']:g}x{row['n_hidden']:g}" if made_up else str(row["where"]))


def _unknown(done: pd.DataFrame) -> list[str]:
    """Why some cases have no effective sample size."""
    reasons = done[done["ess_reason"].notna()].groupby("ess_reason", sort=False).size()
    if reasons.empty:
        return []
    told = [f"{reason} ({count(int(n), 'case')})" for reason, n in reasons.items()]
    return [f"Where effective samples show a dash ({MISSING}), {'; '.join(told)}."]
