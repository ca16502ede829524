"""What the tests of deep models share: small ones, their energies by the definition, short runs."""

from itertools import pairwise

import numpy as np
from conftest import all_states, random_rows
from scipy.special import expit, logsumexp

from ebmbench.models.dbm import DBM
from ebmbench.training.sgd import SGD
from ebmbench.training.stack import Stack

ROWS = random_rows(11, 6, seed=2)
BATCH = 4  # of 11 rows: two whole batches and a short one, three updates an epoch


def tolerance(k):
    """Float32 beside float64 over a dozen updates of size 0.1: some hundred roundings of 2**-24."""
    return 1e-12 if k.name == "reference" else 2e-5


def bits(model):
    """All parameters of a model as one vector."""
    return np.concatenate([np.ravel(x) for x in model.parameters.values()])


def trained(trainer, *parts):
    """The model after these numbers of updates, by default all."""
    for updates in parts or (trainer.steps,):
        trainer.advance(updates)
    return trainer.model


def stack(k, rows=ROWS, hidden=(5, 4, 3), epochs=2, **others):
    """A short run of a stack."""
    options = {"optimiser": SGD(0.1, 0.5), "batch_size": BATCH, "seed": 3} | others
    return Stack(k, rows, hidden, epochs=epochs, **options)


def random_dbm(*sizes, seed=0, scale=0.5):
    """Normal weights and biases of standard deviation `scale`."""
    rng = np.random.default_rng([seed, *sizes])
    weights = [rng.normal(0.0, scale, pair) for pair in pairwise(sizes)]
    return DBM(tuple(weights), tuple(rng.normal(0.0, scale, n) for n in sizes))


def energy(model, states):
    """E(v, h) of a DBM from the definition, states: a list of [B, n], [B]."""
    total = -sum(x @ b for x, b in zip(states, model.biases, strict=True))
    for W, (below, above) in zip(model.weights, pairwise(states), strict=True):
        total = total - np.einsum("bi,ij,bj->b", below, W, above)
    return total


def log_weights(model):
    """log sum_h e**-E(v, h) of a DBM for all states v, [2**n_visible], by all joint states."""
    joint = all_states(sum(model.sizes))
    states = np.split(joint, np.cumsum(model.sizes)[:-1], axis=1)
    # Unit 0 is the lowest bit, so v's number varies fastest.
    by_v = -energy(model, states).reshape(-1, 2**model.n_visible)
    return logsumexp(by_v, axis=0)


def plain_mean_field(model, rows, sweeps=400):
    """The means of all layers, v first, updated layer by layer given both neighbours."""
    means = [rows.astype(float), *(np.full((len(rows), n), 0.5) for n in model.sizes[1:])]
    for _ in range(sweeps):
        for n in range(1, len(means)):
            x = model.biases[n] + means[n - 1] @ model.weights[n - 1]
            if n + 1 < len(means):
                x = x + means[n + 1] @ model.weights[n].T
            means[n] = expit(x)
    return means
