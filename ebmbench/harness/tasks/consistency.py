"""Consistency: how near a principle comes to a known model from n exact draws of it.

The fit starts at the truth and ascends on the whole sample until it stands at the maximum near there, so
that what is left is the statistical error of the maximiser: neither local maxima nor a slow start
count. With n rows the KL divergence falls as 1/n and the error of identifiable parameters as 1/√n.
Denoising score matching starts at the law of the truth with its noise, and is judged against that.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebmbench.discovery import unknown
from ebmbench.harness.clock import Clock
from ebmbench.harness.measures import Quality, Speed
from ebmbench.harness.tasks._estimator import OfEstimator
from ebmbench.harness.truths import FAMILIES, noised
from ebmbench.kernels import api
from ebmbench.randomness import Key, Stream
from ebmbench.training.fit import Fit
from ebmbench.training.sgd import SGD

NAME = "consistency"


@dataclass(frozen=True, kw_only=True)
class Case(OfEstimator):
    """One fit to n rows; family: a known model of `harness.truths`; estimator: a table with `name`.

    Each of the updates takes all rows; the rate falls linearly to zero.
    """

    task = NAME
    measures = (
        Speed("update_s", "an update", weights="updates"),
        Quality("kl", "KL divergence", "nats", ratio=True, tolerance=0.05),
        Quality("parameter_error", "parameter error", ratio=True, tolerance=0.05),
    )

    family: str
    estimator: dict[str, Any] = field(hash=False)
    n: int
    updates: int = 300
    rate: float = 0.5
    momentum: float = 0.9
    centred: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n", "updates")
        if self.family not in FAMILIES:
            raise unknown("family", self.family, sorted(FAMILIES))
        self.check_estimator("{ name = 'nce', ratio = 10 }")
        _ = self.optimiser

    @property
    def heading(self) -> str:
        """Family, estimator and rows."""
        return f"{self.family} {self.label}, {self.n} rows,"

    @property
    def kind(self) -> str:
        """Of the known model."""
        return FAMILIES[self.family]().model.kind

    @property
    def optimiser(self) -> SGD:
        """The optimiser's settings."""
        return SGD(self.rate, self.momentum, 0.0, "linear", self.centred)

    def summary(self, row: dict[str, Any]) -> str:
        """The error and its price."""
        measure = next(name for name in ("kl", "parameter_error") if row[name] is not None)
        return f"{measure} {row[measure]:.3g} in {row['seconds']:.2f} s"


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Fit and judge, filling in the row: kl (nats) or parameter_error, log_z of the fit and as learned.

    Returns the fitted parameters.
    """
    k = api.load(case.backend)
    truth = FAMILIES[case.family]()
    key = Key(case.seed, Stream.EXACT, step=case.n)  # so that no sample is part of another
    rows = truth.draws(truth.model, case.n, key)
    noise = case.settings.get("denoising", 0.0) if case.family == "gaussian" else 0.0
    sought = noised(truth.model, noise)
    fit = Fit(
        k,
        sought,
        rows,
        case.estimator["name"],
        case.settings,
        case.optimiser,
        epochs=case.updates,
        batch_size=case.n,
        seed=case.seed,
        fixed=truth.fixed,
    )
    clock = Clock(k, fit, case.timeout_s)
    try:
        clock.advance_to(case.updates)
    finally:
        row |= clock.summary() | {"seconds": clock.seconds, "kl": None, "parameter_error": None}
    found = fit.model
    row[truth.measure] = truth.error(sought, found)
    row["log_z"] = truth.log_z(found)
    row["learned_log_z"] = fit.info.get("learned_log_z")
    return {name: getattr(found, name) for name in found.names}
