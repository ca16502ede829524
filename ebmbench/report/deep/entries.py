"""Deep models: the seeds of one label on one data set and backend taken together."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ebmbench.harness.measures import BETTER, BOUND, ERROR, NO_GAIN, PARZEN
from ebmbench.report.text import listing, number, resolution
from ebmbench.report.training.reached import Reached, reached


@dataclass(frozen=True)
class Entry:
    """What the seeds came to.

    measure: what the last phase is judged by; values: it, of each seed that is done; std_error: the
    largest over these, or where that is larger the standard error of the seeds' mean; lows: the lower of
    the bounds by annealing both ways, else as values; gap: between these, the largest in nats; resolved,
    unresolved: seeds whose ends are, or are not; no_gains: seeds that gain nothing over a
    model that knows nothing; train_s, images_per_s, memory, memory_before, device_memory: medians, bytes;
    stages: of the median seed; keys: of the seeds that are done; facts: of the first of them, as the row
    has them; reached: seconds to each target.
    """

    where: str
    label: str
    backend: str
    model: str
    hidden: tuple[int, ...]
    measure: str
    seeds: int
    values: tuple[float, ...]
    lows: tuple[float, ...]
    std_error: float
    gap: float
    resolved: int
    unresolved: int
    no_gains: int
    train_s: float
    images_per_s: float
    memory: float
    memory_before: float
    device_memory: float
    stages: tuple[dict[str, Any], ...]
    keys: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    reached: dict[float, Reached] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median over the seeds."""
        return float(np.median(self.values)) if self.values else np.nan

    @property
    def low(self) -> float:
        """The median of the lower values, where there are two."""
        return float(np.median(self.lows)) if self.lows else np.nan

    @property
    def rank(self) -> float:
        """Less is better."""
        return -BETTER[self.measure] * self.low

    def is_told_apart_from(self, other: "Entry") -> bool:
        """Whether they differ by more than two standard errors of a difference of independent values.

        Both were judged by the same test rows, which makes the true error smaller.
        """
        return abs(self.low - other.low) > 2 * float(np.hypot(self.std_error, other.std_error))

    @property
    def best_key(self) -> str:
        """Of the best seed."""
        return self.keys[int(np.argmax(np.array(self.lows) * BETTER[self.measure]))]

    @property
    def resolution(self) -> str:
        """See `text.resolution`."""
        return resolution(self.resolved, self.unresolved, self.gap)

    @property
    def told(self) -> str:
        """The value, the lower one where there are two, and its standard error, with the unit."""
        return with_error(self.measure, self.low, self.std_error)


def shown(measure: str, value: float) -> str:
    """A value of a measure, with its unit where it has one of its own."""
    if measure == ERROR:
        return f"{number(100 * value)}\u00a0%" if np.isfinite(value) else number(value)
    return number(value, 1 if measure == PARZEN else 2)


def with_error(measure: str, value: float, error: float) -> str:
    """A value and its standard error, with the unit of both."""
    if measure == ERROR:
        return f"{number(100 * value)} ± {number(100 * error)} %"
    return f"{shown(measure, value)} ± {shown(measure, error)} nats"


def collect(cases: pd.DataFrame) -> list[Entry]:
    """In the order of the cases; those of which no seed is done have no values."""
    groups = cases.groupby(["where", "label", "backend"], sort=False)
    return [_entry(group) for _, group in groups]


def _entry(group: pd.DataFrame) -> Entry:
    done = group[(group["status"] == "done") & group["measure"].isin(list(BETTER))]
    first = group.iloc[0] if done.empty else done.iloc[0]
    measure = str(first["measure"]) if len(done) else ""
    values = pd.to_numeric(done[measure], errors="coerce") if measure else pd.Series(dtype=float)
    done = done[values.notna()] if measure else done
    values = values.dropna()
    lows = pd.concat([values, done["bound_reverse"]], axis=1).min(axis=1) if measure == BOUND else values
    middle = done[["train_s", "images_per_s", "memory_peak", "memory_before", "device_memory"]].median()
    stages = done["stages"].iloc[len(done) // 2] if len(done) else None
    return Entry(
        where=str(first["where"]),
        label=str(first["label"]),
        backend=str(first["backend"]),
        model=str(first["model"]),
        hidden=tuple(int(n) for n in _list(first["hidden"])),
        measure=measure,
        seeds=len(group),
        values=tuple(values),
        lows=tuple(lows),
        std_error=_std_error(lows, done["std_error"]),
        gap=float(done["gap"].abs().max()),
        resolved=int(done["resolved"].eq(True).sum()),
        unresolved=int(done["resolved"].eq(False).sum()),
        no_gains=int(done["verdict"].eq(NO_GAIN).sum()),
        train_s=float(middle["train_s"]),
        images_per_s=float(middle["images_per_s"]),
        memory=float(middle["memory_peak"]),
        memory_before=float(middle["memory_before"]),
        device_memory=float(middle["device_memory"]),
        stages=tuple(one for one in _list(stages) if isinstance(one, dict)),
        keys=tuple(done["key"].astype(str)),
        facts={str(name): value for name, value in first.items()},
        reached=reached(done) if len(done) else {},
    )


def _std_error(values: pd.Series, each: pd.Series) -> float:
    """The larger of what the seeds' own say and what their spread does."""
    spread = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(np.fmax(each.max(), spread))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def yardstick(entry: Entry, name: str) -> float:
    """A figure of the row that others get; NaN where it has none."""
    value = entry.facts.get(name)
    return float(value) if isinstance(value, int | float) else np.nan


def _without(entry: Entry) -> str:
    seeds = len(entry.values)
    return f"{entry.label} (with {entry.no_gains} of {seeds} seeds)" if seeds > 1 else entry.label


def without_gain(entries: list[Entry]) -> list[str]:
    """Those that know no more than nothing, in a sentence."""
    names = [_without(entry) for entry in entries if entry.no_gains]
    return [f"No gain over a model that knows nothing: {listing(names)}."] if names else []
