"""What a model makes of evidence about its visible units: missing ones, or such as noise has changed.

Evidence is a log-likelihood ratio, e_i = log p(seen_i|v_i = 1) - log p(seen_i|v_i = 0): 0 says nothing
of a unit, and +-inf that it is known. Given it the law of v is proportional to p(v) prod_i exp(e_i v_i).
So one walk both imputes and denoises: Gibbs sampling in which evidence adds to each unit's log odds.
"""

import numpy as np

from ebmbench.kernels.api import Backend
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed
from ebmbench.samplers.gibbs import independent

_KEY = Key(0, Stream.SAMPLES)


def check_sweeps(sweeps: int) -> None:
    """`UserError` where there are not two halves of them."""
    whole = isinstance(sweeps, int | np.integer) and sweeps >= 2
    require(whole, f"the number of sweeps must be a whole one of at least 2, but is {sweeps}")


def posterior_means(
    k: Backend,
    model: Model,
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
    check_sweeps(sweeps)
    check_seed(key.seed)
    evidence, bias = np.asarray(evidence, np.float64), np.asarray(bias, np.float64)
    n = model.n_visible
    fits = evidence.ndim == 2 and evidence.shape[1] == n and not np.isnan(evidence).any()
    require(fits, f"the evidence must be numbers [rows, {n}], infinite where a unit is known")
    require(bias.shape == (n,) and np.isfinite(bias).all(), f"the bias must be {n} finite numbers")
    if not len(evidence):
        return np.empty((0, n))
    v = independent(k, model, len(evidence), key, bias + evidence)
    found = k.posterior(k.put(model), v, k.put_evidence(evidence), sweeps, sweeps // 2, key)
    return np.where(np.isinf(evidence), evidence > 0, k.get_rows(found))
