"""The answer in sentences, computed from the table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ebmbench.report.cases import GAUSSIAN, backends
from ebmbench.report.section import Answer
from ebmbench.report.text import count, estimator_of, listing, number, significant
from ebmbench.report.training import targets
from ebmbench.report.training.results import Result, best
from ebmbench.report.training.sweeps import best_settings

_BASELINES = {  # for binary and for real rows
    "baseline_mixture": ("the mixture of 10 Bernoullis", "the mixture of 10 normals"),
    "baseline_independent": ("independent pixels", "independent normals"),
}

_UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Yardsticks:
    """Log-likelihoods of test rows to compare with, nats per row; NaN where unknown.

    real: whether the rows are real numbers, so that these are log densities.
    """

    ceiling: float
    baseline_mixture: float
    baseline_independent: float
    real: bool = False

    @property
    def lines(self) -> dict[str, float]:
        """Those that are known, by name."""
        names = "ceiling", "baseline_mixture", "baseline_independent"
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if np.isfinite(value)}


def yardsticks(cases: pd.DataFrame) -> Yardsticks:
    """Those of one dataset's cases."""

    def known(column: str) -> float:
        values = cases[column].dropna()
        return float(values.iloc[0]) if len(values) else np.nan

    real = bool(cases["visible"].eq(GAUSSIAN).any())
    return Yardsticks(
        known("ceiling"), known("baseline_mixture"), known("baseline_independent"), real=real
    )


def overview(cases: pd.DataFrame, results: list[Result]) -> list[str]:
    """What holds for all datasets together, a sentence for binary rows and one for real ones."""
    sentences = []
    for real, mixture in enumerate(_BASELINES["baseline_mixture"]):
        compared, beaten = [], []
        for dataset, group in cases.groupby("dataset", sort=False):
            top = best(result for result in results if result.dataset == dataset)
            known = yardsticks(group)
            if top and known.real == bool(real) and np.isfinite(known.baseline_mixture):
                compared.append(dataset)
                baselines = known.baseline_mixture, known.baseline_independent
                beaten += [str(dataset)] if top.lower > np.nanmax(baselines) else []
        if len(compared) > 1:
            where = f" ({listing(beaten)})" if beaten and len(beaten) < len(compared) else ""
            sentences.append(
                f"The best model beats {mixture} on the test rows of "
                f"{len(beaten)} of {count(len(compared), 'data set')}{where}."
            )
    return sentences


def answer(dataset: str, cases: pd.DataFrame, results: list[Result]) -> Answer:
    """What one dataset's cases and results say."""
    top = best(results)
    if top is None:
        return Answer(dataset, "No finished case has a log-likelihood", [])
    known = yardsticks(cases)
    sentences = [_spread(top)]
    shown = best_settings(results)
    runner_up = best(result for result in shown if result.label != top.label)
    if runner_up:
        sentences.append(_runner_up(top, runner_up))
    for column, names in _BASELINES.items():
        if column in known.lines:
            sentences.append(_against(top, known.lines[column], names[known.real]))
    sentences += _against_ceiling(top, known.ceiling)
    sentences += _without_gain(shown)
    sentences += targets.fastest(results)
    sentences += speed(cases)
    headline = f"Best: {top.label}, {number(top.lower)} nats per test row{_way(top)}"
    headline += f" ({_UNRESOLVED})" if top.doubtful else ""
    return Answer(dataset, headline, sentences)


def speed(cases: pd.DataFrame) -> list[str]:
    """How many times as fast as the reference the others do the same updates, a sentence each."""
    names = backends(cases["backend"])
    sentences = []
    for name in names[1:]:
        ratios = speed_ratios(cases, names[0], name)
        if not len(ratios):
            continue
        claim = "{} does the same update {} times as fast as {}"
        if np.median(ratios) < 1:
            ratios, claim = 1 / ratios, "{} takes {} times as long for the same update as {}"
        claim = claim.format(name, significant(float(np.median(ratios))), names[0])
        pairs = "1 pair of cases" if len(ratios) == 1 else f"median of {len(ratios)} pairs of cases"
        spread = f", from {significant(ratios.min())} to {significant(ratios.max())}"
        sentences.append(
            f"{claim} ({pairs} with equal seed and settings{spread if len(ratios) > 1 else ''})."
        )
    return sentences


