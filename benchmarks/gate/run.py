"""Measuring two versions: pairs of processes for speed, again what is suspect; each once for quality."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.gate.measure import QUALITY, SPEED
from benchmarks.gate.verdict import LEAST, THRESHOLD, Change, Verdict, decide, loss, slowdown
from benchmarks.gate.versions import Version

PAIRS = 10


class Finding(NamedTuple):
    """A figure's verdict, and the measurements that it stands on; reason: where there is none."""

    name: str
    kind: str  # speed or quality
    verdict: Verdict
    changes: tuple[Change, ...]
    reason: str = ""

    def __str__(self) -> str:
        if not self.changes:
            return f"{self.verdict.words:12} {self.kind} {self.name}: {self.reason}"
        told = ", again ".join(map(self._told, self.changes))
        return f"{self.verdict.words:12} {self.kind} {self.name}: {told}"

    def _told(self, change: Change) -> str:
        if self.kind == "quality":
            return f"{change.estimate:+.3f} nats (at least {change.low:+.3f})"
        return f"{100 * np.expm1(change.estimate):+.1f} % (at least {100 * np.expm1(change.low):+.1f} %)"


class Unmeasured(RuntimeError):
    """A version that could not be measured; the text says which and why."""


def gate(
    base: Version,
    new: Version,
    speed: Sequence[str] = SPEED,
    quality: Sequence[str] = tuple(QUALITY),
    pairs: int = PAIRS,
    threshold: float = THRESHOLD,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Finding]:
    """A finding for each figure; tell: called with what goes on."""

    def timed(names: Sequence[str]) -> dict[str, Change]:
        seconds = in_pairs(base, new, names, pairs, tell)
        return {name: slowdown(*seconds[name], threshold) for name in names}

    def judged(names: Sequence[str]) -> dict[str, Change]:
        tell("quality")
        figures = [_demand(version, "quality", names) for version in (base, new)]
        return {name: loss(*(figure[name] for figure in figures)) for name in names}

    # Quality does not depend on the machine: what is worse there needs no second look.
    return [*_findings("speed", speed, timed, True), *_findings("quality", quality, judged, False)]


def _findings(
    kind: str, names: Sequence[str], measured: Callable[[Sequence[str]], dict[str, Change]], noisy: bool
) -> list[Finding]:
    if not names:
        return []
    try:
        first = measured(names)
        suspects = [name for name in names if first[name].suspect]
        second = first if not noisy else measured(suspects) if suspects else {}
    except Unmeasured as error:
        return [Finding(name, kind, decide(None), (), str(error)) for name in names]
    return [
        Finding(
            name, kind, decide(first[name], second.get(name)),
            (first[name], second[name]) if noisy and name in second else (first[name],),
        )
        for name in names
    ]  # fmt: skip


def in_pairs(
    base: Version, new: Version, names: Sequence[str], pairs: int, tell: Callable[[str], None]
) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of base and new for each name, a process each, in the order A B B A."""
    if pairs < LEAST:
        raise ValueError(f"at least {LEAST} pairs of processes are needed, not {pairs}")
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    tell("compiling both versions")
    for version in (base, new):
        _demand(version, "speed", names)
    for pair in range(pairs):
        tell(f"speed, pair {pair + 1} of {pairs}")
        for place in (0, 1) if pair % 2 == 0 else (1, 0):
            seconds = _demand((base, new)[place], "speed", names)
            for name in names:
                found[name][place].append(seconds[name])
    return found


def _demand(version: Version, what: str, names: Sequence[str]) -> dict:
    found = version.measure(what, names)
    if isinstance(found, str):
        raise Unmeasured(found)
    return found
