"""Jobs that train: gradients of the principles, and what an optimiser does with them."""

import math
from typing import Any, NamedTuple, SupportsFloat

import numpy as np

from ebmbench.errors import Unavailable, UserError
from ebmbench.kernels.api.device import Device, Handle, Rows, Tree
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, check_seed


class Phases(NamedTuple):
    """A gradient (ascent direction, a tree) and the mean of v and h over both of its phases."""

    gradient: Tree
    means: Tree  # "b": mean v, "c": mean h, as the biases they belong to


class NoiseContrast(NamedTuple):
    """What one batch of data and noise says: `Phases`, the objective, and log Z's own derivatives.

    value: nats a row of data; log_z: derivative of the objective with respect to the learned log Z;
    curvature: minus its second derivative, >= 0.
    """

    gradient: Tree
    means: Tree
    value: float
    log_z: float
    curvature: float


class Batched(NamedTuple):
    """Batches: number n has the rows that index[starts[n] : starts[n + 1]], of `put_index`, numbers.

    starts: int64 [batches + 1], ascending, on the host.
    """

    rows: Rows
    index: Any
    starts: np.ndarray


class Steps(NamedTuple):
    """Of each update its rate and how far offsets slide, float64 [updates]; and what `update` takes."""

    rates: np.ndarray
    momentum: float
    decay: float
    slidings: np.ndarray


class Negative(NamedTuple):
    """A negative phase: `sweeps` >= 1 of Gibbs sampling from v, or where that is None from the batch.

    key: of the first sweep of the first update; the next update's follows `sweeps` later.
    """

    v: Rows | None
    sweeps: int
    key: Key
    beta: float = 1.0


