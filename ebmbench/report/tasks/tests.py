"""The package's own tests, as a suite ran them."""

import pandas as pd

from ebmbench.report.cases import Kind
from ebmbench.report.section import Section
from ebmbench.report.style import Looks
from ebmbench.report.text import count, duration, number

KIND = Kind(
    ("subject",), "marker", ("passed", "failed", "skipped", "errors", "tests_s"), others=("tail",)
)


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The part of the page about tests."""
    known = cases[cases["passed"].notna()]
    found = Section("tests", "Tests", cases)
    found.intro = [_counted(row) for _, row in known.iterrows()] or ["No tests were run."]
    return found


def _counted(row: pd.Series) -> str:
    text = (
        f"Of the tests marked {row['marker']} on {row['backend']}, {number(row['passed'], 0)} passed, "
        f"{number(row['failed'], 0)} failed and {number(row['skipped'], 0)} were skipped"
    )
    if row["errors"] > 0:
        text += f"; {count(int(row['errors']), 'more')} could not run"
    return f"{text}, in {duration(row['tests_s'])}."
