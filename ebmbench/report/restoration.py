"""Restoration: how many bits trained models get wrong of what they are to undo, beside simple models."""

import textwrap
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ebmbench.harness.table import load_model
from ebmbench.report.cases import display_names
from ebmbench.report.section import Answer, Cell, Drawing, Left, Section, Sheet
from ebmbench.report.style import GRID, INK, MUTED, WIDTH, Looks, panel
from ebmbench.report.tasks.cells import rounded
from ebmbench.report.text import count, duration, listing, on, significant, slug
from ebmbench.report.training.pictures import images_of

_YARDSTICKS = {"base_rates": ("base rates", ":"), "mixture": ("mixture of 10", "--")}


class Entry(NamedTuple):
    """The seeds of one label on one data set and backend that undid one kind of damage: medians.

    place: of the damage among those of its best seed's case, which has the key; wrong: shares of bits, a
    value a seed; fewer: by how much that is below the base rates', and std_error: of it over rows, the
    largest; gains, ahead: seeds in which it is below base rates, and below the mixture, by three of them.
    """

    dataset: str
    label: str
    estimator: str
    backend: str
    damage: str
    place: int
    wrong: tuple[float, ...]
    nats: float
    fewer: float
    std_error: float
    gains: int
    ahead: int
    base_rates: float
    mixture: float
    row_s: float
    by: str
    key: str

    @property
    def median(self) -> float:
        """Of the shares of wrong bits."""
        return float(np.median(self.wrong))


def sections(trained: pd.DataFrame, deep: pd.DataFrame | None, looks: Looks, left: Left) -> list[Section]:
    """One, or none where no case was asked to restore; trained and deep: tidy rows of those tasks."""
    frames = [trained]
    if deep is not None:
        names = display_names(deep["where"].unique())
        frames.append(deep.assign(where=deep["where"].map(names)))
    entries = [entry for frame in frames for entry in _entries(frame)]
    if not entries:
        return []
    found = Section("restoration", "Restoration", trained.iloc[:0])
    told = []
    for number_, dataset in enumerate(dict.fromkeys(entry.dataset for entry in entries), 1):
        own = [entry for entry in entries if entry.dataset == dataset]
        found.drawings.append(_drawing(f"restoration-{number_}-{slug(dataset)}", dataset, own, looks))
        found.drawings += _pictures(f"restored-{number_}-{slug(dataset)}", dataset, own, left)
        told += [_told(dataset, group) for group in _by_damage(own)]
    columns = ["Data set", "Damage", "Model", "Bits wrong", "Below base rates, points", "Nats a bit"]
    columns += ["Mixture", "Time a row"]
    found.sheets = [Sheet("", columns, [_row(entry) for group in _groups(entries) for entry in group])]
    found.answer = Answer("Restoration", _headline(entries), told)
    found.method = [
        "Restoration: damage to test rows is drawn by the seed, and a bit is restored as what a Gibbs "
        "chain of its row finds likelier, given all that is left, in the second half of its sweeps. "
        "Which bits were flipped is not known, but at which rate. Where bits are missing only those "
        "count, else all. It is of the first 1,000 test rows, or of all where there are fewer, and 200 "
        "sweeps, where no other number is named. Base rates are those of the training rows; the "
        "posterior of the mixture of 10 Bernoullis is exact. ± is a standard error over rows, each "
        "against itself, the largest of the seeds; a seed that is not below base rates by three of its "
        "own has no gain. All of it is off the clock."
    ]
    return [found]


def _entries(cases: pd.DataFrame) -> list[Entry]:
    done = cases[(cases["status"] == "done") & cases["restored"].map(lambda x: bool(_listed(x)))]
    found = []
    for names, group in done.groupby(["where", "label", "backend"], sort=False):
        damages = dict.fromkeys(one["damage"] for case in group["restored"] for one in _listed(case))
        found += [_entry(names, damage, group) for damage in damages]
    return found


def _listed(value: Any) -> list[dict[str, Any]]:
    """The entries of a case that came to something."""
    known = value if isinstance(value, list) else []
    return [one for one in known if isinstance(one, dict) and "model_wrong" in one]


