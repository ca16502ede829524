"""What a model makes of evidence about its visible units: missing ones, or such as noise has changed.

Evidence is a log-likelihood ratio, e_i = log p(seen_i|v_i = 1) - log p(seen_i|v_i = 0): 0 says nothing
of a unit, and +-inf that it is known. Given it the law of v is proportional to p(v) prod_i exp(e_i v_i).
So one walk both imputes and denoises: Gibbs sampling in which evidence adds to each unit's log odds.
"""

from typing import Any, get_args

import numpy as np

from ebmbench.kernels.api import Backend
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.dbm import DBM
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed
from ebmbench.samplers.gibbs import independent

Restoring = RBM | DBM | BoltzmannMachine | MarkovField | BayesNet
_KEY = Key(0, Stream.SAMPLES)


def check_restores(model: Any) -> None:
    """`UserError` for a model that has no Gibbs sampler of binary visible units."""
    kinds = ", ".join(kind.kind for kind in get_args(Restoring))
    sentence = f"rows are restored by models of the kinds {kinds}, not by {model.kind}"
    require(isinstance(model, Restoring), sentence)


def check_sweeps(sweeps: int) -> None:
    """`UserError` where there are not two halves of them."""
    whole = isinstance(sweeps, int | np.integer) and sweeps >= 2
    require(whole, f"the number of sweeps must be a whole one of at least 2, but is {sweeps}")


def posterior_means(
    k: Backend,
    model: Restoring,
    evidence: np.ndarray,
    bias: np.ndarray,
    sweeps: int = 200,
    key: Key = _KEY,
) -> np.ndarray:
    """p(v_i = 1 | evidence), float64 [B, n_visible], estimated by a chain for each row of the evidence.

    evidence: float64 [B, n_visible], without NaN. A chain starts from independent units with the log-odds
    bias + evidence, bias float64 [n_visible]. What it gives is the mean over the second half of its
    `sweeps` of the probability at which v_i is drawn, which varies less than that of the states (Liu,
    Wong & Kong 1994). A chain that stays in one of several modes is as sure of it as of the only one.
    Row r is chain key.chain + r, sweep t has the uniforms of step key.step + t.
    """
    check_restores(model)
    check_sweeps(sweeps)
    check_seed(key.seed)
    evidence, bias = np.asarray(evidence, np.float64), np.asarray(bias, np.float64)
    n = model.n_visible
    fits = evidence.ndim == 2 and evidence.shape[1] == n and not np.isnan(evidence).any()
    require(fits, f"the evidence must be numbers [rows, {n}], infinite where a unit is known")
    require(bias.shape == (n,) and np.isfinite(bias).all(), f"the bias must be {n} finite numbers")
    if not len(evidence):
        return np.empty((0, n))
    # Of a DBM nothing is known of the other even layers.
    whole = model.bipartite if isinstance(model, DBM) else model
    others = 0, whole.n_visible - n
    of_all = np.pad(evidence, ((0, 0), others))
    v = independent(k, whole, len(evidence), key, np.pad(bias, others) + of_all)
    found = k.posterior(k.put(whole), v, k.put_evidence(of_all), sweeps, sweeps // 2, key)
    return np.where(np.isinf(evidence), evidence > 0, k.get_rows(found)[:, :n])
