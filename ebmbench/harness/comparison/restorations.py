"""What models restored, as figures that two rows of a case are compared by: one a kind of damage."""

from collections.abc import Iterable, Mapping
from typing import Any

from ebmbench.harness.measures import Quality

_TOLERANCE = 0.05  # points


def figures(row: Mapping[str, Any]) -> dict[str, float]:
    """The share of bits that a row's model got wrong, in %, by the name of the measure."""
    return {_name(one["damage"]): 100.0 * one["model_wrong"] for one in _entries(row)}


def measures(rows: Iterable[Mapping[str, Any]]) -> list[Quality]:
    """A measure for each kind of damage that any of the rows has figures of."""
    damages = dict.fromkeys(one["damage"] for row in rows for one in _entries(row))
    return [
        Quality(_name(damage), f"bits wrong, {damage}", "points", tolerance=_TOLERANCE)
        for damage in damages
    ]


def _entries(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those that came to something; of a row without any, a frame has NaN."""
    found = row.get("restored")
    return [one for one in found if "model_wrong" in one] if isinstance(found, list) else []


def _name(damage: str) -> str:
    return f"restored, {damage}"
