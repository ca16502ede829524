"""The judge: looks at a model at a checkpoint, off the clock, the same way for every backend."""

from typing import Any

from ebmbench.datasets import Dataset
from ebmbench.errors import UserError
from ebmbench.evaluation.likelihood import base_rates, evaluate, mean_free_energy
from ebmbench.harness import gate
from ebmbench.harness.spec import Case
from ebmbench.kernels import api
from ebmbench.partition import BaseRates
from ebmbench.training.fit import Fit

BACKEND = "cpu"  # computes the log-likelihood of every backend's models


class Judge:
    """Evaluates a fit's model at a checkpoint, off the clock."""

    fields = ("log_likelihood", "log_likelihood_train", "log_z", "std_error")

    def __init__(self, case: Case, data: Dataset) -> None:
        self.case, self.data = case, data
        self.k = api.load(BACKEND)
        reason = gate.verdict(BACKEND)
        if reason:
            raise UserError(f"the backend that judges is red: {reason}")
        self.base: BaseRates = base_rates(data.train, f"train split of {data.name}")

    def look(self, fit: Fit, seconds: float) -> dict[str, Any]:
        """One line of the learning curve."""
        case = self.case
        found = evaluate(
            self.k, fit.model, self.data.test, case.evaluate, case.evaluation, self.base, case.seed
        )
        train = -mean_free_energy(self.k, fit.model, self.data.train) - found.log_z.log_z
        return {
            "update": fit.done,
            "epoch": fit.done / fit.batches,
            "seconds": seconds,
            "log_likelihood": found.mean,
            "log_likelihood_train": train,
            "log_z": found.log_z.log_z,
            "std_error": found.log_z.std_error,
        }
