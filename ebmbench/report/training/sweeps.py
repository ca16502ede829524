"""Settings of which a suite tries several values: where training ends with each of them."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from ebmbench.report.cases import JUDGED_BY
from ebmbench.report.training.results import Result, best

# Columns of numbers, and how sentences call them.
SWEPT = {
    "rate": "learning rate",
    "momentum": "momentum",
    "decay": "weight decay",
    "hidden": "hidden units",
    "batch_size": "batch size",
    "epochs": "epochs",
}
TUNED = ("rate", "momentum", "decay", "schedule", "centred")  # columns of what is chosen for the best end
LEAST = 3  # values of a setting, all else equal, from which on they are looked at as a sweep


@dataclass(frozen=True)
class Tried:
    """A value of a setting, and what came of it, with the best of what else was tried beside it."""

    value: float
    result: Result

    @property
    def end(self) -> float:
        """Nats per test row, the median over the seeds; NaN where nothing was finished."""
        return self.result.lower

    @property
    def sure(self) -> bool:
        """Whether it counts: see `Result.sure`."""
        return self.result.sure

    @property
    def unresolved(self) -> bool:
        """Whether there is an end that might be far from the truth."""
        return self.result.doubtful and not self.result.diverged


@dataclass(frozen=True)
class Sweep:
    """All values tried of a setting, ascending, for an estimator on a data set and a backend."""

    dataset: str
    setting: str
    estimator: str
    backend: str
    tried: tuple[Tried, ...]

    @property
    def best(self) -> Tried | None:
        """The value with the highest end that is sure; None if there is none."""
        return max((one for one in self.tried if one.sure), key=lambda one: one.end, default=None)

    @property
    def at_edge(self) -> bool:
        """Whether the best value is the least or the greatest that was tried; below 0 there are none."""
        ends = self.tried[0].value, self.tried[-1].value
        return self.best is not None and self.best.value in ends and self.best.value != 0

    def near(self, nats: float) -> list[float]:
        """The values about the best one, without a gap, whose ends lie at most so far below its end."""
        if self.best is None:
            return []
        close = [one.sure and one.end >= self.best.end - nats for one in self.tried]
        low = high = [one.value for one in self.tried].index(self.best.value)
        while low > 0 and close[low - 1]:
            low -= 1
        while high + 1 < len(close) and close[high + 1]:
            high += 1
        return [one.value for one in self.tried[low : high + 1]]


def find(results: Iterable[Result]) -> list[Sweep]:
    """The sweeps of results that are done or diverged: by data set, then setting, then estimator."""
    tried = [result for result in results if result.log_likelihoods or result.diverged]
    found = []
    for dataset in dict.fromkeys(result.dataset for result in tried):
        of_data = [result for result in tried if result.dataset == dataset]
        for setting in SWEPT:
            for own in _grouped(of_data, ("estimator", "backend", *JUDGED_BY)):
                if values := _crossed(own, setting):
                    first = own[0]
                    found.append(Sweep(dataset, setting, first.estimator, first.backend, values))
    return found


def best_settings(results: list[Result]) -> list[Result]:
    """Of what was tuned the best settings alone, on all backends; all other results.

    Tuned is what was tried with `LEAST` values or more of a setting of `TUNED`, all else equal. Sizes and
    numbers of epochs are no such settings: to tell them apart is what they are tried for.
    """
    kept: set[int] = set()
    for own in _grouped(results, ("dataset", "estimator"), but=TUNED):
        tuned = any(_crossed(own, setting) for setting in TUNED if setting in SWEPT)
        top = best(own) if tuned else None
        for there in _grouped(own, ("backend",)):
            alike = [r for r in there if not top or all(r.settings[s] == top.settings[s] for s in TUNED)]
            kept.update(map(id, alike or there))
    return [result for result in results if id(result) in kept]


def _crossed(results: list[Result], setting: str) -> tuple[Tried, ...]:
    """The best result of each value, of all grids with enough values of the setting; else nothing."""
    known = [r for r in results if isinstance(r.settings[setting], float)]
    by_value: dict[float, list[Result]] = defaultdict(list)
    for grid in _grouped(known, ("backend",), but=(setting,)):
        if len({r.settings[setting] for r in grid}) >= LEAST:
            for result in grid:
                by_value[result.settings[setting]].append(result)
    return tuple(Tried(value, best(own) or own[0]) for value, own in sorted(by_value.items()))


def _grouped(
    results: Iterable[Result], names: tuple[str, ...], but: tuple[str, ...] = ()
) -> list[list[Result]]:
    """Results that agree in these names; with `but` in all settings, too, but for those."""
    groups: dict[Hashable, list[Result]] = defaultdict(list)
    for result in results:
        named = [result.settings[n] if n in result.settings else getattr(result, n) for n in names]
        others = [value for n, value in result.settings.items() if n not in but] if but else []
        groups[tuple(map(str, [*named, *others]))].append(result)
    return list(groups.values())
