"""Ceilings: what the devices can do at most."""

import pandas as pd

from ebmbench.report.cases import Kind
from ebmbench.report.section import Cell, Section, Sheet
from ebmbench.report.style import Looks
from ebmbench.report.tasks.cells import records, rounded
from ebmbench.report.text import MISSING

KIND = Kind(
    ("subject",), "measured", ("copy_per_s", "float32_per_s", "bfloat16_per_s"), others=("measured_by",)
)


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about ceilings."""
    found = Section("ceilings", "Ceilings of the devices", cases)
    done = cases[cases["status"] == "done"]
    if done.empty:
        found.intro = ["No ceiling was measured, as no case was finished."]
        return found
    found.intro = ["The floors of the kernels stand on these rates, which were measured in the same run."]
    columns = [
        "Backend", "Copies, GB read and written a second", "float32 products, TFLOP/s",
        "bfloat16 products, TFLOP/s", "By",
    ]  # fmt: skip
    rows = [
        [
            Cell(str(row.backend)),
            rounded(row.copy_per_s / 1e9),
            rounded(row.float32_per_s / 1e12),
            rounded(row.bfloat16_per_s / 1e12),
            Cell(row.measured_by if isinstance(row.measured_by, str) else MISSING),
        ]
        for row in records(done)
    ]
    found.sheets = [Sheet("", columns, rows)]
    found.method = [
        "A ceiling is the fastest of five runs after one that warmed up: a copy of an array beyond every "
        "cache, and a product of large random square matrices."
    ]
    return found
