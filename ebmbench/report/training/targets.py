"""The estimators ranked by the time that they take to a target log-likelihood."""

import numpy as np

from ebmbench.report.section import Cell, Sheet
from ebmbench.report.text import duration, number, tick
from ebmbench.report.training.results import Result

_LATE = 1e12  # seconds; added to a censored time, so that it is sorted after every reached one


def named(results: list[Result]) -> list[float]:
    """The targets of these results in nats per test row, hardest first."""
    return sorted({target for result in results for target in result.reached}, reverse=True)


def ranking(dataset: str, results: list[Result]) -> Sheet | None:
    """A table of seconds to each target, the one that is first at the hardest target on top.

    Those that never reach it follow, ordered by the next target and at last by where they end.
    """
    targets = named(results)
    if not targets:
        return None
    ranked = sorted(
        results, key=lambda result: ([_seconds(result, target) for target in targets], _below(result))
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
    """Who is first at the hardest target that anyone reaches, in a sentence."""
    targets = named(results)
    for target in targets:
        times = [(r.reached[target].median, r) for r in results if target in r.reached]
        known = sorted((one for one in times if np.isfinite(one[0])), key=lambda one: one[0])
        if not known:
            continue
        harder = [tick(t) for t in targets if t > target]
        text = f"First at {tick(target)} nats: {known[0][1].label} after {duration(known[0][0])}"
        if known[0][1].unresolved:
            text += " (its end is unresolved)"
        others = [one for one in known if one[1].label != known[0][1].label]
        if others:
            text += f", then {others[0][1].label} after {duration(others[0][0])}"
        missed = f"; nobody reaches {' or '.join(harder)}" if harder else ""
        return [f"{text}{missed}."]
    return [f"Nobody reaches a target ({', '.join(map(tick, targets))} nats)."] if targets else []


def _seconds(result: Result, target: float) -> float:
    """Infinite where the target is not reached."""
    return result.reached[target].median if target in result.reached else np.inf


def _below(result: Result) -> float:
    """How far below 0 the result ends; infinite where it has no log-likelihood."""
    return -result.median if np.isfinite(result.median) else np.inf


def _cell(result: Result, target: float) -> Cell:
    times = result.reached.get(target)
    if times is None:
        return Cell("–", np.nan)
    censored = not np.isfinite(times.median)
    note = f"{times.count} of {len(times.seconds)}" if len(times.seconds) > 1 else ""
    return Cell(times.text, times.bound + _LATE if censored else times.median, note)


def _final(result: Result) -> Cell:
    return Cell(number(result.median), result.median, result.resolution)


def _gain(result: Result) -> Cell:
    if result.no_gains:
        told = f" ({result.no_gains} of {result.done})" if result.done > 1 else ""
        return Cell(number(result.gain), result.gain, f"no gain{told}")
    return Cell(number(result.gain), result.gain)
