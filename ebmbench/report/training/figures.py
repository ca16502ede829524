"""Every figure of the trained models, with its caption and its description."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ebmbench.harness.table import load_model
from ebmbench.report.section import Drawing
from ebmbench.report.style import Looks
from ebmbench.report.text import UNRESOLVED, duration, listing, number, slug
from ebmbench.report.training import curves, pictures, targets, times
from ebmbench.report.training.results import Result, best
from ebmbench.report.training.summary import yardsticks
from ebmbench.report.training.traces import combine


@dataclass
class Drawings:
    """The figures of a page by section; `missing` says which pictures there are not, and why."""

    curves: list[Drawing] = field(default_factory=list)
    times: list[Drawing] = field(default_factory=list)
    pictures: list[Drawing] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def draw(
    cases: pd.DataFrame, points: pd.DataFrame, results: list[Result], looks: Looks, folder: Path
) -> Drawings:
    """All figures that the table has something for; colours tell estimators apart, or settings of one."""
    drawings = Drawings()
    for place, (dataset, group) in enumerate(cases.groupby("dataset", sort=False), 1):
        title = str(dataset)
        name = f"{place}-{slug(title)}"
        own = [result for result in results if result.dataset == dataset]
        how = looks
        if group["estimator"].nunique() == 1:  # its settings are what is compared
            group = group.assign(estimator=group["label"])
            own = [replace(result, estimator=result.label) for result in own]
            how = replace(looks, estimators=tuple(dict.fromkeys(group["label"])))
        drawings.curves.extend(_curves(title, name, group, points, own, how))
        drawings.times.extend(_times(title, name, own, how))
        shown, missing = _pictures(title, name, group, own, folder)
        drawings.pictures.extend(shown)
        drawings.missing.extend(missing)
    return drawings


def _curves(
    title: str,
    name: str,
    cases: pd.DataFrame,
    points: pd.DataFrame,
    results: list[Result],
    looks: Looks,
) -> list[Drawing]:
    found = combine(cases, points)
    if not found:
        return []
    known = yardsticks(cases)
    figure = curves.draw(title, found, known, targets.named(results), looks)
    caption = (
        f"Test log-{'density' if known.real else 'likelihood'} on {title} against clocked training time."
    )
    if any(trace.seeds > 1 for trace in found):
        caption += " Lines are medians over the seeds, bands reach from the worst to the best seed."
    if not all(trace.finished for trace in found):
        caption += " A thin line with a cross is a single run that was not finished."
    if not all(trace.resolved for trace in found):
        caption += f" An open marker is an unresolved end: {UNRESOLVED}."
    caption += " The axes leave out the time before the first rise and what lies far below."
    ends = [
        f"{trace.label} on {trace.backend} {'ends' if trace.finished else 'breaks off'} at "
        f"{number(trace.end)}{'' if trace.resolved else ', unresolved'}"
        for trace in found
    ]
    alt = f"Learning curves on {title}, in nats per test row: {listing(ends)}."
    return [Drawing(f"curves-{name}", figure, caption, alt)]


def _times(title: str, name: str, results: list[Result], looks: Looks) -> list[Drawing]:
    timed = times.timed(results)
    if not timed:
        return []
    caption = (
        f"Median time per update on {title}; whiskers are the quartiles of the samples of all seeds."
    )
    if times.needs_log(timed):
        caption += " The axis is logarithmic, so markers stand where bars would end."
    values = [f"{r.label} on {r.backend} {duration(r.update_s[1])}" for r in timed]
    alt = f"Median time per update on {title}: {listing(values)}."
    return [Drawing(f"time-{name}", times.draw(title, timed, looks), caption, alt)]


def _pictures(
    title: str, name: str, cases: pd.DataFrame, results: list[Result], folder: Path
) -> tuple[list[Drawing], list[str]]:
    """The pictures of the best result's best seed, or why there are none."""
    top = best(results)
    if top is None:
        return [], []
    of_top = (cases["label"] == top.label) & (cases["backend"] == top.backend)
    case = cases[of_top & (cases["status"] == "done")].nlargest(1, "log_likelihood_lower").iloc[0]
    which = f"{top.label} on {top.backend}, seed {case['seed']}"
    model = pictures.read(load_model(folder, str(case["key"])))
    if model is None:
        return [], []
    if isinstance(model, str):
        return [], [f"There are no pictures of the best model on {title} ({which}): {model}."]
    shown = len(model.filters)
    some = f"the {shown} largest of {model.units}" if shown < model.units else f"all {shown}"
    whose = f"units of the best model on {title} ({which}) hear from each other"
    what, drawn = "the couplings", "couplings"
    if model.hidden:
        whose = f"hidden units of the best model on {title} ({which}) look for"
        what, drawn = "W", "filters"
    bound = number(float(np.abs(model.filters).max()))
    low, high = model.range
    after = " after a long Gibbs chain" if model.chains else ""
    greys = "" if model.binary else f", in greys from {number(low)}, white, to {number(high)}, black"
    filters = Drawing(
        f"filters-{name}",
        pictures.draw_filters(f"{title}: {drawn}", model),
        f"What the {whose}: {some} columns of {what}, largest norm first, on one scale about 0.",
        f"{shown} {drawn} of the best model on {title} as images; weights reach ±{bound}.",
    )
    samples = Drawing(
        f"samples-{name}",
        pictures.draw_samples(f"{title}: samples", model),
        f"What the same model draws{after}: {len(model.samples)} samples{greys}.",
        f"{len(model.samples)} samples of the best model on {title} as "
        f"{'grey' if greys else 'black and white'} images.",
    )
    return [filters, samples], []
