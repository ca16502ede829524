"""What a backend can do, and how one is loaded.

A backend is a folder that registers functions by (job, kind of model). Jobs are whole pieces of work
(k sweeps, a complete annealing run, an update), not layers, so that a backend may fuse inside them.
What a job takes and returns stays on the device unless its docstring says host.

Shapes: B rows, samples are rows. A binary state is uint8 with values 0 and 1; rows of probabilities
are float32 in [0, 1]. A tree is a dict of device arrays named like the parameters: W, b, c.
"""

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ebmbench.errors import NotFinite, Unavailable, UserError
from ebmbench.models.rbm import RBM, on_grid
from ebmbench.randomness import Key, check_seed
from ebmbench.scalar import LARGEST_PARAMETER

Handle = Any  # a model on the device: has .kind, .n_visible, .n_hidden and .arithmetic
Rows = Any  # a two-dimensional array on the device
Tree = dict[str, Any]

BACKENDS = ("reference", "cpu", "cuda")
ARITHMETICS = ("float", "grid")
READY = "ready"


class Phases(NamedTuple):
    """A gradient (ascent direction, a tree) and the mean of v and h over both of its phases."""

    gradient: Tree
    means: Tree  # "b": mean v, "c": mean h, as the biases they belong to


class Annealed(NamedTuple):
    """Log importance weights, float64 [chains] on the host, and the chains' last v on the device."""

    log_weights: np.ndarray
    v: Rows


