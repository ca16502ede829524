"""The few names of the package that benchmarks may use, and the models that they share.

asv runs today's benchmarks on old commits: what stands here must not change its meaning.
"""

import numpy as np

from ebmbench.datasets import load as load_dataset
from ebmbench.estimators import find as find_estimator
from ebmbench.evaluation.likelihood import evaluate
from ebmbench.harness.gate import check as check_gate
from ebmbench.kernels.api import load as load_backend
from ebmbench.models.rbm import RBM
from ebmbench.models.storage import load_fixture
from ebmbench.partition import base_rates
from ebmbench.randomness import Key
from ebmbench.training.fit import Fit, initial_model
from ebmbench.training.sgd import SGD

__all__ = [
    "RBM", "SGD", "Fit", "Key", "base_rates", "evaluate", "find_estimator", "initial_model",
    "load_backend", "load_dataset", "load_fixture", "mnist_sized_model", "mnist_sized_rows",
    "pass_the_gate",
]  # fmt: skip


def pass_the_gate(backend: str = "cpu"):
    """The backend, if it agrees with the reference; an error, and so no point, if it does not."""
    k = load_backend(backend)
    red = check_gate(k)
    if red:
        raise RuntimeError(f"red gate: {red}")
    return k


def mnist_sized_model() -> RBM:
    """784 x 500 with weights and biases of a trained model's size: about 13 % and 26 % of units on."""
    rng = np.random.default_rng(0)
    return RBM(
        rng.normal(0.0, 0.1, (784, 500)),
        rng.normal(-2.5, 1.0, 784),
        rng.normal(-1.5, 1.0, 500),
    )


def mnist_sized_rows(count: int) -> np.ndarray:
    """Binary rows of 784 pixels of which 13 % are on, uint8 [count, 784]."""
    return (np.random.default_rng(1).random((count, 784)) < 0.13).astype(np.uint8)
