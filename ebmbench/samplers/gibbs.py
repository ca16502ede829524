"""Chains that block Gibbs sampling moves: where they stand, and which random numbers come next."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.errors import UserError
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models.rbm import RBM
from ebmbench.randomness import START, Key, check_seed, uniforms


class Chains(NamedTuple):
    """States v on the device, and the key of their next sweep."""

    v: Rows
    key: Key


def start(k: Backend, model: RBM, count: int, key: Key, bias: np.ndarray | None = None) -> Chains:
    """`count` chains whose first states are drawn from visible biases alone, v_i ~ sigmoid(bias_i).

    bias: [n_visible], by default the model's b.
    """
    if count < 1:
        raise UserError(f"the number of chains must be at least 1, but is {count}")
    check_seed(key.seed)
    u = uniforms(key, count, model.n_visible, START)
    v = u < expit(model.b if bias is None else bias)
    return Chains(k.put_rows(v.astype(np.uint8)), key)


def advance(k: Backend, model: Handle, chains: Chains, steps: int, beta: float = 1.0) -> Chains:
    """The chains after `steps` sweeps at inverse temperature beta."""
    v, _ = k.gibbs(model, chains.v, steps, chains.key, beta)
    return Chains(v, chains.key.advance(steps))