@dataclass(frozen=True)
class Backend:
    """A loaded backend; passed explicitly to whoever computes.

    `jobs` maps (job, kind of model) to a function with the job's signature below, `device` maps the
    names of what needs no model. A missing pair raises `Unavailable`.
    """

    name: str
    jobs: Mapping[tuple[str, str], Callable[..., Any]]
    device: Mapping[str, Callable[..., Any]]

    def _job(self, job: str, model: Handle) -> Callable[..., Any]:
        try:
            return self.jobs[job, model.kind]
        except KeyError:
            raise Unavailable(f"backend {self.name} has no {job} for {model.kind}") from None

    @staticmethod
    def _check(rows: Rows, units: int, name: str) -> None:
        if rows.ndim != 2 or rows.shape[1] != units:
            raise UserError(f"{name} must have the shape [rows, {units}], but has {list(rows.shape)}")

    def _flips(self, model: Handle, v: Rows, bits: np.ndarray | None) -> tuple[Rows, np.ndarray | None]:
        self._check(v, model.n_visible, "v")
        if len(v) == 0 or not self.device["is_binary"](v):
            raise UserError("an objective over flips of single bits needs rows of 0 and 1 only")
        if bits is None:
            return v, None
        bits = np.asarray(bits)
        if bits.shape != (len(v),) or bits.dtype.kind not in "iu":
            raise UserError(f"bits must hold a whole number for each of the {len(v)} rows")
        if bits.min() < 0 or bits.max() >= model.n_visible:
            raise UserError(f"bits must lie between 0 and {model.n_visible - 1}")
        return v, bits.astype(np.int64)

    def put(self, model: RBM, arithmetic: str = "float") -> Handle:
        """Copy a model to the device in `float` or `grid` arithmetic (see `models.rbm.on_grid`)."""
        if arithmetic not in ARITHMETICS:
            raise UserError(f"arithmetic must be one of {', '.join(ARITHMETICS)}, not {arithmetic}")
        for name in ("W", "b", "c"):
            if np.abs(getattr(model, name)).max() > LARGEST_PARAMETER:
                raise NotFinite(f"{name} holds a value beyond {LARGEST_PARAMETER:g}")
        return self._job("put", model)(on_grid(model) if arithmetic == "grid" else model, arithmetic)

    def get(self, model: Handle) -> RBM:
        """Copy a model back; `UserError` where a parameter is no longer finite."""
        return self._job("get", model)(model)

    def put_rows(self, rows: np.ndarray) -> Rows:
        """Copy rows in [0, 1] to the device: uint8 if all are 0 or 1, else float32."""
        return self.device["put_rows"](rows)

    def get_rows(self, rows: Rows) -> np.ndarray:
        """Copy rows back to a NumPy array."""
        return self.device["get_rows"](rows)

    def get_tree(self, model: Handle, tree: Tree) -> dict[str, np.ndarray]:
        """Copy a tree in the shape of the model's parameters back, without a device's padding."""
        return self._job("get_tree", model)(model, tree)

    def take(self, rows: Rows, index: np.ndarray) -> Rows:
        """The rows with these numbers, int64 [B], as a new array."""
        return self.device["take"](rows, index)

    def synchronize(self) -> None:
        """Wait until everything that was asked for is done; call before reading a clock."""
        self.device["synchronize"]()

    def describe(self) -> dict[str, Any]:
        """Facts about the device, for the row of a measurement."""
        return self.device["describe"]()

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

    def moments(self, model: Handle, positive: Rows, negative: Rows) -> Phases:
        """The contrast of two sets of v: mean of -dE/dparameter over the one minus over the other.

        h is averaged out in both phases: W gets <v p(h|v)>, b gets <v>, c gets <p(h|v)>. Each phase
        is divided by its own number of rows.
        """
        for rows in (positive, negative):
            self._check(rows, model.n_visible, "v")
            if len(rows) == 0:
                raise UserError("the mean over a phase without rows is not defined")
        return self._job("moments", model)(model, positive, negative)

    def pseudolikelihood(
        self, model: Handle, v: Rows, bits: np.ndarray | None = None
    ) -> tuple[Phases, float]:
        """Gradient and mean of the log pseudolikelihood of binary rows (see `models.flips`).

        bits, int64 [B] on the host: only this bit of each row, as an unbiased estimate of all of
        them. `Phases.means` are those of v and p(h|v) over the rows.
        """
        return self._job("pseudolikelihood", model)(model, *self._flips(model, v, bits))

    def ratio_matching(
        self, model: Handle, v: Rows, bits: np.ndarray | None = None
    ) -> tuple[Phases, float]:
        """Gradient and mean of the negative ratio matching loss; arguments as `pseudolikelihood`."""
        return self._job("ratio_matching", model)(model, *self._flips(model, v, bits))

    def exact_gradient(self, model: Handle, v: Rows) -> tuple[Phases, float]:
        """The gradient of the mean log-likelihood of v by enumeration, and log Z in nats."""
        self._check(v, model.n_visible, "v")
        return self._job("exact_gradient", model)(model, v)

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

    def zeros(self, model: Handle) -> Tree:
        """A tree of zeros in the shape of the parameters."""
        return self._job("zeros", model)(model)

    def centre(self, model: Handle, gradient: Tree, means: Tree, offsets: Tree, sliding: float) -> None:
        """Turn a gradient into the centred one, in place (Montavon & Müller 2012).

        offsets <- (1 - sliding) offsets + sliding means (both as `Phases.means`), then with mu, lambda
        the offsets of v and h (Melchior, Fischer & Wiskott 2016, eq. 9 to 11):
        W <- W - mu cᵀ - b lambdaᵀ, b <- b - W lambda, c <- c - Wᵀ mu.
        """
        self._job("centre", model)(gradient, means, offsets, sliding)

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
        Weight decay acts on W alone. False once a bias is NaN or beyond `scalar.LARGEST_PARAMETER`;
        a hidden unit whose weights have become NaN shows in its bias one step later.
        """
        if model.arithmetic == "grid":
            raise UserError("grid arithmetic is for a model that stands still; train in float")
        return self._job("update", model)(model, velocity, gradient, rate, momentum, decay)


def assemble(
    name: str,
    device: Mapping[str, Callable[..., Any]],
    files: Mapping[str, tuple[ModuleType, ...]],
) -> Backend:
    """A backend from its files: for each kind of model those whose JOBS serve it."""
    jobs = {
        (job, kind): function
        for kind, modules in files.items()
        for module in modules
        for job, function in module.JOBS.items()
    }
    return Backend(name, jobs, device)


def load(name: str) -> Backend:
    """Import a backend by name; `UserError` for an unknown one, `Unavailable` with its reason."""
    if name not in BACKENDS:
        raise UserError(f"unknown backend {name!r}; known are {', '.join(BACKENDS)}")
    try:
        return importlib.import_module(f"ebmbench.kernels.{name}").BACKEND
    except ModuleNotFoundError as error:
        if error.name == f"ebmbench.kernels.{name}":
            raise Unavailable(f"backend {name} is not part of this version") from None
        raise Unavailable(f"backend {name} needs the package {error.name}") from None


def state(name: str) -> str:
    """`READY`, or in one sentence why the backend is not to be had here."""
    try:
        load(name)
    except Unavailable as error:
        return str(error)
    return READY
