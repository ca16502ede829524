"""The page: everything computed, drawn, put into the template and written."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.harness.table import Gaps, Table, gaps, load_table
from ebmbench.report import notes, restoration, status, style, tasks, text
from ebmbench.report.cases import split, tidy
from ebmbench.report.section import Drawing, Left, Section
from ebmbench.report.style import Looks
from ebmbench.report.tasks import deep
from ebmbench.report.training import figures, sensitivity, summary, sweeps, targets
from ebmbench.report.training.figures import Drawings
from ebmbench.report.training.results import Result, best, cases_of, collect


def write_page(folder: Path) -> Path:
    """Write `report.html` and `figures/` into a results folder; see `ebmbench.report.write`."""
    table = load_table(folder)
    by_task = split(table.rows)
    trained = tidy(by_task.pop("train", table.rows.iloc[:0]))
    results = collect(trained)
    with style.applied():
        found = tasks.tidy(by_task)
        cases = pd.concat([trained, *found.values()], ignore_index=True)
        looks = _looks(trained, found)
        shown = sweeps.best_settings(results)
        drawings = figures.draw(cases_of(trained, shown), table.curves, shown, looks, folder)
        settings = sensitivity.sections(trained, sweeps.find(results), looks)
        left = Left(table.curves, folder)
        sections = tasks.sections(found, looks, left)
        sections += restoration.sections(trained, found.get("deep"), looks, left)
        files = drawn([drawings.curves, drawings.times, drawings.pictures])
        files |= drawn([section.drawings for section in [*settings, *sections]])
    bounds = partial(deep.above, found.get("deep"))
    content = _content(table, gaps(folder), cases, trained, results, sections, bounds)
    content |= _training(drawings, trained, results, files) | _results(trained, results)
    content["settings"] = [_placed(section, files) for section in settings]
    html = render(content, sections, files)
    page = folder / "report.html"
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for name, file in files.items():
            write_atomically(folder / "figures" / name, file)
        write_atomically(page, html)
    except OSError as error:
        raise UserError(f"cannot write the report to {folder}: {error.strerror or error}") from None
    return page


def _looks(trained: pd.DataFrame, found: dict[str, pd.DataFrame]) -> Looks:
    """One look for an estimator in all parts of the page."""
    frames = [trained, *(frame for frame in found.values() if "estimator" in frame)]
    estimators = [str(name) for frame in frames for name in frame["estimator"]]
    names = [str(name) for frame in frames for name in frame["backend"]]
    return Looks(tuple(dict.fromkeys(estimators)), tuple(dict.fromkeys(names)))


def _content(
    table: Table,
    left_out: Gaps,
    cases: pd.DataFrame,
    trained: pd.DataFrame,
    results: list[Result],
    sections: list[Section],
    bounds: Callable[[str, float], list[str]],
) -> dict[str, Any]:
    """What the template says in words and numbers; bounds: what to add to a data set's answer."""
    left = cases[cases["status"] != "done"].fillna({"reason": "", "backend": ""})
    answers = []
    for dataset, group in trained.groupby("dataset", sort=False):
        own = [result for result in results if result.dataset == dataset]
        found, top = summary.answer(str(dataset), group, own), best(own)
        found.sentences.extend(bounds(str(dataset), top.lower) if top else [])
        answers.append(found)
    return {
        "kind": "report",
        "title": " · ".join(cases["title"].dropna().astype(str).unique()),
        "indicative": bool(cases["indicative"].eq(True).any()),
        "crowded": status.crowded(cases),
        "period": notes.period(cases["attempt"]),
        "place": notes.place(cases, table.machines),
        "overview": status.overview(cases, left_out) + summary.overview(trained, results),
        "answers": answers + [section.answer for section in sections if section.answer],
        "unfinished": left.to_dict("records"),
        "without_row": status.without_row(left_out.without_row),
        "method": [
            *(notes.method(trained) if len(trained) else []),
            *(line for section in sections for line in section.method),
            *notes.superseded(len(table.rows) - len(cases)),
        ],
        "training": notes.training(trained) if len(trained) else [],
        "versions": notes.versions(cases),
    }


def _training(
    drawings: Drawings, trained: pd.DataFrame, results: list[Result], files: dict[str, bytes]
) -> dict[str, Any]:
    """What the template places in the parts about trained models, a list for each part."""
    datasets = list(dict.fromkeys(result.dataset for result in results))
    rankings = [targets.ranking(d, [r for r in results if r.dataset == d]) for d in datasets]
    return {
        "trained": len(trained) > 0,
        "curves": [_figure(drawing, files) for drawing in drawings.curves],
        "times": [_figure(drawing, files) for drawing in drawings.times],
        "pictures": [_figure(drawing, files) for drawing in drawings.pictures],
        "missing": drawings.missing,
        "rankings": [ranking for ranking in rankings if ranking],
        "unresolved": text.UNRESOLVED,
    }


def _results(trained: pd.DataFrame, results: list[Result]) -> dict[str, Any]:
    """What the template places in the table of results, which has all of them."""
    return {
        "results": results,
        "swaps": trained["swap_rate"].notna().any(),
        "both_ways": any(result.lower < result.median for result in results),
        "learned": any(np.isfinite(result.learned_error) for result in results),
    }


def render(content: dict[str, Any], sections: list[Section], files: dict[str, bytes]) -> bytes:
    """A page as a file; content: what the template names; files: see `drawn`, of all its figures."""
    placed = [_placed(section, files) for section in sections]
    return _template().render(content | {"sections": placed}).encode("utf-8", "replace")


def drawn(groups: list[list[Drawing]]) -> dict[str, bytes]:
    """The figures as files, by name."""
    return {
        f"{drawing.name}.{kind}": style.render(drawing.figure, kind)
        for group in groups
        for drawing in group
        for kind in ("svg", "png")
    }


def _figure(drawing: Drawing, files: dict[str, bytes]) -> dict[str, str]:
    svg = Markup(style.inline(files[f"{drawing.name}.svg"], drawing.name))
    return {"svg": svg, "caption": drawing.caption, "alt": drawing.alt}


def _placed(section: Section, files: dict[str, bytes]) -> dict[str, Any]:
    """A section as the template places it."""
    figures_ = [_figure(drawing, files) for drawing in section.drawings]
    return {**vars(section), "figures": figures_}


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ebmbench.report"),
        autoescape=True,  # names and reasons can hold anything
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": text.number, "significant": text.significant}
    environment.filters["whole"] = text.whole
    return environment.get_template("report.html.j2")
