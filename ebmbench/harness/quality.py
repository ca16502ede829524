"""What deep models are worth: looked at off the clock, the same way for every backend.

A judge is called with a model and gives fields of a line of the learning curve, among them its measure:

    bound    on the mean log-likelihood of the test rows, nats a row: of a DBN or DBM
    error    the share of the test rows that a classifier tells wrong
    parzen   mean log density of test rows under windows about a generator's samples, nats a row
"""

from typing import Any, Protocol

import numpy as np

from ebmbench.datasets import Dataset
from ebmbench.evaluation.adversarial import evaluate_gan, generate, measure
from ebmbench.evaluation.bounds import base_of, bounds
from ebmbench.evaluation.classification import classify
from ebmbench.evaluation.mixture import baselines
from ebmbench.evaluation.samples import draw
from ebmbench.evaluation.sandwich import RESOLVED
from ebmbench.harness import judge
from ebmbench.harness.recipes import BOUND, ERROR, PARZEN, inputs_of, labels_of
from ebmbench.kernels import api
from ebmbench.partition import ais, reverse_ais

BETTER = {BOUND: 1, ERROR: -1, PARZEN: 1}  # the sign by which more of it is better
_SWEEPS = 2000  # of chains until they are drawn


class Judge(Protocol):
    """See the module.

    measure: the field that counts; facts: what the last look stands on; yardsticks: what others get.
    """

    measure: str
    facts: dict[str, Any]
    yardsticks: dict[str, Any]

    def __call__(self, model: Any) -> dict[str, Any]:
        """The fields."""

    def final(self, model: Any) -> dict[str, Any]:
        """What is looked at once, at the end."""

    def samples(self, model: Any, count: int) -> np.ndarray | None:
        """What the model makes by itself, [count, n_visible] in [0, 1], if anything."""


class BoundJudge:
    """method, settings: how log Z is estimated, see `partition.find`; resolve: also by reverse annealing."""

    measure = BOUND

    def __init__(
        self, data: Dataset, method: str, settings: dict[str, Any], resolve: bool, seed: int
    ) -> None:
        self.k, self.data, self.seed = api.load(judge.BACKEND), data, seed
        self.method, self.settings, self._resolve = method, settings, resolve
        self.facts: dict[str, Any] = {}
        self.yardsticks: dict[str, Any] = baselines(data.train, data.test)

    def _bounds(self, model: Any, methods: list[str]) -> list[Any]:
        base = base_of(self.k, model, self.data.train, f"train split of {self.data.name}", self.seed)
        return list(bounds(self.k, model, self.data.test, methods, self.settings, base, seed=self.seed))

    def __call__(self, model: Any) -> dict[str, Any]:
        """The bound on the test rows, and its standard error from draws and from log Z."""
        (found,) = self._bounds(model, [self.method])
        z = found.log_z
        self.facts = {"log_z_schedule": z.schedule, "log_z_base": z.base, "log_z": z.log_z, "ess": z.ess}
        return {"bound": found.mean, "std_error": found.std_error}

    def final(self, model: Any) -> dict[str, Any]:
        """Whether the bound's log Z is resolved: see `evaluation.sandwich`."""
        if not self._resolve:
            return {}
        there, back = self._bounds(model, [ais.NAME, reverse_ais.NAME])
        gap = back.log_z.log_z - there.log_z.log_z
        return {
            "bound_reverse": back.mean,
            "reverse_start": back.log_z.start,
            "gap": gap,
            "resolved": abs(gap) < RESOLVED,
        }

    def samples(self, model: Any, count: int) -> np.ndarray:
        """After long chains."""
        return draw(self.k, model, count, _SWEEPS, self.seed)


class ErrorJudge:
    """below: the model that the classifier was initialised by, or None."""

    measure = ERROR

    def __init__(self, data: Dataset, below: Any) -> None:
        self.k = api.load(judge.BACKEND)
        train, self._labels = labels_of(data)
        self._rows = inputs_of(self.k, below, data.test)
        self.facts: dict[str, Any] = {}
        most = np.bincount(train).argmax()
        self.yardsticks = {"error_of_one_class": float((self._labels != most).mean())}

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
    """count: of a generator's samples."""

    measure = PARZEN

    def __init__(self, data: Dataset, count: int, seed: int) -> None:
        self.k, self.data, self._count, self.seed = api.load(judge.BACKEND), data, count, seed
        self._measured = measure(data.train, data.test, count, seed)
        self.facts: dict[str, Any] = {}
        beside = self._measured
        self.yardsticks = {"parzen_train": beside.train.mean, "parzen_centres": beside.centres.mean}

    def __call__(self, model: Any) -> dict[str, Any]:
        """The Parzen window, MMD and the distances to the nearest training rows."""
        found = evaluate_gan(
            self.k, model, self.data.train, self.data.test, self._count, self.seed, self._measured
        ).facts
        return found | {"std_error": found.pop("parzen_std_error")}

    def final(self, model: Any) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def samples(self, model: Any, count: int) -> np.ndarray:
        """Of the same noise at every look."""
        return generate(self.k, model, count, self.seed)
