"""The Gaussian-Bernoulli restricted Boltzmann machine (Hinton & Salakhutdinov 2006; Cho et al. 2011).

E(v, h) = (v - b).B(v - b) / 2 - v.BWh - c.h with real v, h in {0, 1} and B = diag(precision); samples
are rows. Given v the hidden units are independent, p(h_j = 1 | v) = sigmoid(c_j + (vBW)_j); given h
the visible units are independent normals of mean b + Wh and this precision. An inverse temperature
beta multiplies the whole energy, so that v has the precision beta B. Summing h out leaves the free
energy F(v) = (v - b).B(v - b) / 2 - sum_j softplus(c_j + (vBW)_j), a density's: log p(v) = -F(v) - log Z.

Gradients are taken with respect to W, b, c and log_precision, so that a learned precision stays
positive: a tree is named like `TREE`.
"""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.errors import UserError
from ebmbench.models.rbm import Array, TwoLayers, softplus

TREE = ("W", "b", "c", "log_precision")


@dataclass(frozen=True, eq=False)
class GaussianRBM(TwoLayers):
    """Parameters: W, b and c as of an `RBM`, and precision float64 [n_visible], all > 0.

    Raises `UserError` where shapes disagree, a layer is empty, a value is not finite or a precision
    is not positive.
    """

    precision: Array
    _kept: Array | None = field(default=None, init=False, repr=False)

    kind: ClassVar[str] = "gaussian_rbm"
    visible: ClassVar[str] = "Gaussian"
    names: ClassVar[tuple[str, ...]] = ("W", "b", "c", "precision")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.precision > 0).all():
            raise UserError(f"precision must be greater than 0, but holds {self.precision.min():g}")

    @property
    def log_precision(self) -> Array:
        """log of the precision; of a model fetched from a device, the very numbers that it keeps."""
        return np.log(self.precision) if self._kept is None else self._kept

    def with_log_precision(self, kept: Array) -> "GaussianRBM":
        """The same model, of whose precision a device keeps this logarithm, [n_visible].

        An update changes the logarithm and rounds its exponential, from which it cannot be had back to
        the bit: with it a model that goes back to a device goes on as if it had never left.
        """
        found = GaussianRBM(self.W, self.b, self.c, self.precision)
        object.__setattr__(found, "_kept", np.array(kept, np.float64))
        return found


class Moments(NamedTuple):
    """Expected statistics: vh [n_visible, n_hidden], v and vv (each unit's square), h [n_hidden]."""

    vh: Array
    v: Array
    vv: Array
    h: Array


def hidden_input(model: GaussianRBM, v: Array) -> Array:
    """Pre-activations c + vBW, [B, n_hidden]."""
    return model.c + (v * model.precision) @ model.W


def hidden_probability(model: GaussianRBM, v: Array, beta: float | Array = 1.0) -> Array:
    """p(h_j = 1 | v) at inverse temperature beta, one or [B, 1], [B, n_hidden]."""
    return expit(beta * hidden_input(model, v))


def visible_mean(model: GaussianRBM, h: Array) -> Array:
    """Mean of v given h, b + hWᵀ, [B, n_visible]; the same at every temperature."""
    return model.b + h @ model.W.T


def energy(model: GaussianRBM, v: Array, h: Array) -> Array:
    """E(v, h) of rows that belong together, [B]."""
    return quadratic(model.b, model.precision, v) - (hidden_input(model, v) * h).sum(axis=1)


def free_energy(model: GaussianRBM, v: Array) -> Array:
    """F(v) = -log sum_h e**-E(v, h), nats, [B]."""
    return quadratic(model.b, model.precision, v) - softplus(hidden_input(model, v)).sum(axis=1)


def quadratic(mean: Array, precision: Array, v: Array) -> Array:
    """Energy of independent normals, sum_i precision_i (v_i - mean_i)**2 / 2, [B]."""
    return 0.5 * ((v - mean) ** 2 @ precision)


def mean_moments(model: GaussianRBM, v: Array) -> Moments:
    """Mean of v p(h|v), v, v**2 and p(h|v) over the rows v."""
    h = hidden_probability(model, v)
    return Moments(v.T @ h / len(v), v.mean(axis=0), (v**2).mean(axis=0), h.mean(axis=0))


def contrast(model: GaussianRBM, positive: Moments, negative: Moments) -> dict[str, Array]:
    """Mean of -dE/dparameter over one set of v minus that over another, named like `TREE`."""
    vh, v, vv, h = (a - b for a, b in zip(positive, negative, strict=True))
    squares = vv / 2 - model.b * v - (model.W * vh).sum(axis=1)
    return {
        "W": model.precision[:, None] * vh,
        "b": model.precision * v,
        "c": h,
        "log_precision": -model.precision * squares,
    }
