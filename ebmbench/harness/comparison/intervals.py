"""Ratios of seconds and changes of quality, each with its interval at `COVERAGE`, or with none.

Seconds are compared by their logarithms. A side's level is the mean of the medians of its runs: a run is
what one process took of one row. Where at least `LEAST` processes made them, their spread is all that is
uncertain. A process does not know what another one would have found: on two idle cores medians of
one job differed from process to process by 1.4 to 8.6 % (standard deviation; 3.7 % over all jobs of
the suites headline and startup). Of fewer processes the spread of the runs, or of the turns of too few
runs, is therefore widened by `ALLOWANCE` a process. Quartiles are never used: they say how turns spread,
not how well their median is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from ebmbench.harness.interleaved import COVERAGE, LEAST
from ebmbench.harness.measures import Quality, Speed

ALLOWANCE = 0.05  # standard deviation of the logarithm of a process's median
_NORMAL = 1e9  # degrees of freedom from which Student's law is the normal one
_MEDIAN = np.pi / 2  # variance of a median over that of a mean, of normal samples
_DEVIATION = 1.4826  # standard deviation over median absolute deviation, of normal samples


Row = Mapping[str, Any]
Rows = Sequence[Row]


class Level(NamedTuple):
    """The logarithm of a side's seconds; variance: NaN where samples are too few for an interval.

    allowance: variance for what few processes cannot show; samples, of: how many of what there were.
    """

    value: float
    variance: float = np.nan
    dof: float = np.nan
    allowance: float = 0.0
    samples: int = 0
    of: str = ""


class Change(NamedTuple):
    """From A to B: the logarithm of a ratio, or a difference; low, high: NaN where there is no interval.

    a, b: the figures of both sides; samples, of: as in `Level`, of each side.
    """

    a: float
    b: float
    value: float
    low: float = np.nan
    high: float = np.nan
    samples: tuple[int, int] = (0, 0)
    of: tuple[str, str] = ("", "")


def speed(measure: Speed, a: Rows, b: Rows) -> Change | None:
    """How many times as fast B is as A, as a logarithm; rows of the same seeds; None without seconds."""
    one, other = _level(measure, a), _level(measure, b)
    if one is None or other is None:
        return None
    change = other.value - one.value if measure.rate else one.value - other.value
    reach = _welch(one, other)
    return Change(
        float(np.exp(one.value)), float(np.exp(other.value)), change, change - reach, change + reach,
        (one.samples, other.samples), (one.of, other.of),
    )  # fmt: skip


def _welch(a: Level, b: Level) -> float:
    """Half the interval of a difference, with Welch's degrees of freedom."""
    total = a.variance + b.variance + a.allowance + b.allowance
    if not total > 0:
        return float(total)  # 0 or NaN
    spread = a.variance**2 / a.dof + b.variance**2 / b.dof
    dof = min(total**2 / spread, _NORMAL) if spread > 0 else _NORMAL
    return _student(dof) * float(np.sqrt(total))


def _student(dof: float) -> float:
    return float(stdtrit(dof, (1 + COVERAGE) / 2))


def _level(measure: Speed, rows: Rows) -> Level | None:
    """The level of a side's rows; where they have no samples, of their own medians."""
    runs = [run for row in rows for run in _runs(measure, row)]
    if not runs:
        known = [_number(row.get(measure.name)) for row in rows]
        medians = np.log([value for value in known if value > 0])
        return Level(float(medians.mean())) if len(medians) else None
    value = float(np.mean([_median(logs, weights) for _, logs, weights in runs]))
    processes = len({process for process, *_ in runs})
    allowance = 0.0 if processes >= LEAST else ALLOWANCE**2 / processes
    if len(runs) >= LEAST:
        medians = np.array([_median(logs, weights) for _, logs, weights in runs])
        of = "processes" if processes == len(runs) else "runs"
        variance = float(medians.var(ddof=1)) / len(runs)
        return Level(value, variance, len(runs) - 1, allowance, len(runs), of)
    logs = np.concatenate([logs for _, logs, _ in runs])
    weights = np.concatenate([weights for *_, weights in runs])
    weights = weights / weights.sum()
    effective = float(1 / (weights**2).sum())  # samples of equal weight that would be worth as much
    if effective < LEAST:
        return Level(value, samples=len(logs), of="turns")
    # A first turn that also warmed up, or one that was interrupted, says nothing of the others' spread.
    spread = _DEVIATION * _median(np.abs(logs - _median(logs, weights)), weights)
    return Level(value, _MEDIAN * spread**2 / effective, effective - 1, allowance, len(logs), "turns")


