"""scikit-learn's BernoulliRBM.partial_fit: SML-1 in float32, without momentum."""

import importlib

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work

NAME = "scikit_learn"
PACKAGE = "sklearn"
DEVICES = ("cpu",)
PRECISIONS = ("float32",)


def sml(
    place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray, batch: int, updates: int,
    rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package. Its chains are as many as a batch has rows, kept as h; it knows no momentum."""
    BernoulliRBM = importlib.import_module("sklearn.neural_network").BernoulliRBM
    random = np.random.default_rng(0)
    data = rows.astype(np.float32)
    rbm = BernoulliRBM(model.n_hidden, learning_rate=rate, batch_size=batch, random_state=0)
    rbm.partial_fit(data[:batch])  # which makes the parameters that are set below
    rbm.components_ = np.asarray(model.W.T, np.float32, order="F")
    rbm.intercept_visible_ = model.b.astype(np.float32)
    rbm.intercept_hidden_ = model.c.astype(np.float32)
    last = {}

    def run() -> None:
        for _ in range(updates):
            positive = data[random.choice(len(data), batch, replace=False)]
            rbm.partial_fit(positive)
        last["batch"] = positive

    def result() -> dict[str, np.ndarray]:
        found = {"W": rbm.components_.T, "b": rbm.intercept_visible_, "c": rbm.intercept_hidden_, **last}
        return {name: np.asarray(x, np.float64) for name, x in found.items()}

    return Work(run, lambda: None, result)


JOBS = {"sml": sml}
