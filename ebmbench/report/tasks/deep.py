"""Deep models trained end to end: what they are worth, how fast they got there, and what they make."""

from typing import Any

import numpy as np
import pandas as pd

from ebmbench.harness.measures import BETTER, BOUND, ERROR, PARZEN, TITLES
from ebmbench.harness.table import load_model
from ebmbench.report.cases import Kind, display_names
from ebmbench.report.deep import drawings, pictures, tables
from ebmbench.report.deep.entries import Entry, collect, without_gain
from ebmbench.report.section import Answer, Left, Section
from ebmbench.report.style import Looks
from ebmbench.report.text import count, duration, listing, on, significant, slug

KIND = Kind(
    ("dataset",),
    "recipe",
    (
        "train_s", "images_per_s", "std_error", "bound", "bound_reverse", "gap", "error", "parzen",
        "memory_peak", "memory_before", "device_memory", "baseline_independent", "baseline_mixture",
        "error_of_one_class", "parzen_train", "parzen_centres", "parzen_sigma", "parzen_samples",
        "mmd_squared", "mmd_p_value", "nearest_median", "nearest_test_median", "n_test", "wrong",
    ),
    words={
        "batch_size": "batch", "evaluate": "judged by", "betas": "AIS temperatures", "sampled": "sampled",
        "chains": "AIS chains", "samples": "samples",
    },
    others=(
        "model", "hidden", "measure", "verdict", "resolved", "stages", "seconds_to_target",
        "log_z_schedule", "caveat", "restored",
    ),
)  # fmt: skip
_BEST = {BOUND: "Best bound", ERROR: "Fewest errors", PARZEN: "Best Parzen window"}


def section(cases: pd.DataFrame, looks: Looks, left: Left) -> Section:
    """The part of the page about deep models."""
    found = Section("deep", "Deep models", cases)
    entries = [entry for entry in collect(cases) if entry.values]
    if not entries:
        found.answer = Answer("Deep models", "No deep model was trained", [])
        found.intro = ["There is nothing to show of deep models, as no case was finished."]
        return found
    found.intro = _introduction(entries)
    for place, where in enumerate(dict.fromkeys(entry.where for entry in entries), 1):
        own = [entry for entry in entries if entry.where == where]
        name = f"deep-{place}-{slug(where)}"
        for measure in BETTER:
            judged = [entry for entry in own if entry.measure == measure]
            if judged:
                found.drawings += drawings.curves(name, where, measure, judged, left.points)
        kept = [(entry, load_model(left.folder, entry.best_key) or {}) for entry in own]
        for number, (entry, arrays) in enumerate(kept, 1):
            if entry.measure == PARZEN:
                found.drawings += pictures.players(f"{name}-{number}", entry, arrays)
                found.drawings += pictures.over_time(f"{name}-{number}", entry, arrays)
        found.drawings += pictures.at_the_end(name, where, _energies(kept))
        found.sheets += [tables.worth(where, own), *tables.cost(where, own), *tables.stages(where, own)]
    found.answer = _answer(entries)
    found.method = [_METHOD, _MEMORY]
    return found


def above(cases: pd.DataFrame | None, dataset: str, value: float) -> list[str]:
    """A sentence on the best bound that exceeds a log-likelihood of the same data set, if one does."""
    if cases is None:
        return []
    names = display_names(cases["where"].unique())
    entries = [
        entry for entry in collect(cases)
        if entry.measure == BOUND and names[entry.where] == dataset and entry.low > value
    ]  # fmt: skip
    if not entries:
        return []
    entry = min(entries, key=lambda entry: entry.rank)
    doubt = f", {entry.resolution}" if entry.unresolved else ""
    return [f"Under deep models a bound stands above it: {entry.label}, at least {entry.told}{doubt}."]


def _energies(kept: list[tuple[Entry, Any]]) -> list[tuple[Entry, Any]]:
    """Those with samples of chains; those that went on to classify only where there are no others."""
    bounded = [one for one in kept if one[0].measure == BOUND]
    return bounded or [one for one in kept if one[0].measure == ERROR]


def _introduction(entries: list[Entry]) -> list[str]:
    measures = {entry.measure for entry in entries}
    told = []
    if BOUND in measures:
        told.append(
            "Where hidden units are tied to each other the log-likelihood itself is not to be had. The "
            "bound lies below it as far as log Z is right; AIS errs low, and the bound is then too high, "
            "so log Z is estimated from both sides where a row says resolved."
        )
    if ERROR in measures:
        told.append(
            "A classifier is judged by the share of test rows that it tells wrong; a DBN or DBM that "
            "initialises one stands beside a network that starts at random."
        )
    caveats = [entry.facts.get("caveat") for entry in entries]
    return told + list(dict.fromkeys(caveat for caveat in caveats if isinstance(caveat, str)))


def _answer(entries: list[Entry]) -> Answer:
    sentences = []
    for group in dict.fromkeys((entry.where, entry.measure) for entry in entries):
        ranked = sorted((e for e in entries if (e.where, e.measure) == group), key=lambda e: e.rank)
        entry, *others = ranked
        rows = " of test rows" if entry.measure == ERROR else " per test row"
        text = f"{_BEST[entry.measure]} on {entry.where}: {entry.label}, {entry.told}{rows}"
        text += f", after {duration(entry.train_s)} on {entry.backend}"
        text += f"; {entry.resolution}" if entry.resolution else ""
        near = [other.label for other in others if not entry.is_told_apart_from(other)]
        text += f"; not told apart from {listing(near)}" if near else ""
        sentences.append(f"{text}.")
    fast = max(entries, key=lambda entry: np.nan_to_num(entry.images_per_s))
    told = f"{significant(fast.images_per_s)} images a second: {on(fast.label, fast.backend)}"
    sentences.append(f"Fastest in training is {told}, {fast.where}.")
    sentences += without_gain(entries)
    kinds = listing(list(dict.fromkeys(TITLES[entry.model] for entry in entries)))
    return Answer("Deep models", f"{count(len(entries), 'model')} trained end to end: {kinds}", sentences)


_METHOD = (
    "A deep model is trained from data alone. The clock runs through all of its phases, and through "
    "what one makes of the data for the next, but not while a model is judged. Images a second are rows "
    "of data seen over all of these seconds; each layer of a stack sees every row once an epoch."
)
_MEMORY = (
    "Peak memory is that of a process of its own which trains the same model for an epoch in every "
    "stage, and evaluates nothing; before: with libraries, kernels and data, but no model."
)