def _entry(names: tuple[Any, ...], damage: str, group: pd.DataFrame) -> Entry:
    dataset, label, backend = map(str, names)
    entries = [one for case in group["restored"] for one in _listed(case) if one["damage"] == damage]
    seeds = pd.DataFrame(entries)
    middle = seeds.median(numeric_only=True)
    best = seeds.iloc[int(np.argmin(seeds["model_wrong"].to_numpy()))]
    errors = {who: pd.to_numeric(seeds[f"fewer_than_{who}_std_error"]) for who in _YARDSTICKS}
    ahead = seeds["fewer_than_mixture"] > 3.0 * errors["mixture"]
    first = group.iloc[0]
    return Entry(
        dataset, label, str(first.get("estimator", first.get("model"))), backend, damage,
        int(best["place"]), tuple(seeds["model_wrong"]), middle["model_nats"],
        middle["fewer_than_base_rates"], float(errors["base_rates"].max()), int(seeds["gain"].sum()),
        int(ahead.sum()), middle["base_rates_wrong"], middle["mixture_wrong"],
        float((seeds["seconds"] / seeds["rows"]).median()), str(best["backend"]), str(best["key"]),
    )  # fmt: skip


def _by_damage(entries: list[Entry]) -> list[list[Entry]]:
    """In the order of the first case that names each; best first."""
    damages = dict.fromkeys(entry.damage for entry in entries)
    return [
        sorted((entry for entry in entries if entry.damage == damage), key=lambda entry: entry.median)
        for damage in damages
    ]


def _groups(entries: list[Entry]) -> list[list[Entry]]:
    """Of each data set in turn, `_by_damage`."""
    return [
        group
        for dataset in dict.fromkeys(entry.dataset for entry in entries)
        for group in _by_damage([entry for entry in entries if entry.dataset == dataset])
    ]


def _headline(entries: list[Entry]) -> str:
    groups = _groups(entries)
    ahead = sum(any(2 * entry.ahead > len(entry.wrong) for entry in group) for group in groups)
    if not ahead:
        return "No model restores more than the mixture of 10 by three standard errors"
    if len(groups) == 1:
        best = groups[0][0]
        return f"{best.label} restores best: {_percent(best.median)} of bits wrong, {best.damage}"
    return (
        f"A model restores more than the mixture of 10, by three standard errors, in {ahead} of "
        f"{count(len(groups), 'comparison')}"
    )


def _told(dataset: str, group: list[Entry]) -> str:
    best, last = group[0], group[-1]
    apart = _percent(last.median) != _percent(best.median)
    worst = f", up to {_percent(last.median)} of {last.label}" if apart else ""
    return (
        f"{dataset}, {best.damage}: {_percent(best.median)} of the bits are wrong after {best.label}"
        f"{worst}; {_percent(best.mixture)} after the mixture of 10, "
        f"{_percent(best.base_rates)} by base rates."
    )


def _percent(share: float) -> str:
    """Of three digits, as models differ in the third."""
    return f"{significant(100.0 * share)} %"


def _part(share: float, note: str = "") -> Cell:
    return Cell(_percent(share), share, note)


def _row(entry: Entry) -> list[Cell]:
    n = len(entry.wrong)
    ends = f"[{_percent(min(entry.wrong))}, {_percent(max(entry.wrong))}]" if n > 1 else ""
    gain = f"± {significant(100.0 * entry.std_error)}" if np.isfinite(entry.std_error) else ""
    gain = ", ".join([gain] * bool(gain) + ["no gain"] * (2 * entry.gains <= n))
    return [
        Cell(entry.dataset),
        Cell(entry.damage),
        Cell(entry.label, note=f"trained on {entry.backend}"),
        _part(entry.median, ends),
        Cell(significant(100.0 * entry.fewer), entry.fewer, gain),
        rounded(entry.nats),
        _part(entry.mixture),
        Cell(duration(entry.row_s), entry.row_s, f"on {entry.by}"),
    ]


