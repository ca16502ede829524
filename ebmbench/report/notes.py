"""What ran where and when, and how it was measured, in sentences."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from ebmbench.report.cases import GAUSSIAN, TRAINING
from ebmbench.report.text import count, listing, number, plain

_NAMED = 5  # things worked on that a version is told of
_MOST = 3  # schedules that are spelt out: an adaptive one is another for every model


def place(cases: pd.DataFrame, machines: dict[str, Any]) -> list[str]:
    """A line for every machine, and what each backend stood on."""
    known = cases["machine"].dropna().unique()
    lines = [_machine(str(name), machines.get(name)) for name in known]
    for backend, group in cases.groupby("backend", sort=False):
        devices = dict.fromkeys(_device(device) for device in group["device"])
        used = [device for device in devices if device]
        lines += [f"{backend}: {'; '.join(used)}"] if used else []
    return lines


def period(attempts: Iterable[str]) -> str:
    """When the first and the last of the cases began."""
    moments = sorted(datetime.fromisoformat(attempt) for attempt in attempts)
    first, last = moments[0], moments[-1]
    day, hour = "%d %B %Y", "%H:%M"
    text = f"{first:{day}}, {first:{hour}}"
    if first.date() != last.date():
        text += f" to {last:{day}}, {last:{hour}}"
    elif f"{first:{hour}}" != f"{last:{hour}}":
        text += f" to {last:{hour}}"
    return f"{text} {first.tzname() or ''}".strip()


def method(cases: pd.DataFrame) -> list[str]:
    """How the time and the quality of training were measured."""
    return [
        "The clock runs while a model is trained and at no other time: compilation, transfers to and "
        "from a device and evaluation are left out. Compilation is reported on its own: the seconds "
        "in which a process checks a backend's kernels, which compiles them, or loads them.",
        "A sample of the time per update is the mean over the updates between two readings of the "
        "clock, before each of which the device is synchronised.",
        "A log-likelihood is the mean over the test rows, in nats per row, at the end of training."
        f"{_other_rows(cases)}",
        *_evaluation(cases),
        *_software(cases),
    ]


def _other_rows(cases: pd.DataFrame) -> str:
    """What the choice of the test rows leaves open, to follow on a sentence.

    Nothing where a ceiling is known: there the rows are all that the law allows.
    """
    chosen = cases[cases["ceiling"].isna()].dropna(subset=["rows_std_error"])
    errors = chosen.groupby("dataset", sort=False)["rows_std_error"].max()
    if errors.empty:
        return ""
    told = listing([f"{number(error)} on {name}" for name, error in errors.items()])
    return (
        f" Other test rows would give another: its standard error over the rows is up to {told}. Models "
        "that are judged by the same rows share much of it."
    )


def _software(cases: pd.DataFrame) -> list[str]:
    """Which other software trained, where any did."""
    if cases["software"].isna().all():
        return []
    known = [str(one) for one in cases["software"].dropna().unique()]
    return [
        f"Other software, by its version or the digest of its file: {listing(known)}. It "
        "trains by whole epochs; the first one is not clocked, and one more is run in its place."
    ]


def superseded(older: int) -> list[str]:
    """How many rows the page leaves out, as newer ones replace them."""
    if not older:
        return []
    return [
        f"{count(older, 'older row')} of cases that were run again, with other code or other limits, "
        f"{'is' if older == 1 else 'are'} left out."
    ]


def training(cases: pd.DataFrame) -> list[str]:
    """The settings of the training, a line for every data set and every choice of them."""
    told = [column for column in TRAINING if cases[column].notna().any()]
    lines = []
    for values, group in cases.groupby(["dataset", *told], sort=False, dropna=False):
        dataset, *settings = values if isinstance(values, tuple) else (values,)
        known = dict(zip(told, settings, strict=True))
        if known.get("visible") != GAUSSIAN:
            known.pop("precision", None)
        if not known.get("centred"):
            known.pop("centred", None)
        words = [f"{TRAINING[name]} {plain(value)}" for name, value in known.items()]
        lines.append(f"{dataset}, {listing(list(group['label'].unique()))}: {', '.join(words)}.")
    return lines


def versions(cases: pd.DataFrame) -> list[tuple[str, str]]:
    """Each version of the code, libraries and data, behind the tasks and what they worked on."""
    known = cases.dropna(subset=["code_version"])
    grouped = known.groupby(["task", "code_version"], sort=False)["where"]
    return [
        (f"{str(task).replace('_', ' ')} ({_some(list(names.astype(str).unique()))})", str(version))
        for (task, version), names in grouped
    ]


def _some(names: list[str]) -> str:
    """The names, or where they are many the first of them and how many more there are."""
    more = len(names) - _NAMED
    return listing(names if more <= 1 else [*names[:_NAMED], f"{more} more"])


def _evaluation(cases: pd.DataFrame) -> list[str]:
    lines = []
    for way, group in cases.groupby("evaluate", sort=False):
        where = listing([str(name) for name in group["dataset"].unique()])
        if way == "exact":
            lines.append(
                f"On {where}, log Z is exact: by enumeration, or 0 of models that come normalised."
            )
        elif way == "ais":
            lines.append(
                f"On {where}, log Z is estimated by annealed importance sampling (AIS) from the base "
                f"rates of the training rows{_schedules(group)}. AIS is a stochastic lower bound "
                "on log Z, so with too few temperatures log-likelihoods are optimistic, and the "
                "standard error does not show it."
            )
        else:
            lines.append(f"On {where}, log Z is estimated by {way}.")
    return lines


def _schedules(group: pd.DataFrame) -> str:
    """The temperatures and chains as the rows themselves tell them; empty where none was judged."""
    known = group[["log_z_schedule", "chains"]].dropna().drop_duplicates()
    used = [
        f"{schedule} for {count(int(chains), 'chain')}"
        for schedule, chains in known.itertuples(index=False)
    ]
    if len(used) > _MOST:
        used = [*used[:_MOST], count(len(used) - _MOST, "other schedule")]
    return f", with these temperatures: {listing(used)}" if used else ""


def _machine(name: str, facts: Any) -> str:
    if not isinstance(facts, dict):
        return f"machine {name}, not described"
    libraries = facts.get("libraries") or {}
    blas = dict.fromkeys(
        f"{library.get('internal_api')} {library.get('version')}" for library in facts.get("blas") or []
    )
    parts = [
        facts.get("cpu"),
        "cores" in facts and count(facts["cores"], "core"),
        "memory_gib" in facts and f"{number(facts['memory_gib'], 1)} GiB",
        *(_gpu(gpu) for gpu in facts.get("gpus") or []),
        facts.get("system"),
        "python" in facts and f"Python {facts['python']}",
        *(f"{library} {libraries[library]}" for library in ("numba", "numpy") if library in libraries),
        *blas,
    ]
    return ", ".join(str(part) for part in parts if part)


def _gpu(gpu: Any) -> str:
    if not isinstance(gpu, dict):
        return "GPU"
    memory = f" of {number(gpu['memory_gib'], 1)} GiB" if "memory_gib" in gpu else ""
    return f"{gpu.get('name', 'GPU')}{memory}"


def _device(device: Any) -> str:
    if not isinstance(device, dict):
        return ""
    return ", ".join(
        count(value, "thread") if name == "threads" else str(value)
        for name, value in device.items()
        if value is not None
    )
