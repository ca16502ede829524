"""The page: everything computed, drawn, put into the template and written."""

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.harness.table import Table, load_table
from ebmbench.report import figures, notes, style, summary, text
from ebmbench.report.cases import tidy
from ebmbench.report.figures import Drawing, Drawings
from ebmbench.report.results import Result, collect


def write_page(folder: Path) -> Path:
    """Write `report.html` and `figures/` into a results folder; see `ebmbench.report.write`."""
    table = load_table(folder)
    cases = tidy(table.rows)
    results = collect(cases)
    with style.applied():
        drawings = figures.draw(cases, table.curves, results, folder)
        files = _files(drawings)
    content = _content(table, cases, results) | _figures(drawings, files)
    html = _template().render(content)
    page = folder / "report.html"
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for name, file in files.items():
            write_atomically(folder / "figures" / name, file)
        write_atomically(page, html.encode("utf-8", "replace"))
    except OSError as error:
        raise UserError(f"cannot write the report to {folder}: {error.strerror or error}") from None
    return page


def _content(table: Table, cases: pd.DataFrame, results: list[Result]) -> dict[str, Any]:
    """What the template says in words and numbers."""
    return {
        "title": " · ".join(cases["title"].dropna().astype(str).unique()),
        "indicative": bool(cases["indicative"].eq(True).any()),
        "period": notes.period(cases["attempt"]),
        "place": notes.place(cases, table.machines),
        "overview": summary.overview(cases, results),
        "answers": [
            summary.answer(str(dataset), group, [r for r in results if r.dataset == dataset])
            for dataset, group in cases.groupby("dataset", sort=False)
        ],
        "results": results,
        "unfinished": cases[cases["status"] != "done"].fillna({"reason": ""}).to_dict("records"),
        "method": notes.method(cases, len(table.rows) - len(cases)),
        "training": notes.training(cases),
        "versions": notes.versions(cases),
    }


def _files(drawings: Drawings) -> dict[str, bytes]:
    """The figures as files, by name."""
    return {
        f"{drawing.name}.{kind}": style.render(drawing.figure, kind)
        for section in (drawings.curves, drawings.times, drawings.pictures)
        for drawing in section
        for kind in ("svg", "png")
    }


def _figures(drawings: Drawings, files: dict[str, bytes]) -> dict[str, Any]:
    """The figures as the template places them, a list for each section."""

    def placed(drawing: Drawing) -> dict[str, str]:
        svg = Markup(style.inline(files[f"{drawing.name}.svg"], drawing.name))
        return {"svg": svg, "caption": drawing.caption, "alt": drawing.alt}

    return {
        "curves": [placed(drawing) for drawing in drawings.curves],
        "times": [placed(drawing) for drawing in drawings.times],
        "pictures": [placed(drawing) for drawing in drawings.pictures],
        "missing": drawings.missing,
    }


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ebmbench.report"),
        autoescape=True,  # names and reasons can hold anything
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": text.number, "significant": text.significant}
    return environment.get_template("report.html.j2")
