"""What cases are called while they run: their headings, and what tells those of one heading apart."""

from collections.abc import Iterator, Sequence
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
