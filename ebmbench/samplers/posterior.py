"""What a model makes of evidence about its visible units: missing ones, or such as noise has changed.

Evidence is a log-likelihood ratio, e_i = log p(seen_i|v_i = 1) - log p(seen_i|v_i = 0): 0 says nothing
of a unit, and +-inf that it is known. Given it the law of v is proportional to p(v) prod_i exp(e_i v_i),
that of the same model with the visible biases b + e. So one walk both imputes and denoises: block Gibbs
sampling with v drawn from sigmoid(b + hWᵀ + e).
"""

import numpy as np
from scipy.special import expit

from ebmbench.kernels.api import Backend
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.randomness import VISIBLE, Key, check_seed, uniforms
from ebmbench.samplers.gibbs import independent


def check_sweeps(sweeps: int) -> None:
    """`UserError` where there are not two halves of them."""
    require(sweeps >= 2, f"the number of sweeps must be at least 2, but is {sweeps}")


def posterior_means(
    k: Backend, model: RBM, evidence: np.ndarray, bias: np.ndarray, sweeps: int, key: Key
) -> np.ndarray:
    """p(v_i = 1 | evidence), float64 [B, n_visible], estimated by a chain for each row of the evidence.

    evidence: float64 [B, n_visible], without NaN. A chain starts from independent units with the log-odds
    bias + evidence, bias float64 [n_visible]. What it gives is the mean of p(v_i = 1 | h, evidence) over
    the second half of its `sweeps`, which varies less than that of the states (Liu, Wong & Kong 1994). A
    chain that stays in one of several modes is as sure of it as of the only one. Row r is chain
    key.chain + r, sweep t has the uniforms of step key.step + t.
    """
    check_sweeps(sweeps)
    check_seed(key.seed)
    count, handle = len(evidence), k.put(model)
    v = independent(k, model, count, key, bias + evidence)
    total, burn_in = np.zeros(evidence.shape), sweeps // 2
    for sweep in range(sweeps):
        now = key.advance(sweep)
        h = k.sample_hidden(handle, v, now)
        p = expit(k.visible_input(handle, h) + evidence)
        v = k.put_rows((uniforms(now, count, model.n_visible, VISIBLE) < p).astype(np.uint8))
        if sweep >= burn_in:
            total += p
    return total / (sweeps - burn_in)
