"""Baselines that a model should beat: independent units, and a mixture of ten of them.

Units are pixels that are on or off, or normal variates where rows are real.
"""

import numpy as np
from scipy.special import logsumexp

from ebmbench.models.gaussian_enumerate import log_normaliser
from ebmbench.models.gaussian_rbm import GaussianRBM, quadratic
from ebmbench.models.rbm import softplus
from ebmbench.partition import base_rates
from ebmbench.randomness import Key, Stream, uniforms

COMPONENTS = 10
_SMOOTHING = 1.0  # a pixel each of on and off that every component has seen beforehand
_ROUNDS = 200


def independent(train: np.ndarray, test: np.ndarray) -> float:
    """Mean log-likelihood of test rows under independent pixels with train's base rates, nats."""
    bias = base_rates(train, "train").bias
    return float((test @ bias).mean() - softplus(bias).sum())


def mixture(train: np.ndarray, test: np.ndarray, components: int = COMPONENTS) -> float:
    """Mean log-likelihood of test rows under a mixture of Bernoullis fitted to train by EM, nats.

    Bishop 2006, section 9.3.3, with one pseudo-observation each of on and off. Starts from rows of
    train drawn with seed 0 and takes 200 rounds.
    """
    x = train.astype(np.float64)
    u = uniforms(Key(0, Stream.BASELINE), 1, components)[0]
    mean = 0.25 + 0.5 * x[(u * len(x)).astype(int)]
    share = np.full(components, 1.0 / components)
    for _ in range(_ROUNDS):
        joint = _log_joint(x, share, mean)
        r = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        counts = r.sum(axis=0)
        share = (counts + 1e-9) / (counts + 1e-9).sum()
        mean = (r.T @ x + _SMOOTHING) / (counts[:, None] + 2 * _SMOOTHING)
    return float(logsumexp(_log_joint(test.astype(np.float64), share, mean), axis=1).mean())


def baselines(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Both, under the names that a row gives them."""
    return {
        "baseline_independent": independent(train, test),
        "baseline_mixture": mixture(train, test),
    }


def gaussian_baselines(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """As `baselines` for real rows: independent normals, and a mixture of them by scikit-learn's EM.

    Mean log density of test rows, nats. No variance is below the least that `base_rates` allows.
    """
    from sklearn.mixture import GaussianMixture  # slow to import, and rarely needed

    mean, precision = base_rates(train, "train", GaussianRBM.kind).bias
    independent = -quadratic(mean, precision, test).mean() - log_normaliser(precision)
    least = 1.0 / precision.max()
    found = GaussianMixture(min(COMPONENTS, len(train)), covariance_type="diag", reg_covar=least)
    fitted = found.set_params(random_state=0).fit(train.astype(np.float64))
    return {
        "baseline_independent": float(independent),
        "baseline_mixture": float(fitted.score(test.astype(np.float64))),
    }


def _log_joint(x: np.ndarray, share: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.log(share) + x @ np.log(mean).T + (1.0 - x) @ np.log1p(-mean).T
