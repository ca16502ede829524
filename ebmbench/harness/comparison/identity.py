"""Which rows of two folders are of the same case, and what people call it.

A case is all fields of its task's `Case` but those that say how long or how often it is measured; a row
that was written before a field existed has the field's default. Code version and machine play no part,
nor does the folder of a data file or of a model: the digests in the rows say whether they are the same.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ebmbench.harness import tasks

if TYPE_CHECKING:
    from ebmbench.harness.comparison.verdicts import Case

# How long, how often and how closely something is measured, or what a run fills in, but not what it is.
_ASIDE = {
    "timeout_s", "seed", "turns", "turn_s", "processes", "repeats", "checkpoints", "spacing", "targets",
    "resolve", "restore", "recorded", "truth", "truth_source",
}  # fmt: skip
_WHERE = ("model", "dataset", "subject", "family")
_WHAT = ("estimator", "job", "sampler", "method", "measured", "marker")
_FILES = ("dataset", "model", "estimator", "sampler", "method")  # whose names may be paths
_OF_BACKEND = ("backend", "against")  # what plays no part where backends are compared


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that decide a row's case, but for its seed; of a task that is not known, its key."""
    module = tasks.known().get(row["task"])
    if module is None:
        return {"key": row["key"]}
    known = {field.name: field for field in dataclasses.fields(module.Case)}
    aside = _ASIDE | ({"n_visible", "n_hidden"} if "model" in known else set())  # its name has them
    found: dict[str, Any] = {}
    for name, field in known.items():
        if name not in aside:
            value = _plain(_given(row, name))
            found[name] = _default(field) if value is None else value
    if "threads" in found:
        found["threads"] = _threads(row, found["threads"])
    for setting, value in (_plain(row.get("settings")) or {}).items():
        found[f"settings.{setting}"] = value
    return found


def _threads(row: Mapping[str, Any], threads: float) -> float | str:
    """How many were asked for. A row of before that was noted has how many there were: all, it may be."""
    asked = _plain(row.get("threads_asked"))
    device = row.get("device")  # NaN in a frame, where a case had none
    every = _plain(device.get("threads")) if asked is None and isinstance(device, dict) else None
    threads = threads if asked is None else asked
    return "all" if threads in (0.0, every) else threads


def key(row: Mapping[str, Any], across: bool) -> str:
    """One text for rows of one case; across: whatever their backend, and what that was timed against."""
    decide = {name: value for name, value in fields(row).items() if not (across and name in _OF_BACKEND)}
    return json.dumps([row["task"], decide], sort_keys=True)


def _given(row: Mapping[str, Any], name: str) -> Any:
    """A field as the row has it: a table where a label stands in its place, a file without its folder."""
    values = (row.get(column) for column in (f"{name}_table", f"{name}_name", name))
    value = next((one for one in values if _plain(one) is not None), None)
    return PurePath(value).name if name in _FILES and isinstance(value, str) else value


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return _plain(field.default_factory())
    return None if field.default is dataclasses.MISSING else _plain(field.default)


def _plain(value: Any) -> Any:
    """A value as JSON has it, all numbers floats as a frame may have made them; None for NaN."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value]


def where(row: Mapping[str, Any]) -> str:
    """What a row's case worked on."""
    named = _first(row, _WHERE)
    temperature = _plain(row.get("temperature"))
    return named if temperature in (None, 1.0) else f"{named} at T = {temperature:g}"


def what(row: Mapping[str, Any]) -> str:
    """What a row's case is of, as tables call it."""
    return (_first(row, _WHAT) or str(row["task"])).replace("_", " ")


def _first(row: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    values = (row.get(column) for column in columns)
    return next((PurePath(value).name for value in values if isinstance(value, str) and value), "")


def told_apart(cases: "list[Case]") -> "list[Case]":
    """The cases with as many of their fields in the name as it takes to tell apart those called alike.

    Those of one task, on the same thing and the same backend.
    """
    import pandas as pd

    table = pd.DataFrame([case.fields for case in cases]).drop(columns="backend", errors="ignore")
    table = table.map(_words)
    alike = pd.Series([str((case.task, case.where, case.fields.get("backend"))) for case in cases])
    name = pd.Series([case.name for case in cases])
    for column in map(str, table):
        counts = table[column].groupby([alike, name], sort=False).transform("nunique")
        word = column.removeprefix("settings.").replace("_", " ")
        name = name.where(counts <= 1, name + f", {word} " + table[column])
    return [dataclasses.replace(case, name=str(one)) for case, one in zip(cases, name, strict=True)]


def _words(value: Any) -> str:
    """A field's value in a name; `default` where it has none."""
    if isinstance(value, float):
        return "default" if np.isnan(value) else f"{value:g}"
    if isinstance(value, list):
        return " x ".join(map(_words, value))
    if isinstance(value, Mapping):  # a name and its settings
        settings = (f" {name} {_words(one)}" for name, one in value.items() if name != "name")
        return _words(value.get("name", "")) + ",".join(settings)
    return "default" if value is None else str(value)
