"""From the rows of one case in two folders to a verdict: better, worse, same, missing, not comparable."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ebmbench.harness import tasks
from ebmbench.harness.comparison import identity, intervals, restorations
from ebmbench.harness.comparison.intervals import Change
from ebmbench.harness.measures import Measure, Speed

WORSE, MAYBE_WORSE, SAME, MAYBE_BETTER, BETTER = "worse", "maybe worse", "same", "maybe better", "better"
MISSING = {"a": "missing in A", "b": "missing in B"}
NOT_COMPARABLE = "not comparable"
VERDICTS = (WORSE, MAYBE_WORSE, *MISSING.values(), NOT_COMPARABLE, SAME, MAYBE_BETTER, BETTER)
_WORST_FIRST = (WORSE, MAYBE_WORSE, BETTER, MAYBE_BETTER, SAME)
_DOUBT = 0.5  # about a standard error: figures of other random numbers are never quite the same
_BAD_ENDS = ("diverged", "timeout", "failed", "red")  # `unavailable` says nothing of the code
_DIGESTS = {"dataset_digest": "data", "labels_digest": "labels", "model_digest": "model"} | {
    "settings_digest": "files that settings name"
}


@dataclass(frozen=True)
class Finding:
    """How one measure changed from A to B.

    kind: `speed` or `quality`; a, b: seconds of a piece of work (pieces a second of a rate), or the
    figure; scale: of change, low and high: `ratio` (their logarithms: above 0, B is faster, or has
    more) or `difference`, B less A; low, high: the interval's ends, or NaN; samples, of: as in
    `intervals.Change`.
    """

    measure: str
    called: str
    kind: str
    unit: str
    scale: str
    a: float
    b: float
    change: float
    low: float
    high: float
    samples: tuple[int, int]
    of: tuple[str, str]
    verdict: str

    def as_json(self) -> dict[str, Any]:
        """The fields; a ratio as itself, and None for NaN."""
        found = asdict(self)
        for name in ("change", "low", "high") if self.scale == "ratio" else ():
            found[name] = float(np.exp(found[name]))
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in found.items()
        }

    @property
    def sentence(self) -> str:
        """The change and its interval in words."""
        if self.scale == "ratio":
            value, *ends = (f"{np.exp(one):.3g}" for one in (self.change, self.low, self.high))
            told = f"{self.called} {value} times "
            told += "as fast" if self.kind == "speed" else "what it was"
        else:
            value, *ends = (f"{one:+.3g}" for one in (self.change, self.low, self.high))
            told = " ".join(filter(None, (self.called, value, self.unit)))
        return f"{told} [{', '.join(ends)}]" if np.isfinite(self.low) else f"{told} (no interval)"


@dataclass(frozen=True)
class Case:
    """One case of both folders, or of one.

    fields: what decides it; backends: in A and in B, None where it is missing; seeds: that both did;
    notes: what a reader must know of single seeds.
    """

    task: str
    where: str
    name: str
    fields: dict[str, Any]
    backends: tuple[str | None, str | None]
    seeds: list[int]
    verdict: str
    reason: str
    notes: list[str]
    findings: list[Finding]


def judge(a: Mapping[int, Mapping], b: Mapping[int, Mapping], threshold: float) -> Case:
    """The rows of A and of B by seed; one of the two may be empty; named as its task alone does."""
    every = [*a.values(), *b.values()]
    first = every[0]
    backends = [next((str(row["backend"]) for row in side.values()), None) for side in (a, b)]
    both = [seed for seed in a if seed in b]
    why = {seed: _obstacle(a[seed], b[seed]) for seed in both}
    usable = [seed for seed in both if not why[seed]]
    findings = []
    module = tasks.known().get(first["task"])
    measures = [*(module.Case.measures if module else ()), *restorations.measures(every)]
    found = [_finding(m, [a[s] for s in usable], [b[s] for s in usable], threshold) for m in measures]
    findings = [one for one in found if one]
    fallen = [seed for seed in both if a[seed]["status"] == "done" and b[seed]["status"] in _BAD_ENDS]
    verdict, reason = _verdict(a, b, why, fallen, findings)
    notes = [f"seed {seed}: {text}" for seed, text in why.items() if text and usable]
    software = {(a[seed].get("software"), b[seed].get("software")) for seed in usable}
    notes += [f"other software: {one} and {two}" for one, two in software if one != two and one == one]
    for side, name in ((b, "a"), (a, "b")):
        lone = [seed for seed in side if seed not in both]
        if lone and both:
            notes.append(f"seed {', '.join(map(str, lone))}: {MISSING[name]}")
    return Case(
        str(first["task"]), identity.where(first), identity.what(first), identity.fields(first),
        (backends[0], backends[1]), usable, verdict, reason, notes, findings,
    )  # fmt: skip


def _obstacle(a: Mapping, b: Mapping) -> str:
    """Why a row of A and one of B cannot be compared; empty where they can."""
    if a["task"] not in tasks.known():
        return f"task {a['task']} is not known to this version"
    for column, noun in _DIGESTS.items():
        one, other = a.get(column), b.get(column)
        if isinstance(one, str) and isinstance(other, str) and one != other:
            return f"other {noun}: digests {one[:8]} and {other[:8]}"
    undone = {side: row for side, row in (("A", a), ("B", b)) if row["status"] != "done"}
    told = [f"{row['status']} in {side}" for side, row in undone.items()]
    reasons = dict.fromkeys(str(row["reason"]) for row in undone.values() if row.get("reason"))
    return ": ".join(filter(None, [" and ".join(told), "; ".join(reasons)]))


def _verdict(
    a: Mapping, b: Mapping, why: Mapping[int, str], fallen: list[int], findings: list[Finding]
) -> tuple[str, str]:
    """A case's verdict and the reason for it."""
    if not a or not b:
        return MISSING["b" if a else "a"], ""
    if not why:
        return NOT_COMPARABLE, "no seed is in both"
    if fallen:
        return WORSE, f"seed {fallen[0]} was done in A, but is {why[fallen[0]]}"
    if all(why.values()):
        return NOT_COMPARABLE, next(iter(why.values()))
    for verdict in _WORST_FIRST:
        those = [one for one in findings if one.verdict == verdict]
        if those:
            return verdict, "" if verdict == SAME else "; ".join(one.sentence for one in those)
    return NOT_COMPARABLE, "no figure is usable on both sides"


