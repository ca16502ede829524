"""What the tests of general Boltzmann machines share: small ones, and their law by the definition."""

import numpy as np
from conftest import all_states
from scipy.special import logsumexp

from ebmbench.models.general import GeneralBoltzmannMachine


def random_general(n_visible, n_hidden, seed=0, scale=0.5, lateral=1.0):
    """Normal weights and biases of standard deviation `scale`, R and S `lateral` times that."""
    rng = np.random.default_rng([seed, n_visible, n_hidden])
    R, S = (np.triu(rng.normal(0.0, scale, (n, n)), 1) * lateral for n in (n_visible, n_hidden))
    W, b, c = (rng.normal(0.0, scale, n) for n in ((n_visible, n_hidden), n_visible, n_hidden))
    return GeneralBoltzmannMachine(R, W, S, b, c)


def energies(model, v, h):
    """E of rows v and h that belong together, term by term of the definition, [B]."""
    pairs = (v, model.R, v), (v, model.W, h), (h, model.S, h)
    twos = sum(np.einsum("bi,ij,bj->b", one, couplings, other) for one, couplings, other in pairs)
    return -twos - v @ model.b - h @ model.c


def log_weights(model):
    """log sum_h e**-E(v, h) of all states v, [2**n_visible], by all joint states."""
    v, h = all_states(model.n_visible), all_states(model.n_hidden)
    each = [-energies(model, v, np.tile(one, (len(v), 1))) for one in h]
    return logsumexp(each, axis=0)
