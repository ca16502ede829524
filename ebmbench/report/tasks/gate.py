"""The gate: how far each job of a backend is from the float64 reference."""

import pandas as pd

from ebmbench.report.cases import Kind
from ebmbench.report.section import Answer, Cell, Section, Sheet
from ebmbench.report.style import Looks
from ebmbench.report.tasks.cells import records, rounded
from ebmbench.report.text import count, listing

KIND = Kind(
    ("subject",), "job", ("error", "tolerance"), words={"arithmetic": "in"}, others=("size", "status")
)


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about the gate; a red job has its error, too."""
    found = Section("gate", "Agreement with the reference", cases)
    known = cases[cases["error"].notna() | (cases["status"] == "red")]
    if known.empty:
        found.answer = Answer("Gate", "No job was held against the reference", [])
        found.intro = ["No job was held against the reference, as no case was finished."]
        return found
    red = known[known["status"] != "done"]
    agree = f"{len(known) - len(red)} of {count(len(known), 'job')} agree with the float64 reference"
    wrong = [f"{row.job} ({row.arithmetic}) on {row.backend}" for row in records(red)]
    found.answer = Answer("Gate", agree, [f"Red: {listing(wrong)}."] if wrong else [])
    columns = ["Job", "Arithmetic", "Backend", "Largest difference", "Allowed", "At size", "Verdict"]
    rows = [
        [
            Cell(str(row.job)),
            Cell(str(row.arithmetic)),
            Cell(str(row.backend)),
            _small(row.error),
            _small(row.tolerance),
            Cell(str(row.size) if isinstance(row.size, str) else ""),
            Cell("agrees" if row.status == "done" else str(row.status)),
        ]
        for row in records(known)
    ]
    found.sheets = [Sheet("", columns, rows)]
    found.method = [
        "The gate runs every job on small models of ragged sizes beside the float64 reference, from the "
        "same random numbers. A size is visible units, hidden units and rows."
    ]
    return found


def _small(value: float) -> Cell:
    """Differences are tiny, so here powers of ten serve best."""
    return Cell(f"{value:.2g}".replace("-", "−"), value) if value > 0 else rounded(value)
