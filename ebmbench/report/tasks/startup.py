"""Start-up: how long a user waits for a first result, and where the time goes."""

import pandas as pd

from ebmbench.report.cases import Kind
from ebmbench.report.section import Answer, Cell, Section, Sheet
from ebmbench.report.style import Looks
from ebmbench.report.tasks.cells import ranged, records, seconds, whole
from ebmbench.report.text import durations, listing

_STAGES = {
    "python_s": "Python itself",
    "numba_s": "Import of Numba",
    "backend_s": "Import of the backend",
    "inputs_s": "Model and rows",
    "first_s": "First call",
    "again_s": "Further calls",
}
_ENDS = ("", "_low", "_high")
_COLD = ("cold_first_s", "cold_total_s", "cold_functions")
KIND = Kind(
    ("subject",),
    "job",
    (
        *(f"{name}{end}" for name in (*_STAGES, "total_s") for end in _ENDS),
        *_COLD,
        "functions",
        "processes",
    ),
)


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about start-up."""
    found = Section("startup", "Start-up", cases)
    done = cases[cases["status"] == "done"]
    if done.empty:
        found.intro = ["No start was measured, as no case was finished."]
        return found
    where = listing([str(name) for name in done["where"].unique()])
    found.intro = [
        f"Seconds from the start of a process to the first result, on {where}: once with an empty cache "
        "of kernels, and then with the full one, where no function may be compiled again."
    ]
    found.answer = Answer(
        "Start-up",
        f"A first result after {_span(done['total_s'])} where kernels are in the cache",
        [
            f"With an empty cache, after {_span(done['cold_total_s'])}.",
            f"Functions compiled again with a full cache: {done['functions'].max():.0f}.",
        ],
    )
    found.sheets = [_first_results(done), _stages(done)]
    processes = listing([f"{n:g}" for n in sorted(done["processes"].dropna().unique())])
    found.method = [
        f"Every start is a process of its own: {processes} with a full cache, whose medians and "
        "quartiles are given, and before them one with an empty one. Python's own time includes its end."
    ]
    return found


def _first_results(done: pd.DataFrame) -> Sheet:
    columns = [
        "Job", "Backend", "Empty cache", "of which the first call", "Functions compiled", "Full cache",
        "Functions compiled again",
    ]  # fmt: skip
    rows = [
        [
            Cell(str(row.job)),
            Cell(str(row.backend)),
            seconds(row.cold_total_s),
            seconds(row.cold_first_s),
            whole(row.cold_functions),
            _stage(row, "total_s"),
            whole(row.functions),
        ]
        for row in records(done)
    ]
    return Sheet("First results", columns, rows)


def _stages(done: pd.DataFrame) -> Sheet:
    rows = [
        [Cell(str(row.job)), Cell(str(row.backend)), *(_stage(row, name) for name in _STAGES)]
        for row in records(done)
    ]
    return Sheet("Where the time goes, full cache", ["Job", "Backend", *_STAGES.values()], rows)


def _span(values: pd.Series) -> str:
    return durations(float(values.min()), float(values.max()))


def _stage(row: object, name: str) -> Cell:
    return ranged(*(float(getattr(row, f"{name}{end}")) for end in _ENDS))
