"""Jobs that look at a model or draw from it: conditionals, free energy, sweeps, annealing."""

import math
from typing import NamedTuple

import numpy as np

from ebmbench.errors import UserError
from ebmbench.kernels.api.device import Device, Handle, Rows
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, check_seed


class Annealed(NamedTuple):
    """Log importance weights, float64 [chains] on the host, and the chains' last v on the device."""

    log_weights: np.ndarray
    v: Rows


class Sampling(Device):
    """See the module."""

    def hidden_input(self, model: Handle, v: Rows) -> np.ndarray:
        """Pre-activations c + vW, [B, n_hidden] on the host; v binary or in [0, 1]."""
        self._check(v, model.n_visible, "v")
        return self._job("hidden_input", model)(model, v)

    def visible_input(self, model: Handle, h: Rows) -> np.ndarray:
        """Pre-activations b + hWᵀ, [B, n_visible] on the host; h binary or in [0, 1]."""
        self._check(h, model.n_hidden, "h")
        return self._job("visible_input", model)(model, h)

    def hidden_probability(self, model: Handle, v: Rows, beta: float = 1.0) -> Rows:
        """p(h_j = 1 | v) = sigmoid(beta (c + vW)), [B, n_hidden]."""
        self._check(v, model.n_visible, "v")
        return self._job("hidden_probability", model)(model, v, beta)

    def visible_probability(self, model: Handle, h: Rows, beta: float = 1.0) -> Rows:
        """p(v_i = 1 | h) = sigmoid(beta (b + hWᵀ)), [B, n_visible]."""
        self._check(h, model.n_hidden, "h")
        return self._job("visible_probability", model)(model, h, beta)

    def free_energy(self, model: Handle, v: Rows) -> np.ndarray:
        """F(v) = -b.v - sum_j softplus(c_j + (vW)_j), nats, float64 [B] on the host."""
        self._check(v, model.n_visible, "v")
        return self._job("free_energy", model)(model, v)

    def gibbs(self, model: Handle, v: Rows, steps: int, key: Key, beta: float = 1.0) -> tuple[Rows, Rows]:
        """`steps` >= 1 sweeps v -> h -> v of block Gibbs sampling at inverse temperature beta.

        Sweep t draws h with the uniforms of layer HIDDEN, then v with those of layer VISIBLE, of step
        key.step + t; row r is chain key.chain + r. Returns the last v and the h it was drawn from,
        uint8 [B, n_visible] and [B, n_hidden]; the given v stays as it is.
        """
        if steps < 1:
            raise UserError(f"the number of sweeps must be at least 1, but is {steps}")
        if not math.isfinite(beta):
            raise UserError(f"the inverse temperature must be finite, but is {beta}")
        check_seed(key.seed)
        self._check(v, model.n_visible, "v")
        return self._job("gibbs", model)(model, v, steps, key, beta)

    def log_z(self, model: RBM) -> float:
        """Log Z of a model on the host by enumeration of its smaller layer, in float64, nats."""
        return self._job("log_z", model)(model)

    def anneal(
        self, model: Handle, base: np.ndarray, betas: np.ndarray, chains: int, key: Key
    ) -> Annealed:
        """Run chains from a base-rate model (visible biases `base`, W = c = 0) to the model.

        The path is log f_beta(v) = (1 - beta) base.v + beta b.v + sum_j softplus(beta (c + vW)_j)
        (Salakhutdinov & Murray 2008, eq. 16 to 19); chains start from f_0 at step key.step, then for
        k = 1, ..., K-1 the weight gains log f_k(v) - log f_{k-1}(v) and, but after the last, one
        sweep at betas[k] is drawn with the uniforms of step key.step + k.
        """
        betas, base = np.asarray(betas, np.float64), np.asarray(base, np.float64)
        if betas.ndim != 1 or len(betas) < 2 or not np.isfinite(betas).all():
            raise UserError("annealing needs at least 2 inverse temperatures, all finite")
        if base.shape != (model.n_visible,) or not np.isfinite(base).all():
            raise UserError(f"the base rates must be {model.n_visible} finite biases, one a visible unit")
        check_seed(key.seed)
        return self._job("anneal", model)(model, base, betas, chains, key)
