"""Estimates of log Z: the seeds of one method on one model taken together."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from ebmbench.report.text import count, listing


class Step(NamedTuple):
    """The seeds of one label and setting of temperatures on one model; medians but for the errors.

    errors: of all seeds that were tried, NaN for one that was not finished; starts: how walks back began.
    """

    where: str
    label: str
    temperatures: float
    method: str
    source: str
    starts: tuple[str, ...]
    errors: tuple[float, ...]
    finished: int
    log_z: float
    std_error: float
    ess: float
    seconds: float

    @property
    def order(self) -> tuple[float, float]:
        """The place on a line: by temperatures, or by seconds where there are none."""
        return float(np.nan_to_num(self.temperatures)), self.seconds

    @property
    def error(self) -> float:
        """Median of the known errors."""
        known = [error for error in self.errors if np.isfinite(error)]
        return float(np.median(known)) if known else np.nan

    @property
    def unfinished(self) -> str:
        """How many seeds did not finish, in words; empty where all did."""
        left = len(self.errors) - self.finished
        return f"{left} of {count(len(self.errors), 'seed')} did not finish" if left else ""

    @property
    def worst(self) -> float:
        """The largest of the seeds' errors, without its sign; NaN if one of them is unknown."""
        return float(np.abs(self.errors).max())

    @property
    def name(self) -> str:
        """The label and the number of temperatures."""
        if np.isnan(self.temperatures):
            return self.label
        return f"{self.label} with {count(int(self.temperatures), 'temperature')}"


def temperatures(betas: str, schedule: str) -> float:
    """The number of temperatures in a schedule's name or else in a setting; NaN where neither has one."""
    found = re.findall(r"(\d+) on \[", schedule) or re.findall(r"^\d+$", betas)
    return float(sum(map(int, found))) if found else np.nan


def collect(cases: pd.DataFrame) -> list[Step]:
    """By model, then label, then number of temperatures; all that have a finished seed."""
    models, labels = list(cases["where"].unique()), list(cases["label"].unique())
    tried = cases[cases["status"] != "unavailable"]
    same = ["where", "label", "backend", "setting.betas"]
    steps = []
    for _, group in tried.groupby(same, sort=False, dropna=False):
        done = group[group["status"] == "done"]
        if done.empty:
            continue
        one = done.iloc[0]
        sources = done["truth_source"].dropna().unique()
        middle = done[["temperatures", "log_z", "std_error", "ess", "seconds"]].median()
        step = Step(
            where=str(one["where"]),
            label=str(one["label"]),
            method=str(one["method"]),
            source=listing([str(name) for name in sources if name]),
            starts=tuple(done["log_z_start"].dropna()),
            finished=len(done),
            errors=tuple(group["error"].where(group["status"] == "done")),
            **{str(name): float(value) for name, value in middle.items()},
        )
        steps.append(step)
    steps.sort(key=lambda step: (models.index(step.where), labels.index(step.label), step.order))
    return steps
