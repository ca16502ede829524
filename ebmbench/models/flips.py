"""Objectives over single flips: what v's neighbours, each with one bit flipped, say about a model.

Let D_i = F(vⁱ) - F(v), with bit i flipped in vⁱ: the normaliser cancels. Pseudolikelihood (Besag 1975)
is sum_i log sigmoid(D_i); ratio matching (Hyvärinen 2007, eq. 17) is -sum_i sigmoid(-D_i)². Both have
the gradient sum_i a_i dD_i, with a weight a_i of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ebmbench.models.model import Array
from ebmbench.models.rbm import RBM, hidden_input, softplus


@dataclass(frozen=True)
class Objective:
    """Value and weight of one flip as functions of D = F(vⁱ) - F(v), elementwise."""

    value: Callable[[Array], Array]
    weight: Callable[[Array], Array]  # the derivative of `value`


PSEUDOLIKELIHOOD = Objective(lambda d: -softplus(-d), lambda d: expit(-d))
RATIO_MATCHING = Objective(lambda d: -(expit(-d) ** 2), lambda d: 2 * expit(-d) ** 2 * expit(d))


def differences(model: RBM, v: Array) -> Array:
    """D_i = F(vⁱ) - F(v) of binary rows, nats, [B, n_visible]; memory B x n_hidden."""
    x = hidden_input(model, v)
    base = softplus(x).sum(axis=1)
    out = np.empty((len(v), model.n_visible))
    for i in range(model.n_visible):
        sign = 1.0 - 2.0 * v[:, i]
        flipped = softplus(x + np.outer(sign, model.W[i])).sum(axis=1)
        out[:, i] = -sign * model.b[i] - (flipped - base)
    return out


def gradient(model: RBM, v: Array, weights: Array) -> dict[str, Array]:
    """Mean over rows of sum_i weights_i dD_i / d(W, b, c), weights [B, n_visible]."""
    x = hidden_input(model, v)
    s = expit(x)
    tree = {name: np.zeros_like(getattr(model, name)) for name in model.names}
    change = np.zeros_like(x)  # sum_i a_i (sigmoid(x + sign_i W_i) - sigmoid(x))
    for i in range(model.n_visible):
        sign = 1.0 - 2.0 * v[:, i]
        flipped = expit(x + np.outer(sign, model.W[i]))
        change += weights[:, i, None] * (flipped - s)
        tree["W"][i] = -((weights[:, i] * sign) @ flipped)
        tree["b"][i] = -(weights[:, i] @ sign)
    tree["W"] -= v.T @ change
    tree["c"] = -change.sum(axis=0)
    return {name: value / len(v) for name, value in tree.items()}
