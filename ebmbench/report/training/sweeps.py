"""Settings of which a suite tries several values: where training ends with each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ebmbench.report.cases import deciding
from ebmbench.report.training.results import Result, best

SWEPT = ("rate", "hidden", "batch_size", "epochs", "momentum", "decay")  # columns of numbers
LEAST = 3  # values of a setting, all else equal, from which on they are looked at as a sweep
_FINAL = ("done", "diverged")  # others say nothing of a setting


@dataclass(frozen=True)
class Tried:
    """A value of a setting, and where training ends with it.

    end: nats per test row with the best of the other settings that were tried beside it, the median
    over the seeds; NaN where with all of them some seed diverged. resolved: whether no seed's end is
    unresolved; one that is counts only where there is no other.
    """

    value: float
    end: float
    resolved: bool

    @property
    def diverged(self) -> bool:
        """Whether there is no end."""
        return bool(np.isnan(self.end))

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """By which the better of two is the greater."""
        return self.resolved, not self.diverged, self.end


@dataclass(frozen=True)
class Sweep:
    """All values tried of a setting, ascending, for an estimator on a data set and a backend."""

    dataset: str
    setting: str
    estimator: str
    backend: str
    tried: tuple[Tried, ...]

    @property
    def best(self) -> Tried | None:
        """The value with the highest end that is resolved; None if there is none."""
        known = [one for one in self.tried if one.resolved]
        return max(known, key=lambda one: one.end, default=None)

    @property
    def at_edge(self) -> bool:
        """Whether the best value is the least or the greatest that was tried."""
        return self.best in (self.tried[0], self.tried[-1])

    def near(self, nats: float) -> list[float]:
        """The values about the best one, without a gap, whose ends lie at most so far below its end."""
        if self.best is None:
            return []
        close = [one.resolved and one.end >= self.best.end - nats for one in self.tried]
        low = high = self.tried.index(self.best)
        while low > 0 and close[low - 1]:
            low -= 1
        while high + 1 < len(close) and close[high + 1]:
            high += 1
        return [one.value for one in self.tried[low : high + 1]]


def find(cases: pd.DataFrame) -> list[Sweep]:
    """The sweeps of tidy cases: data sets in their order, then settings, then estimators."""
    found = []
    for dataset, of_data in cases.groupby("dataset", sort=False):
        for setting in SWEPT:
            for names, group in of_data.groupby(["estimator", "backend"], sort=False):
                estimator, backend = map(str, names)
                final = group[group["status"].isin(_FINAL)]
                final = final.assign(**{setting: pd.to_numeric(final[setting], errors="coerce")})
                others = [column for column in deciding(cases) if column != setting]
                if final.groupby(others, dropna=False)[setting].nunique().max() >= LEAST:
                    found.append(Sweep(str(dataset), setting, estimator, backend, _tried(final, setting)))
    return found


def best_settings(results: list[Result], sweeps: list[Sweep]) -> list[Result]:
    """Of each estimator that is swept its best settings alone, resolved if any are; else all results."""
    swept = {(sweep.dataset, sweep.estimator, sweep.backend) for sweep in sweeps}

    def key(result: Result) -> tuple[str, str, str]:
        return result.dataset, result.estimator, result.backend

    whole = [result for result in results if result.done == result.seeds]
    tops = {which: best(r for r in whole if key(r) == which) for which in swept}
    return [result for result in results if key(result) not in swept or result is tops[key(result)]]


def of(cases: pd.DataFrame, results: list[Result]) -> pd.DataFrame:
    """The tidy cases that these results are of."""
    wanted = {(result.dataset, result.label, result.backend) for result in results}
    names = cases[["dataset", "label", "backend"]].itertuples(index=False, name=None)
    return cases[[name in wanted for name in names]]


def _tried(final: pd.DataFrame, setting: str) -> tuple[Tried, ...]:
    best: dict[float, Tried] = {}
    for one in _each(final, setting):
        other = best.get(one.value)
        if not other or one.rank > other.rank:
            best[one.value] = one
    return tuple(best[value] for value in sorted(best))


def _each(final: pd.DataFrame, setting: str) -> Iterator[Tried]:
    """A setting's value and the end, for each choice of all settings."""
    for _, seeds in final.groupby("label", sort=False):
        whole = bool(seeds["status"].eq("done").all())
        end = float(seeds["log_likelihood_lower"].median()) if whole else np.nan
        known = whole and not seeds["resolved"].eq(False).any()
        yield Tried(float(seeds[setting].iloc[0]), end, bool(known))
