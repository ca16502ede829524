"""scikit-learn's BernoulliRBM in float32: SML-1 without momentum, Gibbs sweeps and its score.

Its `fit` starts from parameters of its own and `partial_fit` turns rows into float64, so what both are
made of is called: an update, and the sampling of either layer.
"""

import importlib
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work

NAME = "scikit_learn"
PACKAGE = "sklearn"
DEVICES = ("cpu",)
PRECISIONS = ("float32",)
PLAIN = True


def _rbm(model: RBM, **options: Any) -> tuple[Any, np.random.RandomState]:
    """With the model's parameters, and its generator: a number would stand for the same one again."""
    BernoulliRBM = importlib.import_module("sklearn.neural_network").BernoulliRBM
    random = np.random.RandomState(0)
    rbm = BernoulliRBM(model.n_hidden, random_state=random, **options)
    rbm.partial_fit(np.zeros((1, model.n_visible)))  # which makes the parameters that are set here
    rbm.components_ = np.asarray(model.W.T, np.float32, order="F")
    rbm.intercept_visible_ = model.b.astype(np.float32)
    rbm.intercept_hidden_ = model.c.astype(np.float32)
    return rbm, random


def gibbs(place: Place, model: RBM, v: np.ndarray, sweeps: int) -> Work:
    """See the package; both halves of its `gibbs`, which keeps h to itself."""
    rbm, random = _rbm(model)
    chains = {"v": v.astype(np.float32)}

    def run() -> None:
        for _ in range(sweeps):
            chains["h"] = rbm._sample_hiddens(chains["v"], random)
            chains["v"] = rbm._sample_visibles(chains["h"], random)

    return Work(run, lambda: None, lambda: {name: x.astype(np.float64) for name, x in chains.items()})


def sml(
    place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray, batch: int, updates: int,
    rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package; it keeps its chains as h, and knows no momentum."""
    rbm, random = _rbm(model, learning_rate=rate)
    order = np.random.default_rng(0)
    data = rows.astype(np.float32)
    rbm.h_samples_ = rbm._sample_hiddens(chains.astype(np.float32), random).astype(np.float32)
    last = {}

    def run() -> None:
        for _ in range(updates):
            positive = data[order.choice(len(data), batch, replace=False)]
            rbm._fit(positive, random)
        last["batch"] = positive

    def result() -> dict[str, np.ndarray]:
        found = {"W": rbm.components_.T, "b": rbm.intercept_visible_, "c": rbm.intercept_hidden_, **last}
        return {name: np.asarray(x, np.float64) for name, x in found.items()}

    return Work(run, lambda: None, result)


def pseudolikelihood(place: Place, model: RBM, v: np.ndarray) -> Work:
    """See the package; its `score_samples`."""
    rbm, _ = _rbm(model)
    rows, last = v.astype(np.float32), {}

    def run() -> None:
        last["score"] = rbm.score_samples(rows)

    return Work(run, lambda: None, lambda: last)


JOBS = {"gibbs": gibbs, "sml": sml, "score_pseudolikelihood": pseudolikelihood}
