"""The few names of the package that benchmarks may use, and the models that they share.

asv runs today's benchmarks on old commits: what stands here must not change its meaning.
"""

import numpy as np

from ebmbench.datasets import load as load_dataset
from ebmbench.errors import Unavailable
from ebmbench.estimators import find as find_estimator
from ebmbench.harness.gate import check as check_gate
from ebmbench.kernels.api import BACKENDS, READY, state
from ebmbench.kernels.api import load as load_backend
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.rbm import RBM
from ebmbench.models.storage import load_fixture
from ebmbench.partition import base_rates
from ebmbench.partition import find as find_method
from ebmbench.randomness import Key
from ebmbench.training.fit import Fit, initial_model
from ebmbench.training.sgd import SGD

__all__ = [
    "RBM",
    "SGD",
    "Fit",
    "Gated",
    "Key",
    "available",
    "base_rates",
    "estimate_log_z",
    "find_estimator",
    "gaussian_of",
    "graph_of",
    "initial_model",
    "joint_of",
    "load_dataset",
    "load_fixture",
    "model_of",
    "rows_of",
]  # fmt: skip


def available(name):
    """A backend; asv skips a benchmark whose setup raises NotImplementedError, and shows the reason."""
    try:
        return load_backend(name)
    except Unavailable as error:
        raise NotImplementedError(str(error)) from None


class Gated:
    """Benchmarks that give no point where a backend that is here does not agree with the reference."""

    def setup_cache(self):
        """Run once by asv for all classes that inherit it."""
        for name in BACKENDS[1:]:
            if state(name) == READY:
                red = check_gate(load_backend(name))
                if red:
                    raise RuntimeError(f"red gate: {name}: {red}")


def estimate_log_z(k, model, method, settings, base, seed):
    """Log Z by a method, as `ebmbench.partition` gives it."""
    module, config = find_method(method, settings)
    return module.estimate(k, model, config, base, seed)


def model_of(n_visible, n_hidden):
    """Weights and biases of a trained model's size: about 13 % and 26 % of units on at 784 x 500."""
    rng = np.random.default_rng(0)
    scale = 0.1 * np.sqrt(784 * 500 / (n_visible * n_hidden))
    return RBM(
        rng.normal(0.0, scale, (n_visible, n_hidden)),
        rng.normal(-2.5, 1.0, n_visible),
        rng.normal(-1.5, 1.0, n_hidden),
    )


def gaussian_of(n_visible, n_hidden):
    """Visible units of a standard deviation of a third, about the rate of rows that are 13 % on."""
    W = np.random.default_rng(3).normal(0.0, 0.05, (n_visible, n_hidden))
    precision = np.full(n_visible, 9.0)
    return GaussianRBM(W, np.full(n_visible, 0.13), np.zeros(n_hidden), precision)


def graph_of(kind, n):
    """A model without hidden units, or an RBM of 500, whose units are on about 13 % of the time."""
    if kind in ("rbm", "gaussian_rbm"):
        return (model_of if kind == "rbm" else gaussian_of)(n, 500)
    import ebmbench  # which names them since it has them

    rng, side = np.random.default_rng(0), int(np.sqrt(n))
    b = rng.normal(-2.5, 1.0, n)
    if kind == "markov_field":
        graph = ebmbench.lattice(side, side, reach=2.0)
        return ebmbench.MarkovField(graph, rng.normal(0.0, 0.3, len(graph.edges)), b)
    couplings = np.triu(rng.normal(0.0, 0.1, (n, n)), 1)
    found = ebmbench.BayesNet if kind == "bayes_net" else ebmbench.BoltzmannMachine
    return found(couplings, b)


def joint_of(k, rows, n_hidden):
    """A run of a general Boltzmann machine, centred, of 10,000 epochs; asv skips commits without one."""
    import ebmbench  # see `graph_of`

    if not hasattr(ebmbench, "GeneralBoltzmannMachine"):
        raise NotImplementedError("this commit has no general Boltzmann machine")
    start = ebmbench.initial_general_boltzmann_machine(rows, n_hidden, 0)
    return ebmbench.Joint(k, start, rows, SGD(rate=1e-6, centred=True), 10_000, 20)


def rows_of(count, n_visible):
    """Binary rows of which 13 % are on, uint8 [count, n_visible]."""
    return (np.random.default_rng(1).random((count, n_visible)) < 0.13).astype(np.uint8)
