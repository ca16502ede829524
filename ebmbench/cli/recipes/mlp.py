"""A classifier that begins with random weights, or with those of an RBM, a DBN or a DBM."""

from hashlib import sha256
from typing import Any

import numpy as np

from ebmbench.cli.recipes._run import Options, Run, facts_of, started
from ebmbench.datasets import Dataset
from ebmbench.errors import UserError
from ebmbench.kernels.api import Backend
from ebmbench.models import dbm, dbn
from ebmbench.models.augmented import AugmentedMLP
from ebmbench.models.dbm import DBM
from ebmbench.models.dbn import DBN
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.mlp import dashed
from ebmbench.models.rbm import RBM
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.samplers.meanfield import augmented
from ebmbench.training.adam import Adam
from ebmbench.training.initial import initial_network
from ebmbench.training.supervised import Supervised

NAME = "mlp"
TAKES = frozenset({"hidden", "start", "activation", "optimiser", "dropout"})
_RATES = {"adam": 0.001, "sgd": 0.1}


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""
    how = options.optimiser
    require(how in _RATES, f"optimiser must be one of {', '.join(_RATES)}, not {how!r}")
    rate = options.single("rate", options.rates(_RATES[how]))
    epochs = options.single("epochs", options.passes(50))
    data = options.data(True)
    labels = _labels(data)
    classes = int(labels.max()) + 1
    left_out = options.left_out
    facts = facts_of(options, "optimiser") | {"epochs": epochs, "rate": rate, "dropout": left_out}
    rows, finished = data.train, None
    if options.start is None:
        hidden, activation = options.units(64, 64), options.activation
        facts |= {"hidden": hidden, "activation": activation}
        activations = [*(activation for _ in hidden), "linear"]
        network = initial_network([data.n_visible, *hidden, classes], activations, options.seed)
    else:
        options.refuse("--start", "hidden", "activation")
        below, which = started(options.start, RBM.kind, GaussianRBM.kind, DBN.kind, DBM.kind)
        facts |= which
        if isinstance(below, DBM):
            rows = augmented(k, below, check_rows(rows, below.n_visible))
            network, finished = dbm.classifier(below, classes), below
        else:
            layers = below.layers if isinstance(below, DBN) else (below,)
            network = dbn.classifier(layers, classes)
    if how == "adam":
        options.refuse("--optimiser adam", "momentum", "decay")
        del facts["momentum"], facts["decay"]
    optimiser = Adam(rate, schedule=options.schedule) if how == "adam" else options.sgd(rate)
    run = Supervised(
        k, network, rows, labels, optimiser, epochs, options.batch_size, options.seed, left_out
    )
    digests = {"data": data.digest, "labels": sha256(labels.tobytes()).hexdigest()}
    told = f"{dashed(network.sizes)}, {{}} updates by {how}"

    def written(model: Any) -> Any:
        return model if finished is None else AugmentedMLP(finished, model)

    return Run(run, facts, digests, told, written)


def _labels(data: Dataset) -> np.ndarray:
    """The classes of the training rows; `UserError` where there are none or they are no such numbers."""
    labels = data.labels_train
    if labels is None:
        raise UserError(f"{data.name} has no labels to learn")
    most = int(labels.max())
    sentence = f"the labels of {data.name} go up to {most}, but classes are 0, 1, 2 and so on"
    require(most < len(labels), sentence)
    return labels