class Training(Device):
    """See the module."""

    def _binary(self, model: Handle, v: Rows) -> None:
        self._check(v, model.n_visible, "v")
        if len(v) == 0 or not self.device["is_binary"](v):
            raise UserError("a principle for binary units needs rows of 0 and 1; binarise them first")

    def _check_phases(self, model: Handle, *phases: Rows) -> None:
        for rows in phases:
            self._check(rows, model.n_visible, "v")
            if len(rows) == 0:
                raise UserError("the mean over a phase without rows is not defined")

    def _flips(self, model: Handle, v: Rows, bits: np.ndarray | None) -> tuple[Rows, np.ndarray | None]:
        self._binary(model, v)
        if bits is None:
            return v, None
        bits = np.asarray(bits)
        if bits.shape != (len(v),) or bits.dtype.kind not in "iu":
            raise UserError(f"bits must hold a whole number for each of the {len(v)} rows")
        if bits.min() < 0 or bits.max() >= model.n_visible:
            raise UserError(f"bits must lie between 0 and {model.n_visible - 1}")
        return v, bits.astype(np.int64)

    def moments(self, model: Handle, positive: Rows, negative: Rows, beta: float = 1.0) -> Phases:
        """The contrast of two sets of v: mean of -dE/dparameter over the one minus over the other.

        h is averaged out in both phases: W gets <v p(h|v)>, b gets <v>, c gets <p(h|v)>, R gets
        <v vᵀ> above its diagonal. Each phase is divided by its own number of rows. For Gaussian visible
        units W gets precision times <v p(h|v)>, b precision times <v>, and log_precision
        -precision <(v-b)**2/2 - v (W p(h|v))>.
        """
        if beta != 1.0 and model.kind != RBM.kind:
            raise Unavailable(f"moments at a temperature are those of binary units, not of {model.kind}")
        self._check_phases(model, positive, negative)
        return self._job("moments", model)(model, positive, negative, beta)

    def fuses(self, job: str, model: Handle) -> bool:
        """Whether the backend has a call of this name, which none need have, for such a model."""
        return (job, model.kind) in self.fused and model.arithmetic == "float"

    def contrastive_updates(
        self,
        model: Handle,
        trees: tuple[Tree, Tree | None],
        batches: Batched,
        negative: Negative,
        steps: Steps,
    ) -> tuple[Rows | None, int, bool] | None:
        """Updates along `moments` of a batch and the negative phase: one for each rate, or fewer.

        To the bits what `take`, `gibbs`, `moments`, `centre` where there are offsets, and `update` do one
        after another. trees: the velocity, and the offsets or None, both as of `zeros`, changed in place
        as the model is. Returns where the negative phase ended, if it had a v of its own, how many
        updates were done, and what `update` says of the last. None, and nothing is done, where the
        backend has no such call or would gain nothing by it, which is the same throughout a training
        run. Raises `UserError` for what `moments` and `gibbs` refuse, and where an index numbers no row.
        """
        if not self.fuses("contrastive_updates", model):
            return None
        self._check_phases(model, batches.rows, batches.rows if negative.v is None else negative.v)
        self._check_sweeps(model, negative.sweeps, negative.beta)
        starts, updates = batches.starts, len(steps.rates)
        if not 1 <= updates == len(steps.slidings) == len(starts) - 1:
            raise UserError(f"{len(starts) - 1} batches need as many rates, not {updates}")
        if starts[0] < 0 or (np.diff(starts) < 1).any() or starts[-1] > len(batches.index):
            raise UserError(
                f"batches must be parts of an index of {len(batches.index)}, none without rows"
            )
        check_seed(negative.key.seed)
        return self.fused["contrastive_updates", model.kind](model, trees, batches, negative, steps)

    def pseudolikelihood(
        self, model: Handle, v: Rows, bits: np.ndarray | None = None
    ) -> tuple[Phases, SupportsFloat]:
        """Gradient and mean of the log pseudolikelihood of binary rows (see `models.flips`).

        bits, int64 [B] on the host: only this bit of each row, as an unbiased estimate of all of
        them. `Phases.means` are those of v and p(h|v) over the rows. `NotFinite` where a weight is too
        large for flips: on a GPU from the mean, which is waited for when it is looked at.
        """
        return self._job("pseudolikelihood", model)(model, *self._flips(model, v, bits))

    def ratio_matching(
        self, model: Handle, v: Rows, bits: np.ndarray | None = None
    ) -> tuple[Phases, SupportsFloat]:
        """Gradient and mean of the negative ratio matching loss; arguments as `pseudolikelihood`."""
        return self._job("ratio_matching", model)(model, *self._flips(model, v, bits))

    def nce(
        self,
        model: Handle,
        data: Rows,
        noise: Rows,
        data_offset: np.ndarray,
        noise_offset: np.ndarray,
    ) -> NoiseContrast:
        """Noise-contrastive estimation (Gutmann & Hyvärinen 2012, eq. 8 and 13): data told from noise.

        With G(v) = -F(v) - offset(v), offset = log Z + log q(v) + log(rows of noise / rows of data)
        and q the noise's law, float64 [rows] on the host, the objective is the sum of log sigmoid(G)
        over data and of log sigmoid(-G) over noise, divided by the number of rows of data.
        """
        for rows, offset, name in ((data, data_offset, "data"), (noise, noise_offset, "noise")):
            self._binary(model, rows)
            if np.shape(offset) != (len(rows),):
                raise UserError(f"each of the {len(rows)} rows of {name} needs one offset")
            if not np.isfinite(offset).all():
                raise UserError(f"the noise's law gives no finite log probability to a row of {name}")
        return self._job("nce", model)(
            model, data, noise, np.asarray(data_offset, float), np.asarray(noise_offset, float)
        )

    def score_matching(
        self, model: Handle, v: Rows, noise: float = 0.0, key: Key | None = None
    ) -> tuple[Phases, SupportsFloat]:
        """Gradient and mean of the negative score matching loss (see `models.score`), Gaussian v.

        noise 0 is the closed form (Hyvärinen 2005, eq. 4). Otherwise the denoising form (Vincent
        2011, eq. 9): row r becomes v + noise e, e normal variates of layer VISIBLE, step key.step and
        chain key.chain + r. `Phases.means` are those of v, with its noise, and of p(h|v).
        """
        self._check(v, model.n_visible, "v")
        if len(v) == 0:
            raise UserError("score matching needs at least one row")
        if not (noise >= 0 and math.isfinite(noise)):
            raise UserError(f"the noise must be at least 0 and finite, but is {noise}")
        if noise > 0:
            if key is None:
                raise UserError("denoising score matching needs a key for its noise")
            check_seed(key.seed)
        return self._job("score_matching", model)(model, v, noise, key if noise > 0 else None)

    def exact_gradient(self, model: Handle, v: Rows) -> tuple[Phases, float]:
        """The gradient of the mean log-likelihood of v by enumeration, and log Z in nats."""
        self._check(v, model.n_visible, "v")
        return self._job("exact_gradient", model)(model, v)

    def zeros(self, model: Handle) -> Tree:
        """A tree of zeros in the shape of the parameters."""
        return self._job("zeros", model)(model)

    def mask(self, model: Handle, gradient: Tree, mask: Tree) -> None:
        """Multiply what both trees name, in place; mask: as `put_mask` returns."""
        self._job("mask", model)(gradient, mask)

    def put_mask(self, model: Handle, mask: np.ndarray) -> Tree:
        """A mask of W, 0 and 1 [n_visible, n_hidden], as a tree on the device."""
        mask = np.asarray(mask)
        if mask.shape != (model.n_visible, model.n_hidden) or not ((mask == 0) | (mask == 1)).all():
            raise UserError(f"a mask must be 0 and 1 of shape [{model.n_visible}, {model.n_hidden}]")
        return self._job("put_mask", model)(model, mask)

    def centre(
        self,
        model: Handle,
        gradient: Tree,
        means: Tree,
        offsets: Tree,
        sliding: float,
        mask: Tree | None = None,
    ) -> None:
        """Turn a gradient into the centred one, in place (Montavon & Müller 2012).

        offsets <- (1 - sliding) offsets + sliding means (both as `Phases.means`), then with mu, lambda
        the offsets of v and h (Melchior, Fischer & Wiskott 2016, eq. 9 to 11):
        W <- W - mu cᵀ - b lambdaᵀ, b <- b - W lambda, c <- c - Wᵀ mu. With a mask (of `put_mask`) the new
        W is multiplied by it before b and c follow.

        Of a Boltzmann machine R + Rᵀ stands for W, without its diagonal, and b for c, mu for lambda.
        """
        self._job("centre", model)(gradient, means, offsets, sliding, mask)

    def update(
        self,
        model: Handle,
        velocity: Tree,
        gradient: Tree,
        rate: float,
        momentum: float,
        decay: float,
    ) -> bool:
        """One step of stochastic gradient ascent with momentum (Polyak 1964), in place.

        velocity <- momentum * velocity + rate * (gradient - decay * W); parameters += velocity.
        For Gaussian visible units the gradients of W and b are first divided by the precision, which is
        ascent in units of the visible units' standard deviations, so that the data's units play no part.
        Weight decay acts on matrices alone; a parameter that the gradient does not name stays as it
        is. False once a bias is NaN or beyond `scalar.LARGEST_PARAMETER`, or a learned precision beyond
        that or its inverse; a hidden unit whose weights have become NaN shows in its bias one step
        later. A device that works behind the program may notice up to 100 updates late, rather than
        have the program wait for every one. Of models without hidden units a weight out of bounds is told
        as a bias is.
        """
        if model.arithmetic != "float":
            raise UserError(
                f"{model.arithmetic} arithmetic is for a model that stands still; train in float"
            )
        return self._job("update", model)(model, velocity, gradient, rate, momentum, decay)
