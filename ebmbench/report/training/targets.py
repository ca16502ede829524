"""The estimators ranked by the time that they take to a target log-likelihood."""

from collections.abc import Iterable

import numpy as np

from ebmbench.report.section import Cell, Sheet
from ebmbench.report.text import number, tick
from ebmbench.report.training.results import Result

_LATE = 1e12  # seconds; added to a censored time, so that it is sorted after every reached one
_DOUBTFUL = 1e13  # seconds; added to all times of an unresolved result, which are sorted last


def named(results: list[Result]) -> list[float]:
    """The targets of these results in nats per test row, hardest first."""
    return sorted({target for result in results for target in result.reached}, reverse=True)


def ranking(dataset: str, results: list[Result]) -> Sheet | None:
    """A table of seconds to each target, the one that is first at the hardest target on top.

    Those that never reach it follow, ordered by the next target and at last by where they end. Those
    whose end is unresolved come after all others, as nobody knows whether they reached anything.
    """
    targets = named(results)
    if not targets:
        return None
    ranked = sorted(
        results,
        key=lambda r: (r.doubtful, [_seconds(r, target) for target in targets], _below(r)),
    )
    columns = ["Estimator", "Backend", *(f"To {tick(t)} nats" for t in targets[::-1])]
    rows = [
        [
            Cell(result.label),
            Cell(result.backend),
            *(_cell(result, target) for target in targets[::-1]),
            _final(result),
            _gain(result),
        ]
        for result in ranked
    ]
    return Sheet(dataset, [*columns, "At the end", "Gain over base rates"], rows)


def fastest(results: list[Result]) -> list[str]:
    """Who is first at the hardest target that anyone surely reaches, in a sentence.

    Whoever's end is unresolved comes after the others, and reaches no target surely.
    """
    targets = named(results)
    for target in targets:
        reaching = _reaching(results, target)
        if not reaching or reaching[0].doubtful:
            continue
        first = reaching[0]
        if _seconds(first, target) == 0.0:
            return [f"{first.label} starts above {tick(target)} nats, so nobody is first there."]
        text = f"First at {tick(target)} nats: {_told(first, target)}"
        others = [result for result in reaching if result.label != first.label]
        if others:
            text += f", then {_told(others[0], target)}"
            if _overlap(first, others[0], target):
                text += ", in an order that the looks do not settle"
        return ["; ".join([text, *_missed(results, [t for t in targets if t > target])]) + "."]
    if not targets:
        return []
    if not any(_reaching(results, target) for target in targets):
        return [f"Nobody reaches a target ({', '.join(map(tick, targets))} nats)."]
    return [f"No resolved end reaches a target: {'; '.join(_missed(results, targets))}."]


def _reaching(results: Iterable[Result], target: float) -> list[Result]:
    """Those that reach a target, the first of those whose end is not unresolved on top."""
    reaching = [result for result in results if np.isfinite(_seconds(result, target))]
    return sorted(reaching, key=lambda result: (result.doubtful, _seconds(result, target)))


def _missed(results: list[Result], targets: list[float]) -> list[str]:
    """Which of the targets nobody reaches, and which only those whose end is unresolved."""
    never = [tick(target) for target in targets if not _reaching(results, target)]
    doubtful = {target: _reaching(results, target) for target in targets}
    told = [f"only {_told(own[0], t)} reaches {tick(t)}" for t, own in doubtful.items() if own]
    return told + ([f"nobody reaches {' or '.join(never)}"] if never else [])


def _overlap(first: Result, second: Result, target: float) -> bool:
    """Whether the second may have reached the target before the first, where that is what orders them."""
    return not second.doubtful and not second.reached[target].bound >= first.reached[target].median


def _told(result: Result, target: float) -> str:
    when = result.reached[target].text
    return f"{result.label} ({when}{', its end is unresolved' if result.doubtful else ''})"


def _seconds(result: Result, target: float) -> float:
    """Infinite where the target is not reached."""
    return result.reached[target].median if target in result.reached else np.inf


def _below(result: Result) -> float:
    """How far below 0 the result ends; infinite where it has no log-likelihood."""
    return -result.lower if np.isfinite(result.lower) else np.inf


def _cell(result: Result, target: float) -> Cell:
    times = result.reached.get(target)
    if times is None:
        return Cell("–", np.nan)
    censored = not np.isfinite(times.median)
    note = f"{times.count} of {len(times.seconds)}" if len(times.seconds) > 1 else ""
    place = times.bound + _LATE if censored else times.median
    if result.doubtful:
        note, place = f"{note} unresolved".strip(), place + _DOUBTFUL
    return Cell(times.text, place, note)


def _final(result: Result) -> Cell:
    return Cell(number(result.median), result.median, result.resolution)


def _gain(result: Result) -> Cell:
    if result.no_gains:
        told = f" ({result.no_gains} of {result.done})" if result.done > 1 else ""
        return Cell(number(result.gain), result.gain, f"no gain{told}")
    return Cell(number(result.gain), result.gain)
