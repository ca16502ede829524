"""Baselines that a model should beat: independent units, and a mixture of ten of them.

Units are pixels that are on or off, or normal variates where rows are real.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, logsumexp, softmax

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


class Mixture(NamedTuple):
    """Of Bernoullis: shares float64 [components], and means float64 [components, n_visible]."""

    share: np.ndarray
    mean: np.ndarray

    def log_likelihood(self, rows: np.ndarray) -> float:
        """The mean over binary rows, nats."""
        return float(logsumexp(_log_joint(rows.astype(np.float64), *self), axis=1).mean())

    def posterior_means(self, evidence: np.ndarray) -> np.ndarray:
        """p(v_i = 1 | evidence), exact, float64 [B, n_visible]; evidence: see `samplers.posterior`."""
        on, off = np.minimum(evidence, 0.0), -np.maximum(evidence, 0.0)
        known = [np.logaddexp(np.log(p) + on, np.log1p(-p) + off).sum(axis=1) for p in self.mean]
        weights = softmax(np.log(self.share) + np.stack(known, axis=1), axis=1)
        each = (expit(logit(p) + evidence) for p in self.mean)
        return sum(
            (w[:, None] * p for w, p in zip(weights.T, each, strict=True)), np.zeros(evidence.shape)
        )


def fitted(train: np.ndarray, components: int = COMPONENTS) -> Mixture:
    """A mixture of Bernoullis fitted to binary rows by EM.

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
    return Mixture(share, mean)


def baselines(mixture: Mixture, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Both, under the names that a row gives them; mixture: fitted to train."""
    return {
        "baseline_independent": independent(train, test),
        "baseline_mixture": mixture.log_likelihood(test),
    }


def gaussian_baselines(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """As `baselines` for real rows: independent normals, and a mixture of them by scikit-learn's EM.

    Mean log density of test rows, nats. No variance is below the least that `base_rates` allows.
    """
    from sklearn.mixture import GaussianMixture  # slow to import, and rarely needed

    mean, precision = base_rates(train, "train", GaussianRBM.kind).bias
    independent = -quadratic(mean, precision, test).mean() - log_normaliser(precision)
    least = 1.0 / precision.max()
    components = min(COMPONENTS, len(np.unique(train, axis=0)))
    found = GaussianMixture(components, covariance_type="diag", reg_covar=least)
    several = np.repeat(train, 2, axis=0) if len(train) == 1 else train  # which it asks for
    fitted = found.set_params(random_state=0).fit(several.astype(np.float64))
    return {
        "baseline_independent": float(independent),
        "baseline_mixture": float(fitted.score(test.astype(np.float64))),
    }


def _log_joint(x: np.ndarray, share: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.log(share) + x @ np.log(mean).T + (1.0 - x) @ np.log1p(-mean).T
