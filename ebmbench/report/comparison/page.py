"""The page of a comparison: what came of it, then figures and tables task by task."""

from pathlib import Path
from typing import Any

import pandas as pd

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.harness.table import Table, gaps
from ebmbench.report import notes, page, status, style
from ebmbench.report.comparison import figure, tables
from ebmbench.report.section import Answer, Drawing, Section
from ebmbench.report.tasks.cells import records
from ebmbench.report.text import count, percent, slug

_WORSE = "worse"
_NAMED = 8  # worse cases that the page begins with
_METHOD = [
    "Cases are the same where all that decides them agrees but code version and machine; the seeds that "
    "both folders finished are taken together.",
    "A ratio of speeds is that of the medians of all runs. Its 95 % interval is from processes where "
    "each side has at least three, else from runs or turns, widened by 5 % a process for what one "
    "process cannot show of others. Quartiles are no such interval.",
    "A change of quality has a 95 % interval from the seeds, or from the figure's own standard error.",
    "Worse and better changed by more than the threshold or the figure's tolerance, and the interval "
    "excludes that nothing changed; maybe worse and maybe better changed by as much without that proof, "
    "a figure by more than half its interval's reach.",
    "The folders were measured one after the other: what else a machine did meanwhile is in the ratios.",
]


def write(
    path: Path,
    frame: pd.DataFrame,
    found: tuple[Table, Table],
    folders: tuple[Path, Path],
    threshold: float,
) -> None:
    """Write the page; frame, threshold: of a `Comparison`; `UserError` where it cannot be written."""
    with style.applied():
        sections = [
            _section(str(task), rows, threshold) for task, rows in frame.groupby("task", sort=False)
        ]
        files = page.drawn([section.drawings for section in sections])
    html = page.render(_content(frame, found, folders, threshold), sections, files)
    try:
        write_atomically(path, html)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def described(table: Table, name: str, folder: Path) -> list[str]:
    """A folder in words: when it was filled, on which machines and backends, by which code."""
    place, *rest = notes.place(table.rows, table.machines)
    codes = ", ".join(str(code) for code in table.rows["code_version"].dropna().unique())
    damaged = gaps(folder).damaged
    lost = [f"{count(damaged, 'line')} of its rows.jsonl left out, as damaged"] if damaged else []
    named = f"{name}: {folder}, {notes.period(table.rows['attempt'])}, code {codes}"
    return [named, *lost, place, *rest]


def _content(
    frame: pd.DataFrame, found: tuple[Table, Table], folders: tuple[Path, Path], threshold: float
) -> dict[str, Any]:
    counts = tables.counts(frame)
    overview = [
        f"{tables.counted(counts)}. A speed counts as changed from {percent(threshold)} on.",
        *tables.together(frame, threshold),
        *tables.chance(frame),
    ]
    return {
        "kind": "comparison",
        "title": f"{folders[1]} against {folders[0]}",
        "indicative": any(table.rows["indicative"].eq(True).any() for table in found),
        "crowded": " ".join(
            f"in {name} {told}"
            for name, table in zip("AB", found, strict=True)
            if (told := status.crowded(table.rows))
        ),
        "period": "",
        "place": [
            line
            for table, name, folder in zip(found, "AB", folders, strict=True)
            for line in described(table, name, folder)
        ],
        "overview": overview,
        "answers": [_answer(frame, counts)],
        "trained": False,
        "unfinished": None,
        "method": _METHOD,
        "training": [],
        "versions": [],
    }


def _answer(frame: pd.DataFrame, counts: dict[str, int]) -> Answer:
    """How many cases are worse, and which."""
    cases = frame.drop_duplicates("number")
    worse = cases[cases["case_verdict"] == _WORSE]
    told = [
        f"{tables.heading(row.task)}, {row.where}, {row.name}, {tables.backends(row.backends)}: "
        f"{row.case_reason}."
        for row in records(worse)
    ]
    verb = "is" if len(worse) == 1 else "are"
    headline = f"{len(worse) or 'None'} of {count(len(cases), 'case')} {verb} worse in B than in A"
    more = len(told) - _NAMED
    sentences = told if more <= 0 else [*told[:_NAMED], f"{count(more, 'more case')} in the tables."]
    return Answer("B against A", headline, sentences)


def _section(task: str, rows: pd.DataFrame, threshold: float) -> Section:
    section = Section(f"task-{slug(task)}", tables.heading(task), rows, sheets=tables.sheets(rows))
    section.intro = [f"{tables.counted(tables.counts(rows))}."]
    if len(figure.drawable(rows)):
        section.drawings = [
            Drawing(
                f"speeds-{slug(task)}",
                figure.draw(rows, threshold),
                f"Ratios of speeds with 95 % intervals. The band is {percent(threshold)} wide each way.",
                figure.alt(rows),
            )
        ]
    return section
