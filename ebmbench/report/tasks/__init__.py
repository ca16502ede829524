"""What the report says and draws of all cases but those that train one RBM, one file a task.

A file has `KIND`, how its rows are read, and `section(cases, looks)`, its part of the page; of
a task whose cases leave more than rows it also takes what they left.
"""

from typing import Any

import pandas as pd

from ebmbench.report.cases import Kind
from ebmbench.report.section import Left, Section
from ebmbench.report.style import Looks
from ebmbench.report.tasks import (
    ceilings,
    consistency,
    deep,
    gate,
    gibbs,
    gradient,
    kernel,
    log_z,
    sample,
    speed,
    startup,
    tests,
)
from ebmbench.report.text import count

_TASKS: dict[str, Any] = {
    "speed": speed,
    "deep": deep,
    "kernel": kernel,
    "gibbs": gibbs,
    "ceilings": ceilings,
    "gradient": gradient,
    "log_z": log_z,
    "sample": sample,
    "consistency": consistency,
    "gate": gate,
    "startup": startup,
    "tests": tests,
}
_UNKNOWN = Kind(("model",), "method", ())


def tidy(by_task: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tidy rows of each task, in the order of the page."""
    known = [task for task in _TASKS if task in by_task]
    unknown = [task for task in by_task if task not in _TASKS]
    kinds = {task: module.KIND for task, module in _TASKS.items()}
    return {task: kinds.get(task, _UNKNOWN).tidy(by_task[task]) for task in [*known, *unknown]}


def sections(found: dict[str, pd.DataFrame], looks: Looks, left: Left) -> list[Section]:
    """The parts of the page, a part each task; one that is not known says so."""
    return [_section(task, cases, looks, left) for task, cases in found.items()]


def _section(task: str, cases: pd.DataFrame, looks: Looks, left: Left) -> Section:
    if task == "deep":
        return deep.section(cases, looks, left)
    return _TASKS[task].section(cases, looks) if task in _TASKS else _stranger(task, cases)


def _stranger(task: str, cases: pd.DataFrame) -> Section:
    rows = count(len(cases), "row")
    sentence = f"This version of the report has no figures for the {rows} of this task."
    return Section(f"task-{task}", f"Task {task}", cases, [sentence])
