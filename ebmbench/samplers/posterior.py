"""What a model makes of evidence about its visible units: missing ones, or such as noise has changed.

Evidence of a binary unit is a log-likelihood ratio, e_i = log p(seen_i|v_i = 1) - log p(seen_i|v_i = 0):
0 says nothing of it, and +-inf that it is known. Given it the law of v is proportional to p(v) prod_i
exp(e_i v_i). So one walk both imputes and denoises: Gibbs sampling in which evidence adds to each unit's
log odds. Evidence of a Gaussian unit is where it was seen and with which precision, 0 where it is missing
and inf where it is known: what normal noise leaves. It joins the unit's own mean as another normal would.
"""

from typing import Any, get_args

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import Backend
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.dbm import DBM
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.latent import Latent
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed
from ebmbench.samplers.gibbs import independent

Restoring = RBM | GaussianRBM | DBM | BoltzmannMachine | GeneralBoltzmannMachine | MarkovField | BayesNet
_KEY = Key(0, Stream.SAMPLES)


def check_restores(model: Any) -> None:
    """`UserError` for a model that has no Gibbs sampler given evidence."""
    kinds = ", ".join(kind.kind for kind in get_args(Restoring))
    sentence = f"rows are restored by models of the kinds {kinds}, not by {model.kind}"
    require(isinstance(model, Restoring), sentence)


def check_sweeps(sweeps: int) -> None:
    """`UserError` where there are not two halves of them."""
    whole = isinstance(sweeps, int | np.integer) and sweeps >= 2
    require(whole, f"the number of sweeps must be a whole one of at least 2, but is {sweeps}")


def independent_means(bias: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """What evidence makes of units that know nothing of each other; arguments as `posterior_means`."""
    return expit(bias + evidence) if evidence.ndim == 2 else _independent_normals(bias, evidence)[0]


def _independent_normals(bias: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Their means and precisions, float64 [2, B, n_visible]."""
    (mean, precision), (seen, certainty) = bias, evidence
    known = np.isinf(certainty)
    both = precision + np.where(known, 0.0, certainty)
    mean = (precision * mean + np.where(known, 0.0, certainty) * seen) / both
    return np.stack([np.where(known, seen, mean), np.where(known, np.inf, both)])


def posterior_means(
    k: Backend,
    model: Restoring,
    evidence: np.ndarray,
    bias: np.ndarray,
    sweeps: int = 200,
    key: Key = _KEY,
) -> np.ndarray:
    """The mean of v_i given the evidence, float64 [B, n_visible], by a chain for each row of it.

    evidence: float64 without NaN, log odds [B, n_visible], or of Gaussian units, [2, B, n_visible], where
    they were seen and with which precision, >= 0. A chain starts from independent units of this bias,
    float64 [n_visible] or of Gaussian units mean and precision, [2, n_visible], and this evidence. What
    it gives is the mean over the second half of its `sweeps` of the probability, or of the mean, at which
    v_i is drawn, which varies less than that of the states (Liu, Wong & Kong 1994). A chain that stays in
    one of several modes is as sure of it as of the only one. Row r is chain key.chain + r, sweep t has
    the uniforms of step key.step + t. Raises `UserError` for what is none of this.
    """
    check_restores(model)
    check_sweeps(sweeps)
    check_seed(key.seed)
    evidence, bias = np.asarray(evidence, np.float64), np.asarray(bias, np.float64)
    if isinstance(model, GaussianRBM):
        return _real(k, model, evidence, bias, sweeps, key)
    return _binary(k, model, evidence, bias, sweeps, key)


def _binary(
    k: Backend, model: Any, evidence: np.ndarray, bias: np.ndarray, sweeps: int, key: Key
) -> np.ndarray:
    n = model.n_visible
    fits = evidence.ndim == 2 and evidence.shape[1] == n and not np.isnan(evidence).any()
    require(fits, f"the evidence must be numbers [rows, {n}], infinite where a unit is known")
    require(bias.shape == (n,) and np.isfinite(bias).all(), f"the bias must be {n} finite numbers")
    if not len(evidence):
        return np.empty((0, n))
    # Nothing is known of hidden units that stand among the whole's visible ones.
    whole = model.whole if isinstance(model, Latent) else model
    others = 0, whole.n_visible - n
    of_all = np.pad(evidence, ((0, 0), others))
    v = independent(k, whole, len(evidence), key, np.pad(bias, others) + of_all)
    found = k.posterior(k.put(whole), v, k.put_evidence(of_all), sweeps, sweeps // 2, key)
    return np.where(np.isinf(evidence), evidence > 0, k.get_rows(found)[:, :n])


def _real(
    k: Backend, model: GaussianRBM, evidence: np.ndarray, bias: np.ndarray, sweeps: int, key: Key
) -> np.ndarray:
    n = model.n_visible
    fits = evidence.ndim == 3 and evidence.shape[::2] == (2, n) and np.isfinite(evidence[0]).all()
    sentence = f"evidence of Gaussian units is finite values and precisions, >= 0, [2, rows, {n}]"
    require(fits and bool((evidence[1] >= 0).all()), sentence)
    fits = bias.shape == (2, n) and np.isfinite(bias).all() and (bias[1] > 0).all()
    require(fits, f"the bias must be {n} finite means and as many precisions above 0, [2, {n}]")
    seen, certainty = evidence
    if not len(seen):
        return np.empty((0, n))
    v = independent(k, model, len(seen), key, _independent_normals(bias, evidence))
    on_device = k.put_evidence(np.hstack([seen, certainty]))
    found = k.posterior(k.put(model), v, on_device, sweeps, sweeps // 2, key)
    return np.where(np.isinf(certainty), seen, k.get_rows(found))
