"""The answer in sentences, computed from the table."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ebmbench.report.cases import backends
from ebmbench.report.results import Result, best
from ebmbench.report.text import count, listing, number, significant

_BASELINES = {
    "baseline_mixture": "the mixture of 10 Bernoullis",
    "baseline_independent": "independent pixels",
}
_NAMED = 8  # groups of unfinished cases that a sentence names


@dataclass(frozen=True)
class Answer:
    """What a dataset's cases say: a headline and the sentences under it."""

    dataset: str
    headline: str
    sentences: list[str]


@dataclass(frozen=True)
class Yardsticks:
    """Log-likelihoods of test rows to compare with, nats per row; NaN where unknown."""

    ceiling: float
    baseline_mixture: float
    baseline_independent: float


def yardsticks(cases: pd.DataFrame) -> Yardsticks:
    """Those of one dataset's cases."""

    def known(column: str) -> float:
        values = cases[column].dropna()
        return float(values.iloc[0]) if len(values) else np.nan

    return Yardsticks(*map(known, ("ceiling", "baseline_mixture", "baseline_independent")))


def overview(cases: pd.DataFrame, results: list[Result]) -> list[str]:
    """What holds for all datasets together."""
    done = int((cases["status"] == "done").sum())
    sentences = [f"{done} of {count(len(cases), 'case')} {'is' if done == 1 else 'are'} done."]
    compared, beaten = [], []
    for dataset, group in cases.groupby("dataset", sort=False):
        top = best(result for result in results if result.dataset == dataset)
        mixture = yardsticks(group).baseline_mixture
        if top and np.isfinite(mixture):
            compared.append(dataset)
            beaten += [str(dataset)] if top.median > mixture else []
    if len(compared) > 1:
        where = f" ({listing(beaten)})" if beaten and len(beaten) < len(compared) else ""
        sentences.append(
            f"The best RBM beats {_BASELINES['baseline_mixture']} on the test rows of "
            f"{len(beaten)} of {count(len(compared), 'data set')}{where}."
        )
    return sentences + unfinished(cases)


def unfinished(cases: pd.DataFrame) -> list[str]:
    """A sentence that counts and names the cases that are not done, if there are any."""
    left = cases[cases["status"] != "done"]
    if left.empty:
        return []
    groups = left.groupby(["status", "dataset", "label", "backend"], sort=False)["seed"]
    names = [
        f"{dataset} with {label} on {backend} ({status}, {_seeds(seeds)})"
        for (status, dataset, label, backend), seeds in groups
    ]
    more = len(names) - _NAMED
    if more > 0:
        names = [*names[:_NAMED], f"and {count(more, 'more group')}, all listed below"]
    verb = "is" if len(left) == 1 else "are"
    return [f"{count(len(left), 'case')} {verb} not done: {'; '.join(names)}."]


def answer(dataset: str, cases: pd.DataFrame, results: list[Result]) -> Answer:
    """What one dataset's cases and results say."""
    top = best(results)
    if top is None:
        return Answer(dataset, "No finished case has a log-likelihood", [])
    known = yardsticks(cases)
    sentences = [_spread(top)]
    runner_up = best(result for result in results if result.label != top.label)
    if runner_up:
        sentences.append(_runner_up(top, runner_up))
    for column, name in _BASELINES.items():
        value = getattr(known, column)
        if np.isfinite(value):
            sentences.append(_against(top, value, name))
    sentences += _against_ceiling(top, known.ceiling)
    sentences += speed(cases)
    headline = f"Best: {top.label}, {number(top.median)} nats per test row"
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
            f"which span {number(top.low)} to {number(top.high)}"
        )
    if top.done < top.seeds:
        seeds += f" ({top.seeds - top.done} more did not finish)"
    return f"{seeds}; {_certainty(top)}."


def _certainty(top: Result) -> str:
    if top.exact:
        return "log Z is exact"
    if np.isnan(top.std_error):
        return "the standard error of log Z is unknown"
    return f"log Z is an AIS estimate with a standard error of {number(top.std_error)}"


def _runner_up(top: Result, second: Result) -> str:
    gap = top.median - second.median
    text = f"Next is {second.label}, {number(gap)} nats below ({number(second.median)})"
    if second.high >= top.low:
        text += "; the seeds of the two overlap, so their order may be chance"
    return f"{text}."


def _against(top: Result, value: float, name: str) -> str:
    gap = top.median - value
    figures = f"({number(top.median)} against {number(value)})"
    if gap > 0:
        text = f"The best RBM beats {name} on the test rows by {number(gap)} nats {figures}"
    else:
        text = (
            f"The best RBM does not beat {name} on the test rows: it is {number(-gap)} nats below "
            f"{figures}"
        )
    agreeing = sum((x > value) == (gap > 0) for x in top.log_likelihoods)
    if agreeing < len(top.log_likelihoods):
        text += f", but only {agreeing} of {len(top.log_likelihoods)} seeds agree"
    if not top.exact and abs(gap) <= 3 * top.std_error:
        text += ", which is within three standard errors of log Z"
    return f"{text}."


def _against_ceiling(top: Result, ceiling: float) -> list[str]:
    if np.isnan(ceiling):
        return []
    gap = ceiling - top.median
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


def _seeds(seeds: Iterable[int]) -> str:
    numbers = [str(seed) for seed in seeds]
    return f"seed{'' if len(numbers) == 1 else 's'} {listing(numbers)}"
