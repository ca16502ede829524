"""Numbers and lists as people read them."""

import math
from collections.abc import Sequence

MISSING = "–"


def number(value: float, places: int = 2) -> str:
    """A number with a fixed count of decimals and a true minus sign; a dash for NaN."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:,.{places}f}".replace("-", "−")


def significant(value: float, digits: int = 3) -> str:
    """A number rounded to significant digits and never in powers of ten; a dash for NaN."""
    if not math.isfinite(value):
        return MISSING
    rounded = float(f"{value:.{digits - 1}e}")
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return number(rounded, places)


def duration(seconds: float) -> str:
    """Seconds to three significant digits at most, in the unit that suits them."""
    if not math.isfinite(seconds):
        return MISSING
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds / 1e-9)} ns"


def plain(value: object) -> str:
    """A setting as a suite's file would say it; `default` for NaN, where it says nothing."""
    if isinstance(value, float):
        return "default" if math.isnan(value) else f"{value:g}"
    return str(value)


def count(n: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listing(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def _short(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}"
