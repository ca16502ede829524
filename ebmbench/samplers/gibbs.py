"""Chains that block Gibbs sampling moves: where they stand, and which random numbers come next."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.errors import UserError
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.model import Model
from ebmbench.options import like
from ebmbench.randomness import START, Key, check_seed, normals, uniforms


class Chains(NamedTuple):
    """States v on the device, and the key of their next sweep."""

    v: Rows
    key: Key


def independent(k: Backend, model: Model, count: int, key: Key, bias: np.ndarray | None = None) -> Rows:
    """`count` states v of units without weights, with the uniforms of layer START.

    bias: that of binary units, v_i ~ sigmoid(bias_i), [n_visible], or of each row its own, [count,
    n_visible]; mean and precision, which may be inf, of Gaussian ones, [2, n_visible] or of each row its
    own, [2, count, n_visible]; by default the model's own.
    """
    if isinstance(model, GaussianRBM):
        mean, precision = (model.b, model.precision) if bias is None else bias
        return k.put_rows(mean + normals(key, count, model.n_visible, START) / np.sqrt(precision))
    u = uniforms(key, count, model.n_visible, START)
    return k.put_rows((u < expit(model.b if bias is None else bias)).astype(np.uint8))


def start(k: Backend, model: Model, count: int, key: Key, bias: np.ndarray | None = None) -> Chains:
    """`count` chains whose first states are drawn from visible biases alone (see `independent`).

    bias: by default the model's own, b, and for Gaussian units its precision.
    """
    if count < 1:
        raise UserError(f"the number of chains must be at least 1, but is {count}")
    check_seed(key.seed)
    return Chains(independent(k, model, count, key, bias), key)


def advance(k: Backend, model: Handle, chains: Chains, steps: int, beta: float = 1.0) -> Chains:
    """The chains after `steps` sweeps at inverse temperature beta."""
    v, _ = k.gibbs(model, chains.v, steps, chains.key, beta)
    return Chains(v, chains.key.advance(steps))


def saved(k: Backend, chains: Chains) -> dict[str, np.ndarray]:
    """Where the chains stand, on the host."""
    return {"v": k.get_rows(chains.v), "step": np.array(chains.key.step, np.uint64)}


def restored(k: Backend, chains: Chains, arrays: Mapping[str, np.ndarray]) -> Chains:
    """The chains where they stood when these arrays were saved."""
    key = chains.key._replace(step=int(arrays["step"]))
    return Chains(k.put_rows(like("the chains", arrays["v"], chains.v.shape)), key)
