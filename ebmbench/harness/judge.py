"""The judge: looks at a model at a checkpoint, off the clock, the same way for every backend."""

from functools import cache
from typing import Any

import numpy as np

from ebmbench.datasets import Dataset
from ebmbench.evaluation.likelihood import Likelihood, evaluate, mean_free_energy
from ebmbench.evaluation.mixture import Mixture, baselines, fitted, gaussian_baselines
from ebmbench.evaluation.sandwich import Sandwich, sandwich
from ebmbench.harness.measures import LEAST_GAIN, NO_GAIN
from ebmbench.harness.sources import load_dataset
from ebmbench.harness.trainer import Planned
from ebmbench.kernels import api
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.partition import ais, base_rates, reverse_ais
from ebmbench.randomness import Key, Stream, states

BACKEND = "cpu"  # computes the log-likelihood of every backend's models
FIELDS = ("log_likelihood", "log_likelihood_train", "rows_std_error", "log_z", "std_error", "ess")


@cache
def baselines_of(dataset: str, visible: str) -> dict[str, float]:
    """What simple models get of a data set's test rows, see `evaluation.mixture`; once a process."""
    real = visible == "gaussian"
    data = load_dataset(dataset, real)
    if real:
        return gaussian_baselines(data.train, data.test)
    return baselines(mixture_of(dataset), data.train, data.test)


@cache
def mixture_of(dataset: str) -> Mixture:
    """Fitted to a data set's training rows, once a process."""
    return fitted(load_dataset(dataset).train)


class Judge:
    """Called with a fit and its clocked seconds, gives one line of the learning curve.

    method, settings: how log Z is estimated, see `partition.find`; kind: of the models.
    facts: how the last look estimated log Z; log_weights: its chains' log weights, float64 [chains].
    """

    def __init__(
        self, data: Dataset, method: str, settings: dict[str, Any], seed: int, kind: str = RBM.kind
    ) -> None:
        self.data, self.method, self.settings, self.seed = data, method, settings, seed
        self.k = api.load(BACKEND)
        self.train = data.train
        if data.sampled:  # one draw stands for all: those that the first epoch sees
            self.train = states(data.train, Key(seed, Stream.DATA))
        self.base = base_rates(data.train, f"train split of {data.name}", kind)
        self.facts: dict[str, Any] = {}
        self.log_weights = np.empty(0)

    def __call__(self, fit: Planned, seconds: float) -> dict[str, Any]:
        """Evaluate the fit's model on the test rows."""
        model = fit.model
        found = evaluate(self.k, model, self.data.test, self.method, self.settings, self.base, self.seed)
        z = found.log_z
        self.facts = {"log_z_schedule": z.schedule, "log_z_base": z.base} | doubt(found)
        self.log_weights = z.log_weights
        return {
            "update": fit.done,
            "epoch": fit.done / fit.batches,
            "seconds": seconds,
            "log_likelihood": found.mean,
            "log_likelihood_train": -mean_free_energy(self.k, model, self.train) - z.log_z,
            "rows_std_error": found.rows_std_error,
            "log_z": z.log_z,
            "std_error": z.std_error,
            "ess": z.ess,
        }

    def resolve(self, model: Model) -> dict[str, Any]:
        """What reverse annealing says of a model judged by ais: see `evaluation.sandwich`."""
        methods = [ais.NAME, reverse_ais.NAME]
        found = sandwich(self.k, model, self.data.test, methods, self.settings, self.base, self.seed)
        back = found.estimates[methods.index(reverse_ais.NAME)]
        return {
            "log_likelihood_reverse": back.mean,
            "reverse_start": back.log_z.start,
            "gap": found.gap,
            "gap_error": found.gap_error,
            "resolved": found.resolved,
        }


def doubt(found: Likelihood) -> dict[str, Any]:
    """That an estimate cannot be, where the rows alone say so: see `Likelihood.excess`."""
    return {"resolved": False} if Sandwich([found]).resolved is False else {}


def worth(row: dict[str, Any]) -> dict[str, Any]:
    """The gain over independent pixels in nats a test row, and whether it counts as one.

    Of two log-likelihoods, by annealing both ways, the lower one: forward annealing alone flatters.
    """
    found = min(row["log_likelihood"], row.get("log_likelihood_reverse", np.inf))
    gain = found - row["baseline_independent"]
    return {"gain": gain, "verdict": "gain" if gain >= LEAST_GAIN else NO_GAIN}
