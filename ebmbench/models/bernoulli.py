"""Independent binary units, from their pre-activations x = log p / (1 - p) or from their means p."""

from scipy.special import expit, xlog1py, xlogy

from ebmbench.models.model import Array
from ebmbench.models.rbm import softplus


def log_probability(x: Array, v: Array) -> Array:
    """log p(v) of units with pre-activations x, nats, [B]; v in [0, 1] counts as its mean."""
    return (v * x - softplus(x)).sum(axis=1)


def entropy(x: Array) -> Array:
    """Of units with pre-activations x, nats, [B]."""
    return (softplus(x) - x * expit(x)).sum(axis=1)


def entropy_of_means(means: Array) -> Array:
    """Of units with these means, nats, [B]."""
    return -(xlogy(means, means) + xlog1py(1.0 - means, -means)).sum(axis=1)
