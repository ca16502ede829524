"""The table as the report reads it: one row a case, named, ordered and complete in its columns."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ebmbench.report.text import plain

REFERENCE = "reference"  # the backend that others are compared with
GAUSSIAN = "gaussian"  # visible units whose log-likelihoods are densities, not to be mixed with others

# What decides a result, beside dataset, backend, estimator and seed, and how the page calls it.
TRAINING = {
    "visible": "visible units",
    "precision": "precision",
    "hidden": "hidden",
    "epochs": "epochs",
    "batch_size": "batch",
    "rate": "rate",
    "momentum": "momentum",
    "decay": "decay",
    "schedule": "schedule",
    "centred": "centred",
}
_SETTINGS = TRAINING | {
    "evaluate": "judged by",
    "betas": "AIS temperatures",
    "chains": "AIS chains",
    "machine": "machine",
}
JUDGED_BY = tuple(name for name in _SETTINGS if name not in TRAINING)  # how it is known, and where
_NUMBERS = (
    "ceiling", "baseline_mixture", "baseline_independent", "compile_s", "train_s", "update_s",
    "log_likelihood", "std_error", "log_likelihood_reverse", "gap", "swap_rate", "log_z",
    "learned_log_z", "rows_std_error",
)  # fmt: skip
_JUDGED = ["log_likelihood", "log_likelihood_reverse"]
_COMMON = (
    "key", "attempt", "task", "suite", "title", "indicative", "backend", "settings", "seed", "status",
    "reason", "machine", "code_version", "device", "others_cores",
)  # fmt: skip
_TRAINED = (
    "software",
    "dataset",
    "estimator",
    "samples",
    "seconds_to_target",
    "verdict",
    "resolved",
    "restored",
    "log_z_schedule",
)


@dataclass(frozen=True)
class Kind:
    """How the rows of a task are read, other than those of training.

    within: the columns that say what was worked on, a panel each; method: the column that is
    compared; numbers: the columns of results; varied: columns that identify a case and that a figure
    spreads along an axis, so that labels need not tell them apart; words: further columns that decide a
    result, and how a label calls them; others: columns to keep; names: what people call a method or a
    thing worked on that has another name in the table; table: the column with the settings of the method,
    each of which has the column `setting.NAME`.
    """

    within: tuple[str, ...]
    method: str
    numbers: tuple[str, ...]
    varied: tuple[str, ...] = ()
    words: Mapping[str, str] | None = None
    others: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None
    table: str = "settings"

    def tidy(self, rows: pd.DataFrame) -> pd.DataFrame:
        """One row a case, the newest attempt of each, with `label`, `case` and `where`.

        Every column exists; `label` is the method and what tells its settings apart, `case` adds what
        varies along an axis, `where` is what was worked on.
        """
        words = dict(self.words or {})
        named = (*_COMMON, *self.within, self.method, *words, *self.others, *self.numbers)
        rows = rows.assign(settings=rows.get(self.table)).reindex(columns=list(dict.fromkeys(named)))
        rows = _with_settings(rows, "setting.")
        settings = [c for c in _starting(rows, "setting.") if c not in self.varied]
        rows = rows.reindex(columns=list(dict.fromkeys([*rows, *self.varied])))
        for column in self.numbers:
            rows[column] = _numeric(rows[column])
        for column in (*self.within, self.method):
            if column not in self.numbers:
                rows[column] = _named(rows[column], "unnamed")
        # Of several parts a setting has its part before its name.
        words |= {c: c.removeprefix("setting.").replace(".", " ") for c in settings}
        words |= {"machine": "machine"}
        same = [*self.within, self.method, "backend", "seed", *self.varied, *words]
        rows = _newest(rows, same)
        called = rows.assign(
            **{name: rows[name].replace(dict(self.names or {})) for name in (self.method, self.within[0])}
        )
        rows["label"] = _labels(called, self.method, list(self.within), words)
        ran = rows["backend"].where(rows["status"] == "done")  # the others have no place in a figure
        alike = [rows[name] for name in (*self.within, "label")]
        several = ran.groupby(alike, dropna=False).transform("nunique") > 1
        rows["label"] = rows["label"].mask(several, rows["label"] + ", on " + rows["backend"].map(str))
        rows["where"] = _where(called, self.within[0])
        rows["case"] = rows["label"]
        for column in self.varied:
            told = f", {column.removeprefix('setting.')} " + rows[column].map(plain)
            rows["case"] += told.where(rows[column].notna(), "")
        return rows.reset_index(drop=True)


def split(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each task; one that names none trained a model."""
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *_COMMON])))
    rows["task"] = _named(rows["task"], "train")
    return {str(task): group for task, group in rows.groupby("task", sort=False)}


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a trained case, the newest attempt of each, with `label` and people's names of datasets.

    A table may lack columns (those that only finished cases have); here every column exists. A case
    that was run again with other code, or another limit or number of checkpoints, counts once.
    `label` is the estimator and what tells its settings apart, so that the cases of one dataset,
    label and backend differ in nothing but the seed. `where` is the dataset, which says so
    where its units are Gaussian. `log_likelihood_lower` is
    the lower of the log-likelihoods by forward and by reverse AIS, where both are there.
    """
    rows = rows.reindex(columns=[*dict.fromkeys((*_COMMON, *_TRAINED, *_SETTINGS, *_NUMBERS))])
    for column in _NUMBERS:
        rows[column] = _numeric(rows[column])
    lower = rows[_JUDGED].min(axis=1)
    rows["log_likelihood_lower"] = lower.where(rows["log_likelihood"].notna())
    rows["dataset"] = rows["dataset"].map(display_names(rows["dataset"].unique()))
    real = rows["visible"] == GAUSSIAN
    rows.loc[real, "dataset"] = rows.loc[real, "dataset"].map("{}, Gaussian units".format)
    rows["ceiling"] = rows["ceiling"].mask(real)  # of a discrete law: no bound on a density
    rows = _with_settings(rows, "estimator.")
    words = {name: _SETTINGS.get(name, name.removeprefix("estimator.")) for name in deciding(rows)}
    newest = _newest(rows, ["dataset", "backend", "estimator", "seed", *words])
    newest["label"] = _labels(newest, "estimator", ["dataset"], words, first="hidden")
    newest["case"], newest["where"] = newest["label"], newest["dataset"]
    return _ordered(newest)


def deciding(rows: pd.DataFrame) -> list[str]:
    """The columns of trained cases that decide a result, beside dataset, backend, estimator, seed."""
    return [*_SETTINGS, *_starting(rows, "estimator.")]


def display_names(names: Iterable[str]) -> dict[str, str]:
    """File names in place of paths, with as many folders as it takes to tell them apart."""
    parts = {name: [part for part in re.split(r"[/\\]+", name) if part] for name in names}
    shown: dict[str, str] = {}
    for name, own in parts.items():
        others = [other for key, other in parts.items() if key != name]
        depth = 1
        while depth < len(own) and any(own[-depth:] == other[-depth:] for other in others):
            depth += 1
        text = "/".join(own[-depth:]) or name
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
        taken = list(shown.values()).count(text)
        shown[name] = f"{text} ({taken + 1})" if taken else text
    return shown


def backends(names: Iterable[str]) -> list[str]:
    """Each backend once, the one to compare with first."""
    return sorted(set(names), key=lambda name: (name != REFERENCE, name))


def _numeric(column: "pd.Series[Any]") -> "pd.Series[float]":
    return pd.to_numeric(column, errors="coerce").astype(float)


def _named(column: "pd.Series[Any]", missing: str) -> "pd.Series[str]":
    return column.map(lambda value: missing if value is None or value != value else str(value))


def _with_settings(rows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """A column PREFIX + NAME for each setting, as JSON, in place of the column `settings`."""
    known = [value if isinstance(value, dict) else {} for value in rows["settings"]]
    named = [
        {f"{prefix}{k}": v if isinstance(v, str) else json.dumps(v) for k, v in value.items()}
        for value in known
    ]
    return pd.concat([rows.drop(columns="settings"), pd.DataFrame(named, index=rows.index)], axis=1)


def _starting(rows: pd.DataFrame, prefix: str) -> list[str]:
    """The columns whose names begin so."""
    return [str(column) for column in rows.columns if str(column).startswith(prefix)]


def _newest(rows: pd.DataFrame, same: list[str]) -> pd.DataFrame:
    """The newest attempt of the rows that agree in these columns, in the table's order.

    What they restored, each of another kind of damage, it takes over: `restored` has dicts, each with
    the `key` of its row and its `place` there.
    """
    rows = rows.sort_values("attempt")
    newest = rows.drop_duplicates(same, keep="last")
    if "restored" in rows:
        alike = rows.groupby(same, sort=False, dropna=False).ngroup()
        found: dict[int, dict[str, Any]] = {}
        for group, key, entries in zip(alike, rows["key"], rows["restored"], strict=True):
            for place, one in enumerate(entries if isinstance(entries, list) else []):
                if isinstance(one, dict) and "damage" in one:
                    found.setdefault(group, {})[one["damage"]] = {**one, "key": key, "place": place}
        taken = [list(found.get(group, {}).values()) for group in alike[newest.index]]
        newest = newest.assign(restored=pd.Series(taken, newest.index, dtype=object))
    return newest.sort_index()


def _labels(
    rows: pd.DataFrame, method: str, within: list[str], words: Mapping[str, str], first: str = ""
) -> "pd.Series[str]":
    """The method and as many settings as it takes to tell its cases on one thing apart.

    `first` is named wherever it varies, for whatever method, unless it is 0: what there is none of.
    """
    labels = rows[method].astype(str)
    for column, word in words.items():
        alike = [rows[name] for name in within] + ([] if column == first else [labels])
        counts = rows.groupby(alike, sort=False, dropna=False)[column].transform("nunique", dropna=False)
        told = counts > 1
        if column == first:
            told &= rows[column] != 0
        labels = labels.where(~told, labels + f", {word} " + rows[column].map(plain))
    return labels


def _where(rows: pd.DataFrame, name: str) -> "pd.Series[str]":
    """A model, and its temperature unless all stand at 1."""
    if "temperature" not in rows or rows["temperature"].isin([1.0]).all():
        return rows[name]
    return rows[name] + rows["temperature"].map(lambda t: "" if pd.isna(t) else f" at T = {t:g}")


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Datasets and labels as they first appear, then backends, then seeds."""
    ranks = {
        "dataset": list(rows["dataset"].unique()),
        "label": list(rows["label"].unique()),
        "backend": backends(rows["backend"]),
    }
    keys = rows.assign(**{name: rows[name].map(order.index) for name, order in ranks.items()})
    order = keys.sort_values([*ranks, "seed"]).index
    return rows.loc[order].reset_index(drop=True)