def speed_ratios(cases: pd.DataFrame, slow: str, fast: str) -> np.ndarray:
    """Median seconds an update of `slow` over those of `fast`, for each pair of cases alike."""
    done = cases[cases["status"] == "done"]
    times = done.pivot(index=["dataset", "label", "seed"], columns="backend", values="update_s")
    if not {slow, fast} <= set(times.columns):
        return np.empty(0)
    return (times[slow] / times[fast]).dropna().to_numpy()


def _spread(top: Result) -> str:
    if len(top.log_likelihoods) == 1:
        seeds = f"It comes from 1 seed on {top.backend}, so its spread is unknown"
    else:
        seeds = (
            f"It is the median of {count(len(top.log_likelihoods), 'seed')} on {top.backend}, "
            f"which span {number(min(top.lowers))} to {number(max(top.lowers))}"
        )
    if top.done < top.seeds:
        seeds += f" ({top.seeds - top.done} more did not finish)"
    return f"{seeds}; {_certainty(top)}."


def _certainty(top: Result) -> str:
    if top.exact:
        return "log Z is exact"
    if np.isnan(top.std_error):
        text = "the standard error of log Z is unknown"
    else:
        way = estimator_of(top.settings.get("evaluate"))
        article = "an" if way == "AIS" else "a"
        text = f"log Z is {article} {way} estimate with a standard error of {number(top.std_error)}"
    if top.unresolved:
        text += f" and {top.resolution}: the log-likelihood may be far lower"
    elif top.resolved:
        text += f", resolved by reverse AIS (gap {number(top.gap)} nats)"
    return text


def _without(result: Result) -> str:
    some = 0 < result.no_gains < result.done
    return f"{result.label} (with {result.no_gains} of {result.done} seeds)" if some else result.label


def _without_gain(results: list[Result]) -> list[str]:
    """Those that are no better than base rates, in a sentence."""
    names = dict.fromkeys(_without(result) for result in results if result.no_gains)
    if not names:
        return []
    return [f"No gain (less than 1 nat above base rates): {listing(list(names))}."]


def _runner_up(top: Result, second: Result) -> str:
    gap = top.lower - second.lower
    text = f"Next is {second.label}, {number(gap)} nats below ({number(second.lower)}{_way(second)})"
    text += f", {_UNRESOLVED}" if second.doubtful else ""
    if max(second.lowers) >= min(top.lowers):
        text += "; the seeds of the two overlap, so their order may be chance"
    return f"{text}."


def _against(top: Result, value: float, name: str) -> str:
    gap = top.lower - value
    figures = f"({number(top.lower)} against {number(value)})"
    if gap > 0:
        text = f"The best model beats {name} on the test rows by {number(gap)} nats {figures}"
    else:
        text = (
            f"The best model does not beat {name} on the test rows: it is {number(-gap)} nats below "
            f"{figures}"
        )
    agreeing = sum((x > value) == (gap > 0) for x in top.lowers)
    if agreeing < len(top.lowers):
        text += f", but only {agreeing} of {len(top.lowers)} seeds agree"
    if not top.exact and abs(gap) <= 3 * top.std_error:
        text += ", which is within three standard errors of log Z"
    return f"{text}."


def _way(result: Result) -> str:
    """Says so where a number is not that of AIS alone."""
    return " by the lower of forward and reverse AIS" if result.lower < result.median else ""


def _against_ceiling(top: Result, ceiling: float) -> list[str]:
    if np.isnan(ceiling):
        return []
    gap = ceiling - top.lower
    if gap >= 0:
        text = (
            f"The ceiling, the best that any model can do, is {number(gap)} nats above it "
            f"({number(ceiling)})."
        )
    else:
        text = (
            f"It lies {number(-gap)} nats above the ceiling, the best that any model can do "
            f"({number(ceiling)}), so its log Z is estimated too low."
        )
    return [
        text,
        "Test rows and training rows are the same here, the whole support of the distribution: "
        "this measures fit, not generalisation.",
    ]
