"""The table as the report reads it: one row a case, named, ordered and complete in its columns."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from ebmbench.report.text import plain

REFERENCE = "reference"  # the backend that others are compared with

# What decides a result, beside dataset, backend, estimator and seed, and how the page calls it.
TRAINING = {
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
_NUMBERS = (
    "ceiling", "baseline_mixture", "baseline_independent", "compile_s", "train_s", "update_s",
    "log_likelihood", "std_error",
)  # fmt: skip
_OTHERS = (
    "key", "attempt", "suite", "title", "indicative", "dataset", "backend", "estimator", "settings",
    "seed", "status", "reason", "code_version", "samples", "device",
)  # fmt: skip


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a case, the newest attempt of each, with `label` and people's names of the datasets.

    A table may lack columns (those that only finished cases have); here every column exists. A case
    that was run again with other code, or another limit or number of checkpoints, counts once.
    `label` is the estimator and what tells its settings apart, so that the cases of one dataset,
    label and backend differ in nothing but the seed.
    """
    rows = rows.reindex(columns=[*_OTHERS, *_SETTINGS, *_NUMBERS])
    for column in _NUMBERS:
        rows[column] = pd.to_numeric(rows[column], errors="coerce").astype(float)
    rows["dataset"] = rows["dataset"].map(display_names(rows["dataset"].unique()))
    settings = _estimator_settings(rows["settings"])
    rows = pd.concat([rows.drop(columns="settings"), settings], axis=1)
    words = _SETTINGS | {name: name.removeprefix("estimator.") for name in settings.columns}
    same = ["dataset", "backend", "estimator", "seed", *words]
    newest = rows.sort_values("attempt").drop_duplicates(same, keep="last")
    labelled = newest.sort_index().assign(label=lambda kept: _labels(kept, words))
    return _ordered(labelled)


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


def _estimator_settings(settings: "pd.Series[Any]") -> pd.DataFrame:
    """A column `estimator.NAME` for each setting of an estimator."""
    known = [value if isinstance(value, dict) else {} for value in settings]
    named = [{f"estimator.{k}": json.dumps(v) for k, v in value.items()} for value in known]
    return pd.DataFrame(named, index=settings.index)


def _labels(rows: pd.DataFrame, words: dict[str, str]) -> "pd.Series[str]":
    """The estimator and as many settings as it takes to tell its cases on a dataset apart.

    The size comes first, and is named wherever it varies on a dataset.
    """
    labels = rows["estimator"].astype(str)
    for column, word in words.items():
        alike = [rows["dataset"]] if column == "hidden" else [rows["dataset"], labels]
        counts = rows.groupby(alike, sort=False)[column].transform("nunique", dropna=False)
        labels = labels.where(counts <= 1, labels + f", {word} " + rows[column].map(plain))
    return labels


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
