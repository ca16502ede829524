"""Numbers and lists as people read them."""

import math
import re
from collections.abc import Sequence

from ebmbench.harness.measures import LEAST_GAP

MISSING = "–"
# What makes an end an unresolved one, to follow on a colon.
UNRESOLVED = (
    "forward and reverse estimates of log Z lie far apart or are too uncertain, or by them the test "
    "rows' probabilities add up to more than 1"
)
_LEAST_PART = 1e-4  # parts of 1 below which figures mean nothing


def number(value: float, places: int = 2) -> str:
    """A number with a fixed count of decimals and a true minus sign; a dash for NaN."""
    if not math.isfinite(value):
        return MISSING
    rounded = round(value, places) or 0.0  # no minus before a zero
    return f"{rounded:,.{places}f}".replace("-", "−")


def significant(value: float, digits: int = 3) -> str:
    """A number rounded to significant digits and never in powers of ten; a dash for NaN."""
    if not math.isfinite(value):
        return MISSING
    rounded = float(f"{value:.{digits - 1}e}")
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return number(rounded, places)


def whole(value: float | None) -> str:
    """A count or a seed; a dash where there is none."""
    return MISSING if value is None else number(value, 0)


def on(label: str, backend: str) -> str:
    """A label and its backend, which labels of cases that ran on several have already."""
    end = f"on {backend}"
    return label if label.endswith(end) else f"{label} {end}"


def estimator_of(evaluate: object) -> str:
    """What people call the way to log Z that a column `evaluate` names; AIS, where it names none."""
    return {"reverse_ais": "reverse AIS", "bridge": "bridge"}.get(str(evaluate), "AIS")


def resolution(resolved: int, unresolved: int, gap: float) -> str:
    """Whether an end is resolved, by seeds that are and are not; empty where nobody looked.

    gap: nats between its two estimates; where they agree, or are not two, its size is not what is wrong.
    """
    told = f", gap {number(gap)} nats"
    if unresolved:
        return f"unresolved{told if gap >= LEAST_GAP else ''}"
    return f"resolved{told}" if resolved else ""


def slug(name: str) -> str:
    """A name as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def tick(value: float) -> str:
    """A number as an axis shows it: as short as it goes."""
    return f"{value:g}".replace("-", "−")


def percent(value: float) -> str:
    """A part of 1 in per cent, to two significant digits at most; a dash for NaN."""
    if not math.isfinite(value):
        return MISSING
    if 0 < value < _LEAST_PART:
        return f"< {percent(_LEAST_PART)}"
    return f"{float(f'{100 * value:.2g}'):,g}\u00a0%".replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds to three significant digits at most, in the unit that suits them."""
    if not math.isfinite(seconds):
        return MISSING
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds / 1e-9)} ns"


def durations(low: float, high: float) -> str:
    """`31 to 46 s`: two durations, the unit once if they share it."""
    first, last = duration(low), duration(high)
    same = first.split()[-1] == last.split()[-1]
    return f"{first.split()[0] if same else first} to {last}"


def plain(value: object) -> str:
    """A setting as a suite's file would say it; `default` for NaN, where it says nothing."""
    if isinstance(value, float):
        return "default" if math.isnan(value) else f"{value:g}"
    return str(value)


def count(n: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listing(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; where one has a comma of its own `a; b, d; and c`."""
    if len(items) < 2:
        return "".join(items)
    if len(items) > 2 and any(", " in item for item in items):
        return "; ".join([*items[:-1], f"and {items[-1]}"])
    return f"{', '.join(items[:-1])} and {items[-1]}"


def _short(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}"
