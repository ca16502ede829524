"""The seeds of one (dataset, label, backend) taken together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ebmbench.harness.measures import LEAST_GAIN, NO_GAIN
from ebmbench.harness.table import update_quartiles
from ebmbench.report.cases import deciding
from ebmbench.report.text import plain, resolution
from ebmbench.report.training.reached import Reached, reached


@dataclass(frozen=True)
class Result:
    """What the seeds of one dataset, label and backend came to.

    log_likelihoods: nats per test row, a value for each seed that is done; lowers: the lower of
    forward and reverse AIS, likewise; std_error: the largest of
    log Z over the seeds; update_s: lower quartile, median and upper quartile of the samples of all
    seeds; train_s: median; compile_s: largest, as a rerun only loads what was compiled;
    gains: nats of the lower ones over base rates, no_gains: seeds without such a gain; gap: largest
    difference in nats of the forward and the reverse log-likelihood; resolved, unresolved: seeds whose
    ends are, or are not; swap_rate: lowest; learned_error: learned log Z less the
    judge's, the value farthest from 0; reached: for each target in nats the seconds of every seed, see
    `targets`; diverged: seeds that did; settings: what decides the result, by the tidy cases' columns, a
    float where it is a number.
    NaN where there is no number.
    """

    dataset: str
    label: str
    estimator: str
    backend: str
    seeds: int
    done: int
    log_likelihoods: tuple[float, ...]
    lowers: tuple[float, ...]
    std_error: float
    exact: bool
    train_s: float
    compile_s: float
    update_s: tuple[float, float, float]
    gains: tuple[float, ...] = ()
    no_gains: int = 0
    gap: float = np.nan
    resolved: int = 0
    unresolved: int = 0
    swap_rate: float = np.nan
    learned_error: float = np.nan
    reached: dict[float, Reached] = field(default_factory=dict)
    diverged: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

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

    @property
    def lower(self) -> float:
        """Median over the seeds of the lower of forward and reverse AIS."""
        return float(np.median(self.lowers)) if self.lowers else np.nan

    @property
    def doubtful(self) -> bool:
        """Whether the end of any seed is unresolved."""
        return self.unresolved > 0

    @property
    def sure(self) -> bool:
        """Whether there is an end, no seed's is unresolved, and none diverged."""
        return bool(self.log_likelihoods) and not self.doubtful and not self.diverged

    @property
    def gain(self) -> float:
        """Median gain over base rates, in nats per test row."""
        return float(np.median(self.gains)) if self.gains else np.nan

    @property
    def resolution(self) -> str:
        """See `text.resolution`."""
        return resolution(self.resolved, self.unresolved, self.gap)


def collect(cases: pd.DataFrame) -> list[Result]:
    """A result for every dataset, label and backend of tidy cases, in their order."""
    return [_result(group) for _, group in cases.groupby(["dataset", "label", "backend"], sort=False)]


def cases_of(cases: pd.DataFrame, results: list[Result]) -> pd.DataFrame:
    """The tidy cases that these results are of."""
    wanted = {(result.dataset, result.label, result.backend) for result in results}
    names = cases[["dataset", "label", "backend"]].itertuples(index=False, name=None)
    return cases[np.array([name in wanted for name in names], bool)]


def best(results: Iterable[Result]) -> Result | None:
    """The result with the highest median of the lower log-likelihoods; None if there is none.

    One that is not sure only where there is no other: it may be far from the truth, or from the next
    seed's.
    """
    judged = [result for result in results if result.log_likelihoods]
    return max(judged, key=lambda result: (result.sure, result.lower), default=None)


def _result(group: pd.DataFrame) -> Result:
    first = group.iloc[0]
    done = group[group["status"] == "done"]
    gains = done["log_likelihood_lower"] - done["baseline_independent"]
    return Result(
        dataset=str(first["dataset"]),
        label=str(first["label"]),
        estimator=str(first["estimator"]),
        backend=str(first["backend"]),
        seeds=len(group),
        done=len(done),
        log_likelihoods=tuple(done["log_likelihood"].dropna()),
        lowers=tuple(done["log_likelihood_lower"].dropna()),
        std_error=float(done["std_error"].max()),
        exact=bool((group["evaluate"] == "exact").all()),
        train_s=float(done["train_s"].median()),
        compile_s=float(done["compile_s"].max()),
        update_s=_quartiles(done["samples"]),
        gains=tuple(gains.dropna()),
        no_gains=int(((done["verdict"] == NO_GAIN) | (gains < LEAST_GAIN)).sum()),
        gap=float(done["gap"].abs().max()),
        resolved=int(done["resolved"].eq(True).sum()),
        unresolved=int(done["resolved"].eq(False).sum()),
        swap_rate=float(done["swap_rate"].min()),
        learned_error=_farthest(done["learned_log_z"] - done["log_z"]),
        reached=reached(group),
        diverged=int((group["status"] == "diverged").sum()),
        settings={name: _setting(first[name]) for name in deciding(group)},
    )


def _setting(value: Any) -> Any:
    """A number as a float; anything else, and what is missing, as it would be said."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))
    return float(value) if is_number and np.isfinite(value) else plain(value)


def _farthest(values: "pd.Series[float]") -> float:
    known = values.dropna().to_numpy(float)
    return float(known[np.abs(known).argmax()]) if len(known) else np.nan


def _quartiles(samples: Iterable[Any]) -> tuple[float, float, float]:
    """Of the seconds an update, pooled over cases and their processes."""
    return update_quartiles(process for case in samples if isinstance(case, list) for process in case)
