"""The fit loop: an estimator's gradients, and where the models that it trains start."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ebmbench import estimators
from ebmbench.kernels.api import Backend, Tree
from ebmbench.models.gaussian_rbm import TREE, GaussianRBM
from ebmbench.models.latent import Latent
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import base_rates
from ebmbench.randomness import Key, Stream, check_seed, normals
from ebmbench.training.ascent import NOT_CENTRED, Diverged
from ebmbench.training.batches import Redraw, Source
from ebmbench.training.initial import check_hidden
from ebmbench.training.sgd import SGD
from ebmbench.training.states import State, joined, part
from ebmbench.training.trainer import Trainer

__all__ = [
    "PRECISIONS", "STARTS", "Diverged", "Fit", "check_units", "initial_gaussian_model", "initial_model",
]  # fmt: skip


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
    check_hidden(n_hidden)
    key = Key(check_seed(seed), Stream.INITIAL_PARAMETERS)
    return scale * normals(key, rows.shape[1], n_hidden)


STARTS = {"binary": initial_model, "gaussian": initial_gaussian_model}
PRECISIONS: dict[str, tuple[str, ...]] = {"learned": (), "fixed": ("log_precision",)}


def check_units(visible: str, precision: str, centred: bool) -> None:
    """`UserError` where a model's visible units, or what is to become of them, is not known."""
    require(visible in STARTS, f"visible must be one of {', '.join(STARTS)}, but is {visible!r}")
    known = ", ".join(PRECISIONS)
    require(precision in PRECISIONS, f"precision must be one of {known}, but is {precision!r}")
    require(visible == "gaussian" or precision == "learned", "binary units have no precision to be fixed")
    require(visible == "binary" or not centred, NOT_CENTRED)


_MANY = 256  # updates asked for at once, whose rates and batches are listed; a backend may do fewer


class Fit(Trainer):
    """One training run of a model that an estimator gives gradients for.

    estimator: a name of `estimators.known()`, with its settings; rows: [n, n_visible] in [0, 1], or
    any numbers where the visible units are Gaussian; fixed: names of parameters that stay as they are,
    such as log_precision; mask: 0 and 1 [n_visible, n_hidden], whose zeros W keeps; redraw: gives, for
    the number of an epoch, the rows on the device that take the place of `rows`, as many and of much the
    same rates. Raises `UserError` for what cannot be.
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
        mask: np.ndarray | None = None,
        redraw: Redraw | None = None,
    ) -> None:
        require(not isinstance(model, Latent), f"a {model.kind} is trained by Joint")
        real = isinstance(model, GaussianRBM)
        for name in fixed:
            known = TREE if real else model.names
            require(name in known, f"fixed must name parameters of {', '.join(known)}, not {name!r}")
        rows = check_rows(rows, model.n_visible, real=real)
        sentence = "rows that are sampled anew each epoch are binary, but the visible units are Gaussian"
        require(redraw is None or not real, sentence)
        self._estimator: ModuleType
        self._estimator, self._config = estimators.find(estimator, settings or {})
        super().__init__(k, model, len(rows), optimiser or SGD(), epochs, batch_size, seed, fixed, mask)
        self._source = Source(k, rows, redraw)
        self._plan: Any = None
        if k.fuses("contrastive_updates", self._ascent.handle):
            self._plan = getattr(self._estimator, "negative", None)  # see `estimators`
        base = base_rates(rows, "data", model.kind).bias
        key = Key(self.seed, 0)
        self._memory = self._estimator.init(k, self._ascent.start, self._config, key, base)

    def _gradient(self) -> tuple[Tree, Tree | None]:
        gradient, self._memory, self._info = self._estimator.step(
            self.k,
            self._ascent.handle,
            self._config,
            self._memory,
            self._shuffled.of(self.done, self._source),
            Key(self.seed, 0, self.done),
        )
        return gradient, self._info["means"]

    def _update_many(self, most: int) -> bool:
        """See `Trainer`: where the principle says what its negative phase does."""
        if self._plan is None:
            return False
        negative = self._plan(self._config, self._memory, Key(self.seed, 0, self.done))
        batches = self._shuffled.several(self.done, min(most, _MANY), self._source)
        found = self._ascent.climb_many(batches, negative) if negative else None
        if found is None:
            self._plan = None  # at the next update the answer would be the same
            return False
        v, done = found
        self._memory = self._estimator.after(self._config, self._memory, v, done)
        self._info = {}
        return True

    def state(self) -> State:
        """See `Trainer`; with what the estimator keeps."""
        kept = {} if self._memory is None else self._estimator.saved(self.k, self._memory)
        return super().state() | joined(estimator=kept)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """See `Trainer`."""
        super().restore(state)
        if self._memory is not None:
            kept = part(state, "estimator")
            self._memory = self._estimator.restored(self.k, self._memory, kept)
