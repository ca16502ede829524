"""The fit loop: an estimator's gradients, an optimiser's updates, batches in a fixed random order.

A `Fit` does exactly the updates it is asked for and nothing else, so that whoever holds the clock
can stop it in between to look at the model.
"""

from types import ModuleType
from typing import Any

import numpy as np

from ebmbench import estimators
from ebmbench.errors import NotFinite
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models.gaussian_rbm import TREE, GaussianRBM
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import base_rates
from ebmbench.randomness import Key, Stream, check_seed, normals
from ebmbench.scalar import LARGEST_PARAMETER
from ebmbench.training.batches import Batches
from ebmbench.training.sgd import CENTRING_SLIDING, SGD


class Diverged(ArithmeticError):
    """A parameter is NaN or beyond `LARGEST_PARAMETER`; the text names the update."""


def initial_model(rows: np.ndarray, n_hidden: int, seed: int, scale: float = 0.01) -> RBM:
    """W from a normal of standard deviation `scale`, b at the data's base rates, c = 0.

    Hinton 2012, "A practical guide to training restricted Boltzmann machines", section 8.
    """
    W = _initial_weights(check_rows(rows), n_hidden, seed, scale)
    return RBM(W, base_rates(rows, "data").bias, np.zeros(n_hidden))


def initial_gaussian_model(
    rows: np.ndarray, n_hidden: int, seed: int, scale: float = 0.01
) -> GaussianRBM:
    """As `initial_model` for real rows: b and precision are the columns' (see `base_rates`).

    W is in units of the columns' standard deviations, and c such that a hidden unit's input is zero
    on average, so that neither the data's units nor their mean decide how units start.
    """
    W = _initial_weights(check_rows(rows, real=True), n_hidden, seed, scale)
    mean, precision = base_rates(rows, "data", GaussianRBM.kind).bias
    W /= np.sqrt(precision)[:, None]
    return GaussianRBM(W, mean, -((mean * precision) @ W), precision)


def _initial_weights(rows: np.ndarray, n_hidden: int, seed: int, scale: float) -> np.ndarray:
    require(n_hidden >= 1, f"the number of hidden units must be at least 1, but is {n_hidden}")
    key = Key(check_seed(seed), Stream.INITIAL_PARAMETERS)
    return scale * normals(key, rows.shape[1], n_hidden)


STARTS = {"binary": initial_model, "gaussian": initial_gaussian_model}
PRECISIONS: dict[str, tuple[str, ...]] = {"learned": (), "fixed": ("log_precision",)}


def check_units(visible: str, precision: str) -> None:
    """`UserError` where a model's visible units or what becomes of their precision is not known."""
    require(visible in STARTS, f"visible must be one of {', '.join(STARTS)}, but is {visible!r}")
    known = ", ".join(PRECISIONS)
    require(precision in PRECISIONS, f"precision must be one of {known}, but is {precision!r}")
    require(visible == "gaussian" or precision == "learned", "binary units have no precision to be fixed")


class Fit:
    """One training run on one backend.

    estimator: a name of `estimators.known()`, with its settings; rows: [n, n_visible] in [0, 1], or
    any numbers where the visible units are Gaussian; epochs decides the length of the run and of its
    schedule; fixed: names of parameters that stay as they are, such as log_precision. Raises
    `UserError` for what cannot be.
    """

    def __init__(
        self,
        k: Backend,
        model: Model,
        rows: np.ndarray,
        estimator: str,
        settings: dict[str, Any] | None = None,
        optimiser: SGD | None = None,
        epochs: int = 10,
        batch_size: int = 100,
        seed: int = 0,
        fixed: tuple[str, ...] = (),
    ) -> None:
        require(epochs >= 1, f"the number of epochs must be at least 1, but is {epochs}")
        real = isinstance(model, GaussianRBM)
        for name in fixed:
            known = TREE if real else model.names
            require(name in known, f"fixed must name parameters of {', '.join(known)}, not {name!r}")
        rows = check_rows(rows, model.n_visible, real=real)
        self.k = k
        self._fixed = fixed
        self.optimiser = optimiser or SGD()
        self.seed = check_seed(seed)
        self._shuffled = Batches(k, len(rows), batch_size, seed)
        self.batch_size, self.batches = self._shuffled.size, self._shuffled.count
        self.steps = epochs * self.batches
        self.done = 0
        self.info: dict[str, Any] = {}  # what the estimator said at the last update
        self._estimator: ModuleType
        self._estimator, self._config = estimators.find(estimator, settings or {})
        self._rows: Rows = k.put_rows(rows)
        self._model: Handle = k.put(model)
        self._velocity = k.zeros(self._model)
        self._offsets = k.zeros(self._model) if self.optimiser.centred else None
        base = base_rates(rows, "data", model.kind).bias
        self._state = self._estimator.init(k, model, self._config, Key(self.seed, 0), base)

    @property
    def model(self) -> Any:
        """The model as it stands, on the host; raises `Diverged` where it has left all bounds."""
        try:
            model = self.k.get(self._model)
        except NotFinite as error:
            raise Diverged(f"{error} after {self.done} updates") from None
        if any(np.abs(getattr(model, name)).max() > LARGEST_PARAMETER for name in model.names):
            raise self._diverged()
        return model

    def _diverged(self) -> Diverged:
        return Diverged(f"a parameter is not within ±{LARGEST_PARAMETER:g} after {self.done} updates")

    def advance(self, updates: int) -> None:
        """Do this many updates; raises `Diverged` where a parameter leaves all bounds.

        `UserError` beyond the planned number, where the schedule has no rate.
        """
        require(
            self.done + updates <= self.steps,
            f"the fit was planned for {self.steps} updates, so {self.done + updates} are too many",
        )
        for _ in range(updates):
            self._update()

    def _update(self) -> None:
        """One update; a function of its own, so that nothing of it is still there at the next."""
        batch = self._shuffled.take(self.done, self._rows)
        key = Key(self.seed, 0, self.done)
        try:
            gradient, self._state, self.info = self._estimator.step(
                self.k, self._model, self._config, self._state, batch, key
            )
        except NotFinite as error:
            raise Diverged(f"{error} after {self.done} updates") from None
        if self._offsets is not None:
            sliding = CENTRING_SLIDING if self.done else 1.0
            self.k.centre(self._model, gradient, self.info["means"], self._offsets, sliding)
        gradient = {name: x for name, x in gradient.items() if name not in self._fixed}
        rate = self.optimiser.rate_at(self.done, self.steps)
        healthy = self.k.update(
            self._model,
            self._velocity,
            gradient,
            rate,
            self.optimiser.momentum,
            self.optimiser.decay,
        )
        self.done += 1
        if not healthy:
            raise self._diverged()
