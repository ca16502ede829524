"""Deep models in tables: what they are worth, and what that cost."""

import numpy as np

from ebmbench.report.deep.entries import (
    BETTER,
    BOUND,
    ERROR,
    PARZEN,
    Entry,
    error_shown,
    shown,
    yardstick,
)
from ebmbench.report.deep.published import Published, like
from ebmbench.report.section import Cell, Sheet
from ebmbench.report.text import MISSING, duration, number, significant, tick
from ebmbench.report.training.reached import Reached

_LATE = 1e12  # seconds; a censored time is sorted after every reached one
_MEASURES = {BOUND: "Bound", ERROR: "Wrong", PARZEN: "Parzen window"}


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
    return Sheet(f"{where}: quality", columns, rows)


def _quality(entry: Entry) -> Cell:
    unit = {BOUND: " nats", ERROR: "", PARZEN: " nats"}[entry.measure]
    notes = [_MEASURES[entry.measure].lower()]
    if len(entry.values) > 1:
        ends = shown(entry.measure, min(entry.values)), shown(entry.measure, max(entry.values))
        notes.append(f"{len(entry.values)} seeds [{ends[0]}, {ends[1]}]")
    if entry.no_gains:
        notes.append("no gain")
    return Cell(f"{entry.told}{unit}", BETTER[entry.measure] * entry.value, ", ".join(notes))


def _estimated(entry: Entry) -> str:
    """What the value and its uncertainty stand on."""
    facts = entry.facts
    if entry.measure == BOUND:
        schedule = facts.get("log_z_schedule")
        how = f"log Z by AIS, {schedule}" if isinstance(schedule, str) else "log Z is exact"
        return f"{how}; {entry.resolution}" if entry.resolution else how
    if entry.measure == ERROR:
        return f"{_whole(facts.get('wrong'))} of {_whole(facts.get('n_test'))} test rows; ± is binomial"
    sigma = significant(yardstick(entry, "parzen_sigma"), 2)
    told = f"{_whole(facts.get('parzen_samples'))} samples, σ {sigma}"
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
    error = f" ± {error_shown(one.measure, one.error)}" if one.error is not None else ""
    gap = BETTER[one.measure] * (entry.value - one.value)
    verdict = "reached" if gap >= 0 else f"not reached, by {shown(one.measure, -gap)}"
    return f"{one.what}: {least}{shown(one.measure, one.value)}{error} ({one.source}); {verdict}"


def cost(where: str, entries: list[Entry]) -> Sheet:
    """Seconds, images a second, memory, and seconds to each target."""
    measures = list(dict.fromkeys(entry.measure for entry in entries))
    targets = [(one, target) for one in measures for target in _targets(one, entries)]
    columns = ["Model", "Backend", "Training", "Images a second", "Stages", "Peak memory"]
    columns += [f"To {_target(*one)}" for one in targets]
    rows = [
        [
            Cell(entry.label),
            Cell(entry.backend),
            Cell(duration(entry.train_s), entry.train_s),
            Cell(significant(entry.images_per_s), entry.images_per_s),
            Cell("; ".join(_stage(one) for one in entry.stages) or MISSING),
            _memory(entry),
            *(_time(entry, *one) for one in targets),
        ]
        for entry in entries
    ]
    return Sheet(f"{where}: what it took", columns, rows)


def _targets(measure: str, entries: list[Entry]) -> list[float]:
    """Easiest first."""
    known = {target for entry in entries if entry.measure == measure for target in entry.reached}
    return sorted(known, reverse=BETTER[measure] < 0)


def _target(measure: str, target: float) -> str:
    return f"{tick(100 * target)}\u00a0%" if measure == ERROR else f"{tick(target)} nats"


def _time(entry: Entry, measure: str, target: float) -> Cell:
    times: Reached | None = entry.reached.get(target) if entry.measure == measure else None
    if times is None:
        return Cell(MISSING, np.nan)
    note = f"{times.count} of {len(times.seconds)}" if len(times.seconds) > 1 else ""
    if entry.unresolved:
        note = f"{note} unresolved".strip()
    return Cell(times.text, times.median if np.isfinite(times.median) else times.bound + _LATE, note)


def _stage(stage: dict) -> str:
    seconds, images = float(stage.get("seconds") or np.nan), float(stage.get("images_per_s") or np.nan)
    return f"{stage.get('stage')} {duration(seconds)} ({significant(images)} images/s)"


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
    return number(float(value), 0) if isinstance(value, int | float) else MISSING
