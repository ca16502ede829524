"""Deep models in tables: what they are worth, and what that cost."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebmbench.harness.measures import BETTER, BOUND, ERROR, NO_GAIN, PARZEN
from ebmbench.report.deep.entries import Entry, shown, with_error, yardstick
from ebmbench.report.deep.published import Published, like
from ebmbench.report.section import Cell, Sheet
from ebmbench.report.text import (
    MISSING,
    duration,
    estimator_of,
    number,
    significant,
    tick,
    whole,
)

_LATE = 1e12  # seconds; a censored time is sorted after every reached one
_KINDS = {BOUND: "models of the data", ERROR: "classifiers", PARZEN: "generators"}
_MEASURES = {BOUND: "bound", ERROR: "wrong", PARZEN: "Parzen window"}


def worth(where: str, entries: list[Entry]) -> Sheet:
    """Quality with its uncertainty, how it was estimated, and what is published."""
    columns = ["Model", "Backend", "Quality", "Estimated", "Others get", "Published"]
    ranked = sorted(entries, key=lambda entry: (list(BETTER).index(entry.measure), entry.rank))
    rows = [
        [
            Cell(entry.label),
            Cell(entry.backend),
            _quality(entry),
            Cell(_estimated(entry)),
            Cell(_others(entry) or MISSING),
            Cell(_published(entry, like(entry))),
        ]
        for entry in ranked
    ]
    if not any(like(entry) for entry in ranked):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Sheet(f"{where}: quality", columns, rows)


def _quality(entry: Entry) -> Cell:
    notes = [_MEASURES[entry.measure]]
    if len(entry.values) > 1:
        ends = shown(entry.measure, min(entry.lows)), shown(entry.measure, max(entry.lows))
        notes.append(f"{len(entry.values)} seeds [{ends[0]}, {ends[1]}]")
    if entry.no_gains:
        notes.append(NO_GAIN)
    return Cell(entry.told, BETTER[entry.measure] * entry.low, ", ".join(notes))


def _estimated(entry: Entry) -> str:
    """What the value and its uncertainty stand on."""
    facts = entry.facts
    if entry.measure == BOUND:
        schedule = facts.get("log_z_schedule")
        way = f"log Z by {estimator_of(facts.get('evaluate'))}"
        how = f"{way}, {schedule}" if isinstance(schedule, str) else "log Z is exact"
        return f"{how}; {entry.resolution}" if entry.resolution else how
    if entry.measure == ERROR:
        rows = f"{_whole(facts.get('n_test'))} test rows"
        if len(entry.values) > 1:
            return f"{rows} a seed; ± is binomial or, if larger, of the seeds' mean"
        return f"{_whole(facts.get('wrong'))} of {rows}; ± is binomial"
    sigma = significant(yardstick(entry, "parzen_sigma"), 2)
    told = "first seed: " if len(entry.values) > 1 else ""
    told += f"{_whole(facts.get('parzen_samples'))} samples, σ {sigma}"
    if np.isfinite(yardstick(entry, "mmd_squared")):
        p = number(yardstick(entry, "mmd_p_value"), 3)
        told += f"; MMD² {significant(yardstick(entry, 'mmd_squared'), 2)} (p = {p})"
    if np.isfinite(yardstick(entry, "nearest_median")):
        near = number(yardstick(entry, "nearest_median"))
        told += f"; nearest training row at {near}, of test rows at "
        told += number(yardstick(entry, "nearest_test_median"))
    return told


def _others(entry: Entry) -> str:
    """What models that know little get, or the data themselves."""
    names = {
        BOUND: {"baseline_independent": "independent pixels", "baseline_mixture": "mixture of 10"},
        ERROR: {"error_of_one_class": "always one class"},
        PARZEN: {"parzen_train": "training rows", "parzen_centres": "centres of k-means"},
    }[entry.measure]
    known = {label: yardstick(entry, name) for name, label in names.items()}
    return ", ".join(
        f"{label} {shown(entry.measure, value)}" for label, value in known.items() if np.isfinite(value)
    )


def _published(entry: Entry, one: Published | None) -> str:
    if one is None:
        return MISSING
    least = "at least " if one.bound else ""
    value = shown(one.measure, one.value)
    if one.error is not None:
        value = with_error(one.measure, one.value, one.error)
    gap = BETTER[one.measure] * (entry.low - one.value)
    verdict = "reached" if gap >= 0 else f"not reached, by {shown(one.measure, -gap)}"
    if gap < 0 <= BETTER[one.measure] * (entry.value - one.value):
        verdict = "not reached for certain, as log Z is unresolved"
    return f"{one.what}: {least}{value} ({one.source}); {verdict}"


def cost(where: str, entries: list[Entry]) -> list[Sheet]:
    """Seconds, images a second, memory, and seconds to each target; a table each measure."""
    groups = ((one, [e for e in entries if e.measure == one]) for one in BETTER)
    return [_cost(f"{where}: {_KINDS[one]}, what it took", one, own) for one, own in groups if own]


def _cost(name: str, measure: str, entries: list[Entry]) -> Sheet:
    known = {target for entry in entries for target in entry.reached}
    targets = sorted(known, reverse=BETTER[measure] < 0)  # easiest first
    columns = ["Model", "Backend", "Training", "Images a second", "Peak memory"]
    rows = [
        [
            Cell(entry.label),
            Cell(entry.backend),
            Cell(duration(entry.train_s), entry.train_s),
            Cell(significant(entry.images_per_s), entry.images_per_s),
            _memory(entry),
            *(_time(entry, target) for target in targets),
        ]
        for entry in entries
    ]
    return Sheet(name, [*columns, *(f"To {_target(measure, one)}" for one in targets)], rows)


def stages(where: str, entries: list[Entry]) -> list[Sheet]:
    """Seconds and images a second of each stage, where a model went through several."""
    rows = [
        [
            Cell(entry.label),
            Cell(entry.backend),
            Cell(str(stage.get("stage"))),
            *(_number(stage, name, show) for name, show in _SHOWN.items()),
        ]
        for entry in entries
        if len(entry.stages) > 1
        for stage in entry.stages
    ]
    columns = ["Model", "Backend", "Stage", "Epochs", "Time", "Images a second"]
    return [Sheet(f"{where}: stages", columns, rows)] if rows else []


_SHOWN = {"epochs": whole, "seconds": duration, "images_per_s": significant}


def _number(stage: dict[str, Any], name: str, show: Callable[[float], str]) -> Cell:
    value = stage.get(name)
    known = float(value) if isinstance(value, int | float) else np.nan
    return Cell(show(known), known)


def _target(measure: str, target: float) -> str:
    return f"{tick(100 * target)}\u00a0%" if measure == ERROR else f"{tick(target)} nats"


def _time(entry: Entry, target: float) -> Cell:
    times = entry.reached.get(target)
    if times is None:
        return Cell(MISSING, np.nan)
    note = f"{times.count} of {len(times.seconds)}" if len(times.seconds) > 1 else ""
    if entry.unresolved:
        note = f"{note} unresolved".strip()
    return Cell(times.text, times.median if np.isfinite(times.median) else times.bound + _LATE, note)


def _memory(entry: Entry) -> Cell:
    if not np.isfinite(entry.memory):
        return Cell(MISSING, np.nan)
    note = f"{_mib(entry.memory_before)} before" if np.isfinite(entry.memory_before) else ""
    if np.isfinite(entry.device_memory):
        note += f", {_mib(entry.device_memory)} on the device"
    return Cell(_mib(entry.memory), entry.memory, note.removeprefix(", "))


def _mib(size: float) -> str:
    return f"{number(size / 2**20, 0)} MiB"


def _whole(value: object) -> str:
    return whole(float(value)) if isinstance(value, int | float) else MISSING