def _drawing(name: str, dataset: str, entries: list[Entry], looks: Looks) -> Drawing:
    """Axes one below the other, one for each damage: a marker each model, lines for the yardsticks."""
    several = len({entry.backend for entry in entries}) > 1

    def named(entry: Entry) -> str:
        return on(entry.label, entry.backend) if several else entry.label

    groups = _by_damage(entries)
    names = [[textwrap.fill(named(entry), 34) for entry in group] for group in groups]
    # As high as the longest name of a group needs.
    lines = [max(name.count("\n") for name in group) for group in names]
    heights = [0.75 + (0.26 + 0.15 * n) * len(group) for n, group in zip(lines, groups, strict=True)]
    figure, first = panel(f"{dataset}: bits restored wrongly", 0.5 + sum(heights))
    first.remove()
    places = figure.subplots(len(groups), squeeze=False, height_ratios=heights).ravel()
    for axes, group, called in zip(places, groups, names, strict=True):
        for y, entry in enumerate(group):
            colour, marker = _look(entry, looks)
            axes.plot([min(entry.wrong), max(entry.wrong)], [y, y], color=INK, linewidth=1.0)
            axes.plot(entry.median, y, marker, color=colour, markersize=6)
        for name_, (yardstick, line) in _YARDSTICKS.items():
            value = getattr(group[0], name_)
            axes.axvline(value, color=MUTED, linewidth=1.2, linestyle=line, zorder=1, label=yardstick)
        axes.set_yticks(range(len(group)), called)
        axes.set_ylim(len(group) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_title(group[0].damage, fontsize=9, loc="left")
        axes.margins(x=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    places[-1].set_xlabel("counted bits that are wrong")
    handles, labels = places[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    caption = (
        f"Shares of the bits of test rows of {dataset} that are wrong after restoration. Markers are "
        "medians over the seeds, whiskers reach from the best to the worst. Lines are what base rates "
        "and a mixture of 10 Bernoullis leave wrong."
    )
    ends = [f"{named(e)} {_percent(e.median)} ({e.damage})" for group in groups for e in group]
    alt = f"Shares of bits of {dataset} that are restored wrongly: {listing(ends)}."
    return Drawing(name, figure, caption, alt)


def _look(entry: Entry, looks: Looks) -> tuple[str, str]:
    """Of its estimator; what no figure but this one shows is drawn in ink."""
    if entry.estimator in looks.estimators:
        return looks.colour(entry.estimator), looks.marker(entry.estimator)
    return INK, "s"


def _pictures(name: str, dataset: str, entries: list[Entry], left: Left) -> list[Drawing]:
    """Some rows as they were, damaged, and as the best model restores them; for each damage."""
    drawn = [
        (group[0], sheet) for group in _by_damage(entries) if (sheet := _sheet(group, left)) is not None
    ]
    if not drawn:
        return []
    height, width = drawn[0][1].shape
    figure, first = panel(f"{dataset}: restored", 0.4 + len(drawn) * (0.3 + WIDTH * height / width))
    first.remove()
    places = figure.subplots(len(drawn), squeeze=False).ravel()
    for axes, (entry, sheet) in zip(places, drawn, strict=True):
        axes.set(facecolor=GRID, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.grid(visible=False)
        axes.imshow(sheet, cmap="gray_r", vmin=0.0, vmax=1.0, interpolation="nearest")
        axes.set_title(textwrap.fill(f"{entry.damage}: {entry.label}", 64), fontsize=8, loc="left")
    told = listing([f"{entry.damage} by {entry.label}" for entry, _ in drawn])
    caption = (
        f"Test rows of {dataset}: as they were, damaged, and what the best model whose pictures were "
        f"kept makes of them, the probability of each bit; {told}."
    )
    return [Drawing(name, figure, caption, f"Rows of {dataset} as images, damaged and restored: {told}.")]


def _sheet(group: list[Entry], left: Left) -> np.ndarray | None:
    """Three lines of pictures of the best model that left any; NaN where there is none."""
    for entry in group:
        arrays = load_model(left.folder, entry.key) or {}
        rows = arrays.get(f"restored_{entry.place}")
        shape = tuple(int(side) for side in np.ravel(arrays.get("image_shape", ())))
        if rows is None or rows.ndim != 3 or len(shape) != 2 or min(shape) < 2:
            continue
        if rows.shape[2] != shape[0] * shape[1]:
            continue
        gap = max(1, min(shape) // 8)
        lines = [images_of(line, shape, str(arrays.get("image_order", "C"))) for line in rows]
        framed = [np.pad(line, ((0, 0), (gap, 0), (gap, 0)), constant_values=np.nan) for line in lines]
        sheet = np.concatenate([np.concatenate(list(line), axis=1) for line in framed], axis=0)
        return np.pad(sheet, ((0, gap), (0, gap)), constant_values=np.nan)
    return None
