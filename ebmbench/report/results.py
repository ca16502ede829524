"""The seeds of one (dataset, label, backend) taken together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ebmbench.harness.table import update_quartiles


@dataclass(frozen=True)
class Result:
    """What the seeds of one dataset, label and backend came to.

    log_likelihoods: nats per test row, a value for each seed that is done; std_error: the largest of
    log Z over the seeds; update_s: lower quartile, median and upper quartile of the samples of all
    seeds; train_s: median; compile_s: largest, as a rerun only loads what was compiled.
    NaN where there is no number.
    """

    dataset: str
    label: str
    estimator: str
    backend: str
    seeds: int
    done: int
    log_likelihoods: tuple[float, ...]
    std_error: float
    exact: bool
    train_s: float
    compile_s: float
    update_s: tuple[float, float, float]

    @property
    def median(self) -> float:
        """Median log-likelihood over the seeds."""
        return float(np.median(self.log_likelihoods)) if self.log_likelihoods else np.nan

    @property
    def low(self) -> float:
        """Log-likelihood of the worst seed."""
        return min(self.log_likelihoods, default=np.nan)

    @property
    def high(self) -> float:
        """Log-likelihood of the best seed."""
        return max(self.log_likelihoods, default=np.nan)


def collect(cases: pd.DataFrame) -> list[Result]:
    """A result for every dataset, label and backend of tidy cases, in their order."""
    return [_result(group) for _, group in cases.groupby(["dataset", "label", "backend"], sort=False)]


def best(results: Iterable[Result]) -> Result | None:
    """The result with the highest median log-likelihood; None if there is none."""
    judged = [result for result in results if result.log_likelihoods]
    return max(judged, key=lambda result: result.median, default=None)


def _result(group: pd.DataFrame) -> Result:
    first = group.iloc[0]
    done = group[group["status"] == "done"]
    return Result(
        dataset=str(first["dataset"]),
        label=str(first["label"]),
        estimator=str(first["estimator"]),
        backend=str(first["backend"]),
        seeds=len(group),
        done=len(done),
        log_likelihoods=tuple(done["log_likelihood"].dropna()),
        std_error=float(done["std_error"].max()),
        exact=bool((group["evaluate"] == "exact").all()),
        train_s=float(done["train_s"].median()),
        compile_s=float(done["compile_s"].max()),
        update_s=_quartiles(done["samples"]),
    )


def _quartiles(samples: Iterable[Any]) -> tuple[float, float, float]:
    """Of the seconds an update, pooled over cases and their processes."""
    return update_quartiles(process for case in samples if isinstance(case, list) for process in case)
