"""Score matching for a Gaussian-Bernoulli RBM: the slope of log p(v), which needs no normaliser.

With s = sigmoid(c + vBW), d = s (1 - s), r_j = (s_j's second derivative) = d_j (1 - 2 s_j):

    psi_i = d log p / d v_i = B_i (b_i + (Ws)_i - v_i),
    d psi_i / d v_i = -B_i + B_i**2 sum_j W_ij**2 d_j.

The closed form (Hyvärinen 2005, eq. 4) ascends -mean of sum_i (psi_i**2 / 2 + d psi_i / d v_i). The
denoising form (Vincent 2011, eq. 9) ascends -mean of |psi(v~) - (v - v~) / sigma**2|**2 / 2 with
v~ = v + sigma e, whose target is -e / sigma. Both have one residual that multiplies dpsi: psi itself,
or psi minus its target; the closed form adds what the curvature contributes.
"""

from scipy.special import expit

from ebmbench.models.gaussian_rbm import GaussianRBM, hidden_input, visible_mean
from ebmbench.models.rbm import Array


def score(model: GaussianRBM, v: Array) -> Array:
    """psi = the gradient of log p with respect to v, [B, n_visible]."""
    return model.precision * (visible_mean(model, expit(hidden_input(model, v))) - v)


def objective(model: GaussianRBM, v: Array, targets: Array | None = None) -> tuple[dict, float]:
    """Gradient named like `gaussian_rbm.TREE`, and value of the objective to ascend.

    targets: [B, n_visible], what psi should be at the rows v, for the denoising form; None is the
    closed form. Memory B x (n_visible + n_hidden).
    """
    precision, W = model.precision, model.W
    scaled = precision[:, None] * W
    s = expit(hidden_input(model, v))
    d = s * (1.0 - s)
    psi = precision * (visible_mean(model, s) - v)
    residual = psi if targets is None else psi - targets
    value = 0.5 * (residual**2).sum(axis=1)
    # What the loss gains where the input of hidden unit j grows: [B, n_hidden].
    slope = (residual @ scaled) * d
    if targets is None:
        reach = (scaled**2).sum(axis=0)  # sum_i B_i**2 W_ij**2
        value += d @ reach - precision.sum()
        slope += reach * d * (1.0 - 2.0 * s)
    rows = len(v)
    through = v.T @ slope / rows
    loss = {
        "W": through + residual.T @ s / rows,
        "b": residual.mean(axis=0),
        "c": slope.mean(axis=0),
        "log_precision": precision * (W * through).sum(axis=1) + (residual * psi).mean(axis=0),
    }
    if targets is None:
        mean_d = d.mean(axis=0)
        loss["W"] += 2.0 * scaled * mean_d
        loss["log_precision"] += 2.0 * (scaled**2 @ mean_d) - precision
    loss["W"] *= precision[:, None]
    loss["b"] *= precision
    return {name: -x for name, x in loss.items()}, -float(value.mean())
