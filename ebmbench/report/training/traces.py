"""The seeds of a learning curve brought onto one grid of time, and the part of it worth seeing."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ebmbench.report.training.summary import Yardsticks


@dataclass(frozen=True)
class Trace:
    """Test log-likelihood over clocked seconds, of the seeds that finished or of one that did not.

    `resolved` is False where some seed's end is not, see `text.UNRESOLVED`.
    """

    label: str
    estimator: str
    backend: str
    finished: bool
    seeds: int
    seconds: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    resolved: bool = True

    @property
    def end(self) -> float:
        """The last value, in nats per row."""
        return float(self.median[-1])


def combine(cases: pd.DataFrame, points: pd.DataFrame) -> list[Trace]:
    """A trace for each label and backend of a dataset's tidy cases, and for each unfinished case.

    Seeds are interpolated linearly in the logarithm of time between their checkpoints, on a grid of
    all of these. The untrained model, at 0 s, has no place on a logarithmic axis.
    """
    points = points.set_index("key")[["seconds", "log_likelihood"]]
    points = points.apply(pd.to_numeric, errors="coerce").query("seconds > 0").dropna()
    curves = {
        str(key): curve.to_numpy(float).T
        for key, curve in points.sort_values("seconds").groupby(level="key")
    }
    traced = cases[cases["key"].isin(list(curves))]
    traces = []
    for names, group in traced.groupby(["label", "estimator", "backend"], sort=False):
        label, estimator, backend = map(str, names)
        done = group["status"] == "done"
        runs = [[curves[key] for key in group["key"][done]]] if done.any() else []
        alone = [[curves[key]] for key in group["key"][~done]]
        for number, seeds in enumerate([*runs, *alone]):
            finished = number < len(runs)
            numbers = median_and_range(seeds)
            resolved = not (finished and group["resolved"][done].eq(False).any())
            found = Trace(label, estimator, backend, finished, len(seeds), *numbers, resolved)
            traces.append(found)
    return traces


def value_limits(ends: list[float], known: Yardsticks, tops: Iterable[float] = ()) -> tuple[float, float]:
    """Limits of the axis of log-likelihood: from below independent pixels to the ceiling or the best.

    Models start near independent pixels, and a bad one may fall far below; the best end is inside, and
    one that lies lower unless it would take up half of the axis. tops: what else it must reach up to.
    """
    lines = list(known.lines.values())
    high = max([*ends, *lines, *tops])
    low = min(lines) if np.isfinite(known.baseline_independent) else min([*ends, *lines])
    low = min(low, max(ends))
    low = min([low, *(end for end in ends if end >= low - (high - low))])
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def time_start(traces: Iterable[Trace], low: float, high: float) -> float:
    """A tenth of the time at which the first trace leaves the lowest tenth of [low, high].

    0 where none does.
    """
    risen = [trace.median > low + 0.1 * (high - low) for trace in traces]
    times = [t.seconds[up.argmax()] for t, up in zip(traces, risen, strict=True) if up.any()]
    return 0.1 * float(min(times, default=0.0))


def median_and_range(
    seeds: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of curves [seconds, values] a common grid of seconds, and over them median, least and most."""
    grid = np.unique(np.concatenate([seconds for seconds, _ in seeds]))
    values = [np.interp(np.log(grid), np.log(seconds), values) for seconds, values in seeds]
    return grid, np.median(values, axis=0), np.min(values, axis=0), np.max(values, axis=0)