def _runs(measure: Speed, row: Row) -> Iterator[tuple[tuple[Any, ...], np.ndarray, np.ndarray]]:
    """The process, the logarithms of seconds and the weights of each run of a row."""
    entries = row.get("samples")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        given = entry.get(measure.name)
        if given is None or entry.get(measure.without):
            continue
        # An entry of one number is of a process that did the work once.
        process = ("process", entry["process"]) if "process" in entry else (row["key"], number)
        seconds = np.atleast_1d(np.array(given, dtype=float))
        weights = np.atleast_1d(np.array(entry.get(measure.weights, np.ones(len(seconds))), dtype=float))
        good = np.isfinite(seconds) & (seconds > 0) & (weights > 0)
        if good.any():
            yield process, np.log(seconds[good]), weights[good]


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """The median where each value counts as often as its weight says."""
    order = np.argsort(values)
    values, reached = values[order], np.cumsum(weights[order])
    half = reached[-1] / 2
    low, high = np.searchsorted(reached, half, "left"), np.searchsorted(reached, half, "right")
    return float(values[low] + values[min(high, len(values) - 1)]) / 2


def quality(measure: Quality, a: Rows, b: Rows) -> Change | None:
    """How a figure changes from A to B; rows of the same seeds, in pairs; None where it is not known.

    Student's interval over the seeds' changes where there are at least `LEAST`; of two seeds, where the
    figure has no standard error, from how the two differ within A and within B. A standard error that
    is all the uncertainty gives an interval to one seed, and the least there is to several.
    """
    pairs = [(_figure(measure, x), _figure(measure, y)) for x, y in zip(a, b, strict=True)]
    values = np.array([(x[0], y[0]) for x, y in pairs if np.isfinite((x[0], y[0])).all()])
    errors = np.array([(x[1], y[1]) for x, y in pairs if np.isfinite((x[0], y[0])).all()])
    if not len(values):
        return None
    changes, seeds = values[:, 1] - values[:, 0], len(values)
    own = _student(_NORMAL) * float(np.sqrt((errors**2).sum())) / seeds if measure.std_error else np.nan
    reach = own
    if seeds >= LEAST:
        of_seeds = _student(seeds - 1) * float(changes.std(ddof=1)) / np.sqrt(seeds)
        reach = float(np.nanmax([of_seeds, own]))
    elif seeds > 1 and np.isnan(own):
        within = values.var(axis=0, ddof=1).mean()
        reach = _student(2 * (seeds - 1)) * float(np.sqrt(2 * within / seeds))
    value = float(changes.mean())
    sides = values.mean(axis=0)
    shown = np.exp(sides) if measure.ratio else sides
    return Change(
        float(shown[0]), float(shown[1]), value, value - reach, value + reach, (seeds, seeds),
        ("seeds", "seeds"),
    )  # fmt: skip


def _figure(measure: Quality, row: Row) -> tuple[float, float]:
    """A row's figure, or its logarithm where ratios are compared, and its standard error; or NaN."""
    scale = float(np.prod([_number(row.get(name)) for name in measure.over]))
    value = _number(row.get(measure.name)) / scale if scale else np.nan
    error = _number(row.get(measure.std_error)) / scale if scale else np.nan
    if measure.magnitude:
        value = abs(value)
    if measure.ratio:
        value = float(np.log(value)) if value > 0 else np.nan
    return value, error


def _number(value: Any) -> float:
    """A row's number, or NaN."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known and np.isfinite(value) else np.nan