def _finding(measure: Measure, a: list[Mapping], b: list[Mapping], threshold: float) -> Finding | None:
    """What came of one measure; None where one side has no figure of it."""
    if isinstance(measure, Speed):
        change = intervals.speed(measure, a, b)
        kind, unit, scale, good = "speed", "per second" if measure.rate else "s", "ratio", 1
        tolerance, doubt, trusted = float(np.log1p(threshold)), 0.0, True
    else:
        change = intervals.quality(measure, a, b)
        kind, unit, good = "quality", measure.unit, 1 if measure.higher else -1
        scale = "ratio" if measure.ratio else "difference"
        tolerance = float(np.log1p(measure.tolerance)) if measure.ratio else measure.tolerance
        doubt = _DOUBT
        trusted = not any(row.get(measure.trusted) is False for row in [*a, *b])
    if change is None:
        return None
    return Finding(
        measure.name, measure.called, kind, unit, scale, change.a, change.b, change.value, change.low,
        change.high, change.samples, change.of, _of(change, good, tolerance, doubt, trusted),
    )  # fmt: skip


def _of(change: Change, good: int, tolerance: float, doubt: float, trusted: bool) -> str:
    """A measure's verdict.

    good: the sign of a change for the better; doubt: the part of its interval's reach up to which a
    change that is not proven is none.
    """
    # An interval that is not there holds everything.
    proven = trusted and (change.low > 0 or change.high < 0)
    reach = change.high - change.value
    if abs(change.value) <= tolerance or (trusted and abs(change.value) < doubt * reach):
        return SAME
    if good * change.value > 0:
        return BETTER if proven else MAYBE_BETTER
    return WORSE if proven else MAYBE_WORSE
