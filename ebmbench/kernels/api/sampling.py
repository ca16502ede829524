"""Jobs that look at a model or draw from it: conditionals, free energy, sweeps, annealing."""

from typing import NamedTuple

import numpy as np

from ebmbench.errors import UserError
from ebmbench.kernels.api.device import Device, Handle, Rows
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.model import Model
from ebmbench.randomness import Key, check_seed


class Annealed(NamedTuple):
    """Log importance weights, float64 [chains] on the host, and the chains' last v on the device."""

    log_weights: np.ndarray
    v: Rows


class Tempered(NamedTuple):
    """The last v on the device, and how many exchanges each pair of neighbours accepted and proposed.

    accepted and proposed: int64 [temperatures - 1] on the host, over all ladders.
    """

    v: Rows
    accepted: np.ndarray
    proposed: np.ndarray


class Sampling(Device):
    """See the module."""

    def hidden_input(self, model: Handle, v: Rows) -> np.ndarray:
        """Pre-activations c + vW, [B, n_hidden] on the host; v binary or in [0, 1].

        For Gaussian visible units c + (precision v)W, v any rows.
        """
        self._check(v, model.n_visible, "v")
        return self._job("hidden_input", model)(model, v)

    def visible_input(self, model: Handle, h: Rows) -> np.ndarray:
        """Pre-activations b + hWᵀ, [B, n_visible] on the host; h binary or in [0, 1].

        For Gaussian visible units this is their mean given h.
        """
        self._check(h, model.n_hidden, "h")
        return self._job("visible_input", model)(model, h)

    def hidden_probability(self, model: Handle, v: Rows, beta: float = 1.0) -> Rows:
        """p(h_j = 1 | v) = sigmoid(beta times `hidden_input`), [B, n_hidden]."""
        self._check(v, model.n_visible, "v")
        return self._job("hidden_probability", model)(model, v, beta)

    def visible_probability(self, model: Handle, h: Rows, beta: float = 1.0) -> Rows:
        """p(v_i = 1 | h) = sigmoid(beta (b + hWᵀ)), [B, n_visible]."""
        self._check(h, model.n_hidden, "h")
        return self._job("visible_probability", model)(model, h, beta)

    def free_energy(self, model: Handle, v: Rows) -> np.ndarray:
        """F(v) = -log sum_h e**-E(v, h), nats, float64 [B] on the host (see `models`).

        Without Gaussian units -b.v - sum_j softplus(c_j + (vW)_j).
        """
        self._check(v, model.n_visible, "v")
        return self._job("free_energy", model)(model, v)

    def gibbs(self, model: Handle, v: Rows, steps: int, key: Key, beta: float = 1.0) -> tuple[Rows, Rows]:
        """`steps` >= 1 sweeps v -> h -> v of block Gibbs sampling at inverse temperature beta.

        Sweep t draws h with the uniforms of layer HIDDEN, then v with those of layer VISIBLE, of step
        key.step + t; row r is chain key.chain + r. Returns the last v and the h it was drawn from,
        uint8 [B, n_visible] and [B, n_hidden]; the given v stays as it is.

        Gaussian visible units are drawn with their noise, float32, from the normal variates of the
        same uniforms; beta > 0 multiplies their precision too.

        A Boltzmann machine without hidden units draws unit 0, 1, ... after each other, each given all
        the others as they then stand, with the uniforms of layer VISIBLE; its h has no columns. So does a
        Markov field, in the order of its graph (`Graph.order`), colour by colour: unit order[n] with the
        uniform of unit n.
        """
        self._check_sweeps(model, steps, beta)
        check_seed(key.seed)
        self._check(v, model.n_visible, "v")
        return self._job("gibbs", model)(model, v, steps, key, beta)

    def posterior(
        self, model: Handle, v: Rows, evidence: Rows, sweeps: int, burn_in: int, key: Key
    ) -> Rows:
        """Mean probability, or mean, at which visible units are drawn, given evidence about each of them.

        Row r walks as in `gibbs` under the law p(v) prod_i e**(e_ri v_i), e: of `put_evidence`, [B,
        n_visible]: a unit is drawn at its log odds given all others plus its evidence. Returns the mean
        over the sweeps but the first `burn_in` of what each draw was made at, [B, n_visible]; of a known
        unit it is 0 or 1 within 2**-60. The given v, binary but of Gaussian units, stays as it is.

        A Bayesian network's unit 0, 1, ... is drawn given its parents, children and their parents, by
        the uniform of its own in layer VISIBLE. Raises `NotFinite` where a weight of one is too large.

        Of Gaussian visible units the evidence, [B, 2 n_visible], is where each was seen and then with
        which precision, >= 0, which only the caller can see to: the law is p(v) prod_i
        e**(-precision_ri (v_i - seen_ri)**2 / 2). What is returned is the mean of each draw's mean.
        """
        self._check(v, model.n_visible, "v")
        real = model.kind == GaussianRBM.kind
        if not real and not self.device["is_binary"](v):
            raise UserError("the rows that chains start from must hold 0 and 1 only")
        fits = (len(v), 2 * model.n_visible if real else model.n_visible)
        if tuple(evidence.shape) != fits:
            told = "two a unit" if real else "one a unit"
            raise UserError(f"the evidence must be {list(fits)}, {told}, not {list(evidence.shape)}")
        if not 0 <= burn_in < sweeps:
            raise UserError(f"of {sweeps} sweeps {burn_in} cannot be left out: some must count")
        check_seed(key.seed)
        return self._job("posterior", model)(model, v, evidence, sweeps, burn_in, key)

    def temper(
        self, model: Handle, base: np.ndarray, betas: np.ndarray, v: Rows, steps: int, key: Key
    ) -> Tempered:
        """Parallel tempering of ladders of chains (Geyer 1991; Hukushima & Nemoto 1996).

        Row l T + t of v, uint8 [ladders T, n_visible], stands at betas[t] of ladder l, on the path of
        `anneal`: log f_beta(v, h) = (1 - beta) base.v + beta (b.v + c.h + v.W.h). A sweep draws h and
        then v of every row as `gibbs` does; then neighbours t, t + 1 with t + step even exchange their
        states with probability min(1, e**((beta' - beta) (D - D'))), D = log f_1 - log f_0 of the
        joint state (v, h) just drawn. Unit t of layer SWAPS of the ladder's first chain decides.
        Gaussian visible units are float32, on their path of `anneal`.
        """
        betas = self._path(model, base, betas)
        self._check(v, model.n_visible, "v")
        if model.kind != GaussianRBM.kind and not self.device["is_binary"](v):
            raise UserError("the rows that ladders start from must hold 0 and 1 only")
        if steps < 1:
            raise UserError(f"the number of sweeps must be at least 1, but is {steps}")
        if len(v) == 0 or len(v) % len(betas):
            raise UserError(
                f"{len(v)} rows are no whole number of ladders of {len(betas)} temperatures each"
            )
        check_seed(key.seed)
        last, accepted = self._job("temper", model)(model, np.asarray(base, float), betas, v, steps, key)
        first = (key.step + np.arange(len(betas) - 1)) % 2  # sweeps until the pair's first turn
        proposed = (steps - first + 1) // 2 * (len(v) // len(betas))
        return Tempered(last, accepted, proposed)

    def _path(self, model: Handle, base: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """The inverse temperatures of a path between a base-rate model and the model, checked."""
        # Compiled code has a version for each layout, and betas that are turned over would make another.
        betas, base = np.ascontiguousarray(betas, np.float64), np.asarray(base, np.float64)
        if betas.ndim != 1 or len(betas) < 2 or not np.isfinite(betas).all():
            raise UserError("a path needs at least 2 inverse temperatures, all finite")
        if model.kind == GaussianRBM.kind and (betas.min() < 0 or betas.max() > 1):
            raise UserError("a path of Gaussian units needs inverse temperatures between 0 and 1")
        if model.kind == GaussianRBM.kind:
            if base.shape != (2, model.n_visible) or not np.isfinite(base).all() or (base[1] <= 0).any():
                raise UserError(
                    f"the base rates must be {model.n_visible} means and as many precisions "
                    "greater than 0, one a visible unit"
                )
        elif base.shape != (model.n_visible,) or not np.isfinite(base).all():
            raise UserError(f"the base rates must be {model.n_visible} finite biases, one a visible unit")
        return betas

    def log_z(self, model: Model) -> float:
        """Log Z of a model on the host by enumeration, of a field by elimination, in float64, nats.

        Gaussian visible units are integrated in closed form, and the hidden ones enumerated.
        """
        return self._job("log_z", model)(model)

    def anneal(
        self, model: Handle, base: np.ndarray, betas: np.ndarray, start: int | Rows, key: Key
    ) -> Annealed:
        """Run chains between a base-rate model (visible biases `base`, W = c = 0) and the model.

        The path is log f_beta(v) = (1 - beta) base.v + beta b.v + sum_j softplus(beta (c + vW)_j)
        (Salakhutdinov & Murray 2008, eq. 16 to 19). `start` is a number of chains, whose first states
        are drawn from f_0 with the uniforms of step key.step, or binary rows [chains, n_visible],
        which stay as they are. Then for k = 1, ..., K-1 the weight gains log f_k(v) - log f_{k-1}(v)
        and, but after the last, one sweep at betas[k] is drawn with the uniforms of step
        key.step + k; row r is chain key.chain + r.

        A sweep v -> h -> v is reversible, so with draws of the model as rows and betas from 1 down to
        0 this is the same walk run backwards (Neal 2001, section 3).

        For Gaussian visible units the base is [2, n_visible], mean and precision of independent
        normals, the rows are any, and the path is (1 - beta) E_base + beta E: v has the precision
        (1 - beta) base precision + beta precision, so 0 <= beta <= 1.
        """
        betas = self._path(model, base, betas)
        if not isinstance(start, int):
            self._check(start, model.n_visible, "the rows that annealing starts from")
            if model.kind != GaussianRBM.kind and not self.device["is_binary"](start):
                raise UserError("the rows that annealing starts from must hold 0 and 1 only")
        check_seed(key.seed)
        return self._job("anneal", model)(model, np.asarray(base, float), betas, start, key)
