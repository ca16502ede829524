"""What deep models are worth: looked at off the clock, the same way for every backend.

A judge is called with a model and gives fields of a line of the learning curve, among them its measure:

    bound    on the mean log-likelihood of the test rows, nats a row: of models of energies
    error    the share of the test rows that a classifier tells wrong
    parzen   mean log density of test rows under windows about a generator's samples, nats a row
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from ebmbench.datasets import Dataset
from ebmbench.evaluation.adversarial import evaluate_gan, generate, measure
from ebmbench.evaluation.bounds import base_of, bounds
from ebmbench.evaluation.classification import classify, error_of_one_class
from ebmbench.evaluation.parzen import CAVEAT
from ebmbench.evaluation.samples import draw
from ebmbench.evaluation.sandwich import Sandwich
from ebmbench.harness import judge, restoring
from ebmbench.harness.labels import inputs_of, labels_of
from ebmbench.harness.measures import BOUND, ERROR, PARZEN
from ebmbench.kernels import api
from ebmbench.partition import ais, reverse_ais

NONE = "none"  # the method of a bound that is not looked at
_SWEEPS = 2000  # of chains until they are drawn


class Ways(NamedTuple):
    """How models are judged.

    method, settings: by which log Z of a bound is estimated, see `partition.find`, or `NONE`; resolve:
    whether by reverse annealing too, at the end; samples: of a generator; restored: damage to test rows
    that a model is asked to undo at the end.
    """

    method: str
    settings: dict[str, Any]
    resolve: bool
    samples: int
    restored: list[restoring.Task]
    seed: int


class Judge(Protocol):
    """See the module.

    measure: the field that counts; facts: what the last look stands on; yardsticks: what others get;
    pictures: arrays of what was looked at once, by their names.
    """

    measure: str
    facts: dict[str, Any]
    yardsticks: dict[str, Any]
    pictures: dict[str, np.ndarray]

    def __call__(self, model: Any) -> dict[str, Any]:
        """The fields."""

    def final(self, model: Any) -> dict[str, Any]:
        """What is looked at once, at the end."""

    def samples(self, model: Any, count: int) -> np.ndarray | None:
        """What the model makes by itself, [count, n_visible] in [0, 1], if anything."""


def judge_of(measure: str, data: Dataset, ways: Ways, below: Any) -> Judge:
    """The judge of a measure; below: the model that initialised what it looks at, or None."""
    if measure == ERROR:
        return ErrorJudge(data, below)
    if measure == BOUND and ways.method == NONE:
        return Unjudged(ways)
    return BoundJudge(data, ways) if measure == BOUND else ParzenJudge(data, ways)


class Unjudged:
    """Of a model of energies that nobody bounds, as where rows are grey: it has samples all the same."""

    measure = ""

    def __init__(self, ways: Ways) -> None:
        self.k, self.ways = api.load(judge.BACKEND), ways
        self.facts: dict[str, Any] = {}
        self.yardsticks: dict[str, Any] = {}
        self.pictures: dict[str, np.ndarray] = {}

    def __call__(self, model: Any) -> dict[str, Any]:
        """Nothing."""
        return {}

    def final(self, model: Any) -> dict[str, Any]:
        """Nothing."""
        return {}

    def samples(self, model: Any, count: int) -> np.ndarray:
        """After long chains."""
        return draw(self.k, model, count, _SWEEPS, self.ways.seed)


class BoundJudge(Unjudged):
    """Of a model of energies."""

    measure = BOUND

    def __init__(self, data: Dataset, ways: Ways) -> None:
        super().__init__(ways)
        self.data = data
        self.yardsticks = judge.baselines_of(data.name, "binary")

    def _bounds(self, model: Any, methods: list[str]) -> list[Any]:
        k, seed, data = self.k, self.ways.seed, self.data
        base = base_of(k, model, data.train, f"train split of {data.name}", seed)
        return list(bounds(k, model, data.test, methods, self.ways.settings, base, seed=seed))

    def __call__(self, model: Any) -> dict[str, Any]:
        """The bound on the test rows, and its standard error from draws and from log Z."""
        (found,) = self._bounds(model, [self.ways.method])
        z = found.log_z
        self.facts = {"log_z_schedule": z.schedule, "log_z_base": z.base, "log_z": z.log_z, "ess": z.ess}
        self.facts |= judge.doubt(found)
        return {"bound": found.mean, "std_error": found.std_error}

    def final(self, model: Any) -> dict[str, Any]:
        """What it restores, and whether the bound's log Z is resolved: see `evaluation.sandwich`."""
        found: dict[str, Any] = {}
        if self.ways.restored:
            wanted, seed = self.ways.restored, self.ways.seed
            found["restored"], self.pictures = restoring.restored(self.k, model, self.data, wanted, seed)
        if not self.ways.resolve:
            return found
        both = Sandwich(self._bounds(model, [ais.NAME, reverse_ais.NAME]))
        back = both.estimates[1]
        return found | {
            "bound_reverse": back.mean,
            "reverse_start": back.log_z.start,
            "gap": both.gap,
            "gap_error": both.gap_error,
            "resolved": both.resolved,
        }


class ErrorJudge:
    """below: the model that the classifier was initialised by, or None."""

    measure = ERROR

    def __init__(self, data: Dataset, below: Any) -> None:
        self.k = api.load(judge.BACKEND)
        train, self._labels = labels_of(data)
        self._rows = inputs_of(self.k, below, data.test)
        self.facts: dict[str, Any] = {}
        self.pictures: dict[str, np.ndarray] = {}
        self.yardsticks = {"error_of_one_class": error_of_one_class(self._labels, train)}

    def __call__(self, model: Any) -> dict[str, Any]:
        """The share of test rows told wrong, and its standard error as one of rows to come."""
        found = classify(self.k, model, self._rows, self._labels)
        return {"error": found.error, "std_error": found.std_error, "wrong": found.wrong}

    def final(self, model: Any) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def samples(self, model: Any, count: int) -> None:
        """A classifier makes none."""


class ParzenJudge:
    """Of a GAN."""

    measure = PARZEN

    def __init__(self, data: Dataset, ways: Ways) -> None:
        self.k, self.data, self.ways = api.load(judge.BACKEND), data, ways
        self._measured = measure(data.train, data.test, ways.samples, ways.seed)
        self.facts: dict[str, Any] = {"caveat": CAVEAT}
        self.pictures: dict[str, np.ndarray] = {}
        self.yardsticks: dict[str, Any] = {}  # the look itself tells them

    def __call__(self, model: Any) -> dict[str, Any]:
        """The Parzen window, MMD and the distances to the nearest training rows."""
        rows, ways = (self.data.train, self.data.test), self.ways
        scores = evaluate_gan(self.k, model, *rows, ways.samples, ways.seed, self._measured)
        found = dict(scores.facts)
        return found | {"std_error": found.pop("parzen_std_error")}

    def final(self, model: Any) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def samples(self, model: Any, count: int) -> np.ndarray:
        """Of the same noise at every look."""
        return generate(self.k, model, count, self.ways.seed)
