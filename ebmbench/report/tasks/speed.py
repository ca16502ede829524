"""The headline: how fast each backend trains and estimates, and how many times faster than the next."""

from typing import Any

import numpy as np
import pandas as pd

from ebmbench.report.cases import REFERENCE, Kind
from ebmbench.report.section import Cell, Section, Sheet
from ebmbench.report.style import Looks
from ebmbench.report.tasks.cells import ranged, times_as_fast
from ebmbench.report.text import MISSING, count, listing, number, plain

_MEASURED = (
    "seconds", "seconds_low", "seconds_high",
    "against_seconds", "against_seconds_low", "against_seconds_high",
    "ratio", "ratio_low", "ratio_high", "log_z", "std_error", "against_log_z",
)  # fmt: skip
KIND = Kind(
    ("subject",),
    "job",
    (*_MEASURED, "processes", "turns", "threads"),
    words={"against": "against", "batch_size": "batch", "rows": "rows"},
    others=("against_device", "blas_threads"),
    names={"RM": "Ratio matching"},
    table="job_table",
)
_BACKENDS = ("cpu", "cuda")  # have a column each, even where nothing ran
_CALLED = {REFERENCE: "NumPy"}


def section(cases: pd.DataFrame, looks: Looks) -> Section:
    """The table that opens the page."""
    found = Section("headline", "Headline", cases, opens=True)
    done = cases[cases["status"] == "done"]
    if done.empty:
        found.intro = ["No speed was measured, as no case was finished."]
    else:
        found.intro = [_introduction(done)]
    found.sheets = [_sheet(cases)]
    found.outro = _reasons(cases)
    if len(done):
        found.method = [_method(done)]
    return found


def _called(backend: Any) -> str:
    return _CALLED.get(backend, backend) if isinstance(backend, str) else "unnamed"


def _introduction(done: pd.DataFrame) -> str:
    batches = done["batch_size"].dropna().unique()
    batch = f", batch {batches[0]:g}" if len(batches) == 1 else ""
    where = listing([str(name) for name in done["where"].unique()])
    return (
        f"Median time of an update of training, or of an estimate of log Z, on {where}{batch}, with its "
        "quartiles; and how many times as fast one backend is as another, with the 95 % interval. A time "
        "stands here only if both backends agreed with the float64 reference in the same run."
    )


def _sheet(cases: pd.DataFrame) -> Sheet:
    """A row a job; a column each backend and each pair of them that was compared."""
    pairs = list(dict.fromkeys(zip(cases["backend"], cases["against"], strict=True)))
    pairs = [pair for pair in pairs if all(isinstance(name, str) for name in pair)]
    backends = [*_BACKENDS, *(name for pair in pairs for name in pair if name not in _BACKENDS)]
    backends = list(dict.fromkeys(backends))
    compared = [f"{_called(one)} against {_called(other)}" for one, other in pairs]
    columns = ["Job", *compared, *map(_called, backends), "Quality"]  # ratios also on a narrow screen
    rows = []
    for job, group in cases.groupby(_jobs(cases), sort=False):
        times = [_time(group, backend) for backend in backends]
        ratios = [_ratio(group, *pair) for pair in pairs]
        rows.append([Cell(str(job)), *ratios, *times, Cell(_quality(group))])
    return Sheet("", columns, rows)


def _jobs(cases: pd.DataFrame) -> "pd.Series[str]":
    """What a row of the table is called: the job, and what it works on and is told where that differs."""
    names = cases["job"].replace(dict(KIND.names or {})).astype(str)
    words = {"where": "on", "batch_size": "batch", "rows": "rows"}
    words |= {c: c.removeprefix("setting.") for c in map(str, cases) if c.startswith("setting.")}
    for column, word in words.items():
        several = cases.groupby(names, sort=False)[column].transform("nunique") > 1
        names = names.mask(several, names + f", {word} " + cases[column].map(plain))
    return names


def _time(group: pd.DataFrame, backend: str) -> Cell:
    """From the backend's own rows, or else from those that were compared with it."""
    for column, name in (("backend", "seconds"), ("against", "against_seconds")):
        own = group[(group[column] == backend) & (group["status"] == "done")]
        if own[name].notna().any():
            return ranged(*(float(own[f"{name}{end}"].median()) for end in ("", "_low", "_high")))
    return Cell(MISSING, np.nan, _status(group[group["backend"] == backend]))


def _ratio(group: pd.DataFrame, backend: str, against: str) -> Cell:
    """Over the seeds the median, and the widest interval."""
    own = group[(group["backend"] == backend) & (group["against"] == against)]
    done = own[own["status"] == "done"]
    if done["ratio"].notna().any():
        low, high = done["ratio_low"].min(skipna=False), done["ratio_high"].max(skipna=False)
        return times_as_fast(float(done["ratio"].median()), float(low), float(high))
    return Cell(MISSING, np.nan, _status(own))


def _status(own: pd.DataFrame) -> str:
    return listing([str(status) for status in own["status"].unique() if status != "done"])


def _quality(group: pd.DataFrame) -> str:
    """What both backends' results are worth: the gate, or log Z from the same random numbers."""
    done = group[group["status"] == "done"]
    if done.empty:
        return MISSING
    known = done[done["log_z"].notna()]
    if known.empty:
        return "agrees with the reference"
    values: dict[str, float] = {}
    for _, row in known.iterrows():
        values.setdefault(_called(row["backend"]), row["log_z"])
        values.setdefault(_called(row["against"]), row["against_log_z"])
    error = known["std_error"].max()
    told = [f"{name} {number(value)}" for name, value in values.items() if np.isfinite(value)]
    return f"log Z {listing(told)}, ± {number(error)}"


def _reasons(cases: pd.DataFrame) -> list[str]:
    """Why cells are empty, a sentence each reason."""
    left = cases[cases["status"] != "done"]
    return [
        f"{count(len(group), 'case')} on {_called(backend)} {status}: {reason}."
        for (backend, status, reason), group in left.fillna({"reason": "no reason was given"}).groupby(
            ["backend", "status", "reason"], sort=False
        )
    ]


def _method(done: pd.DataFrame) -> str:
    processes, turns = (done[name].dropna().unique() for name in ("processes", "turns"))
    told = listing([f"{n:g}" for n in sorted(processes)]), listing([f"{n:g}" for n in sorted(turns)])
    return (
        "Two backends that are compared take turns (A B B A ...) on the same made-up model and rows, "
        "whose shares of units that are on are those of MNIST and a model of it. The ratio is the "
        f"geometric mean over processes ({told[0]}) and pairs of turns ({told[1]} in each process); its "
        "interval is Student's, from the logarithms of the processes' means, or of turns where there is "
        "one process; fewer than 3 give none. Times lie between the quartiles of all turns. "
        "NumPy computes in float64, and its BLAS has one thread or all, whichever was faster just "
        "before."
    )
