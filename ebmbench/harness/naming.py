"""What cases are called while they run, and files in tables: with as little as tells them apart."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ebmbench.harness.tasks import Case

_APART = {"seed", "backend"}  # which every name has


def names(cases: Sequence[Case]) -> list[str]:
    """A name for each case: cases that differ in more than the seed have different ones."""
    settings = [dict(_flat(asdict(case))) for case in cases]
    alike: dict[tuple[str, str], list[dict[str, str]]] = {}
    for case, own in zip(cases, settings, strict=True):
        alike.setdefault((case.heading, case.backend), []).append(own)
    found = []
    for case, own in zip(cases, settings, strict=True):
        apart = ", ".join(_differing(own, alike[case.heading, case.backend]))
        name = f"{case.heading.rstrip(',')}, {apart}," if apart else case.heading
        found.append(placed(name, case))
    return found


def placed(name: str, case: Case) -> str:
    """A name and where and from which seed the case runs."""
    return f"{name} on {case.backend}, seed {case.seed}"


def _flat(table: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """The settings, those in tables with the table's name before their own, in words."""
    for key, value in table.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name} ")
        elif before or key not in _APART:
            yield name, str(value)


def _differing(own: dict[str, str], others: list[dict[str, str]]) -> Iterator[str]:
    """The first settings that tell it from all others together."""
    left = [other for other in others if other != own]
    for key, value in own.items():
        same = [other for other in left if other.get(key) == value]
        if len(same) < len(left):
            yield f"{key} {value}"
            left = same


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
