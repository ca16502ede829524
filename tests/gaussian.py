"""What the tests of Gaussian visible units share: small models, and their definition in NumPy.

A dictionary of W, b, c and log_precision stands for a model here, so that differences of any objective
can be taken; nothing of the package's mathematics is used.
"""

import numpy as np
from conftest import all_states

from ebmbench.models.gaussian_rbm import TREE, GaussianRBM

SIZES = [(1, 1, 1), (1, 4, 3), (5, 1, 2), (4, 3, 3)]  # n_visible, n_hidden, rows


def random_gaussian(n_visible, n_hidden, seed=0, scale=1.0):
    """Normal parameters and precisions in [1/2, 3]."""
    rng = np.random.default_rng([seed, n_visible, n_hidden])
    W = rng.normal(0.0, scale, (n_visible, n_hidden))
    precision = rng.uniform(0.5, 3.0, n_visible)
    return GaussianRBM(W, rng.normal(size=n_visible), rng.normal(size=n_hidden), precision)


def real_rows(count, n_visible, seed=0):
    """Normal rows of standard deviation 1.5, that float32 holds exactly."""
    rng = np.random.default_rng([seed, count])
    return rng.normal(0.0, 1.5, (count, n_visible)).astype(np.float32).astype(float)


def parameters(model):
    """The model as a dictionary named like a gradient."""
    return {name: np.array(getattr(model, name)) for name in ("W", "b", "c")} | {
        "log_precision": np.log(model.precision)
    }


def model_of(p):
    """The dictionary as a model."""
    return GaussianRBM(p["W"], p["b"], p["c"], np.exp(p["log_precision"]))


def log_sum(x):
    """log of the sum of e**x over the last axis, of complex numbers too."""
    most = x.real.max(axis=-1, keepdims=True)
    return np.log(np.exp(x - most).sum(axis=-1)) + most[..., 0]


def energies(p, v):
    """E(v, h) of rows v with every state of h from the definition, [B, 2**n_hidden]; v may be complex."""
    precision, h = np.exp(p["log_precision"]), all_states(len(p["c"]))
    own = 0.5 * ((v - p["b"]) ** 2 * precision).sum(axis=1)
    return own[:, None] - (v * precision) @ p["W"] @ h.T - (h @ p["c"])[None, :]


def log_f(p, v):
    """log of the sum over h of e**-E(v, h), [B]."""
    return log_sum(-energies(p, v))


def log_z(p):
    """By the integral of a general multivariate normal over v for each h."""
    B = np.diag(np.exp(p["log_precision"]))
    total = []
    for h in all_states(len(p["c"])):
        a = B @ p["b"] + B @ p["W"] @ h
        fixed = -0.5 * p["b"] @ B @ p["b"] + p["c"] @ h
        log_det = np.linalg.slogdet(B / (2.0 * np.pi))[1]
        total.append(fixed + 0.5 * a @ np.linalg.solve(B, a) - 0.5 * log_det)
    return float(log_sum(np.array(total)))


def mean_log_likelihood(p, rows):
    """Mean log density of rows, nats."""
    return float(log_f(p, rows).mean()) - log_z(p)


def slope(p, v):
    """psi = d log f / dv by complex steps, exact to rounding, [B, n_visible]."""
    out = np.empty(v.shape)
    for i in range(v.shape[1]):
        moved = v.astype(complex)
        moved[:, i] += 1e-30j
        out[:, i] = log_f(p, moved).imag / 1e-30
    return out


def curvature(p, v, step=2e-3):
    """d psi_i / d v_i by differences of fourth order, whose errors stay below 1e-11, [B, n_visible]."""
    out = np.zeros(v.shape)
    for i in range(v.shape[1]):
        for factor, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            moved = v.copy()
            moved[:, i] += factor * step
            out[:, i] += weight * slope(p, moved)[:, i] / (12.0 * step)
    return out


def score_objective(p, v, targets=None):
    """Minus the loss of score matching from its definition; targets as in denoising."""
    if targets is None:
        return -float((0.5 * slope(p, v) ** 2 + curvature(p, v)).sum(axis=1).mean())
    return -float((0.5 * (slope(p, v) - targets) ** 2).sum(axis=1).mean())


def differences(objective, p, step=1e-4):
    """The gradient of a function of the dictionary, by differences of fourth order."""
    out = {}
    for name in TREE:
        out[name] = np.zeros_like(p[name])
        for at in np.ndindex(p[name].shape):
            for factor, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
                moved = {n: x.copy() for n, x in p.items()}
                moved[name][at] += factor * step
                out[name][at] += weight * objective(moved) / (12.0 * step)
    return out


def flat(tree):
    """A tree as one vector."""
    return np.concatenate([np.ravel(tree[name]) for name in TREE])


def statistics(p, v):
    """-dE/dparameter with h averaged out, of each row, [B, parameters]: one complex step a parameter."""
    out = []
    for name in TREE:
        for at in np.ndindex(p[name].shape):
            moved = {n: x.astype(complex) for n, x in p.items()}
            moved[name][at] += 1e-30j
            out.append(log_f(moved, v.astype(complex)).imag / 1e-30)
    return np.stack(out, axis=1)
