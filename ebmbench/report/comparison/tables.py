"""Tables of a comparison, one a task: a row a case, a column a measure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ebmbench.report.section import Cell, Sheet
from ebmbench.report.text import MISSING, duration, number, significant

ON, CASE, BACKEND, WHY = "On", "Case", "Backend", "Why"
_HEADINGS = {"log_z": "Log Z"}
_LEAST = 5e-5  # of a change that has figures
_MANY = 6  # speeds of which some move alone, unless all do
_ONE_SIDED = 40  # intervals of 95 % of which one lies wholly on the bad side of what is true


def sheets(frame: pd.DataFrame) -> list[Sheet]:
    """A table for every task, in the frame's order; the last column says why a case has its verdict."""
    return [_sheet(str(task), rows) for task, rows in frame.groupby("task", sort=False)]


def heading(task: str) -> str:
    """A task's name as a heading."""
    return _HEADINGS.get(task, task.replace("_", " ").capitalize())


def _sheet(task: str, rows: pd.DataFrame) -> Sheet:
    known = rows.dropna(subset=["measure"])
    measures = [str(name) for name in known["measure"].unique()]
    timed = known.loc[(known["kind"] == "speed") & (known["unit"] == "s"), "measure"].unique()[:1]
    named = [_column(known[known["measure"] == name].iloc[0]) for name in measures]
    columns = [CASE, "Verdict", ON, BACKEND, "Seeds", *(["A", "B"] if len(timed) else []), *named]
    return Sheet(
        heading(task),
        [*columns, WHY],
        [
            _row(case, measures, [str(name) for name in timed])
            for _, case in rows.groupby("number", sort=False)
        ],
    )


def _column(finding: pd.Series) -> str:
    """The heading of a measure's column."""
    if finding["kind"] == "speed":
        called = str(finding["called"])
        return f"{called[0].upper()}{called[1:]}, times as fast"
    change = "times" if finding["scale"] == "ratio" else "B − A"
    called = str(finding["called"])
    return ", ".join(filter(None, [f"{called[0].upper()}{called[1:]}", change, str(finding["unit"])]))


def _row(case: pd.DataFrame, measures: list[str], timed: list[str]) -> list[Cell]:
    first = case.iloc[0]
    findings = {one["measure"]: one for _, one in case.iterrows()}
    seeds = float(len(first["seeds"]))
    cells = [
        Cell(str(first["name"])),
        Cell(str(first["case_verdict"])),
        Cell(str(first["where"])),
        Cell(backends(first["backends"])),
        Cell(number(seeds, 0) if seeds else MISSING, seeds or np.nan),
    ]
    for name in timed:
        sides = [float(findings[name][side]) if name in findings else np.nan for side in "ab"]
        cells += [Cell(duration(value), value) for value in sides]
    cells += [_change(findings.get(name)) for name in measures]
    return [*cells, Cell("; ".join(filter(None, [_why(case), *first["notes"]])))]


def _why(case: pd.DataFrame) -> str:
    """The measures that gave a case its verdict, or the reason that it has without them."""
    verdict, reason = case["case_verdict"].iloc[0], str(case["case_reason"].iloc[0])
    those = case.loc[case["verdict"] == str(verdict), "called"]
    return ", ".join(those) if reason and len(those) else reason


def _change(finding: pd.Series | None) -> Cell:
    """A change and its interval; that there is none, is said."""
    if finding is None:
        return Cell(MISSING, np.nan)
    values = [float(finding[name]) for name in ("change", "low", "high")]
    if finding["scale"] == "ratio":
        texts, value = [significant(float(np.exp(one))) for one in values], float(np.exp(values[0]))
    else:
        texts, value = [_signed(one) for one in values], values[0]
    interval = f"[{texts[1]}, {texts[2]}]" if np.isfinite(values[1]) else "no interval"
    return Cell(texts[0], value, interval)


def _signed(value: float) -> str:
    if abs(value) < _LEAST:
        return "0"
    text = significant(value, 2)
    return f"+{text}" if value > 0 else text


def backends(pair: tuple[str | None, str | None]) -> str:
    """The backend, or those of A and B where they are not the same."""
    names = list(dict.fromkeys(name for name in pair if name))
    return " → ".join(names)


def counted(counts: Mapping[str, int]) -> str:
    """How many cases have each verdict, in words."""
    return ", ".join(f"{n:,} {verdict}" for verdict, n in counts.items())


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """How many cases have each verdict, from bad to good."""
    found = frame.drop_duplicates("number")["case_verdict"].value_counts(sort=False)
    return {str(verdict): int(n) for verdict, n in found.items() if n}


def together(frame: pd.DataFrame, threshold: float) -> list[str]:
    """A sentence where nearly all speeds moved one way, which a case of its own does not explain."""
    changes = frame.loc[frame["kind"] == "speed", "change"].astype(float).dropna()
    low, middle, high = changes.quantile([0.25, 0.5, 0.75]) if len(changes) else (0.0, 0.0, 0.0)
    least = float(np.log1p(threshold))
    if len(changes) < _MANY or not (low > least or high < -least):
        return []
    return [
        "More than three quarters of the speeds moved the same way, and "
        f"in the median B is {np.exp(middle):.3g} times as fast: another machine or backend does "
        "that, and so does a machine that was busy."
    ]


def chance(frame: pd.DataFrame) -> list[str]:
    """A sentence on how many verdicts are to be expected by chance, where there are many."""
    moved = int((frame["low"].notna() & (frame["change"] != 0)).sum())
    wrong = moved / _ONE_SIDED
    if wrong < 1:
        return []
    return [
        f"Of {moved:,} intervals of 95 % up to {wrong:.0f} show something worse by chance alone, where "
        "nothing changed but the random numbers."
    ]
