"""Lower bounds on the log-likelihood where hidden units are tied to each other: E_q[log p(v, h)] + H(q).

In nats a row. Each is a part that is the rows' own, less one log Z: that of a DBN's top RBM, of a whole
DBM, which is the RBM of its even and odd layers, or of a whole general Boltzmann machine. Log Z comes by
any method for such models, and a bound is one only as far as that is right: annealed importance sampling
errs low, and the bound is then too high. So a bound always says its log Z, and `bounds` takes several
methods that check each other, as `sandwich` does.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ebmbench.evaluation import sandwich
from ebmbench.evaluation.likelihood import Likelihood
from ebmbench.kernels.api import Backend
from ebmbench.models import bernoulli, dbn
from ebmbench.models.dbn import DBN
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.latent import Latent, variational
from ebmbench.models.model import Model
from ebmbench.models.rows import check_rows, check_states
from ebmbench.options import require
from ebmbench.partition import BaseRates, base_rates
from ebmbench.randomness import Key, Stream, check_seed
from ebmbench.samplers.meanfield import augmented
from ebmbench.samplers.recognition import upwards

SAMPLES = 10
Bounded = DBN | Latent
_BLOCK = 1000  # rows whose layers are held at a time


@dataclass(frozen=True, eq=False)
class Bound(Likelihood):
    """values: the bound of each row, nats, float64 [n]; seconds: the estimate of log Z.

    sampling_error: standard error of the mean from the draws of hidden layers that the rows' part is
    estimated with, nats; 0 where there are none, as by mean field or of a DBN of one layer. The error of
    log Z comes on top, and is log_z's.
    """

    sampling_error: float

    what: ClassVar[str] = "bound"

    @property
    def excess(self) -> float:
        """As of log-likelihoods, of which bounds tell no more; -inf where rows' parts are estimates."""
        return -math.inf if self.sampling_error else super().excess

    @property
    def std_error(self) -> float:
        """Of the mean, from both, nats."""
        return float(np.hypot(self.sampling_error, self.log_z.std_error))


def lower_bound(
    k: Backend,
    model: Bounded,
    rows: np.ndarray,
    method: str = "ais",
    settings: dict[str, Any] | None = None,
    base: BaseRates | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Bound:
    """The bound of a DBN with q drawn upwards, `samples` times a row; of one layer the log-likelihood.

    Of a DBM or a general Boltzmann machine with q by mean field (Salakhutdinov & Hinton 2009, eq. 5).
    rows: [n, n_visible], as `evaluate` takes them; method, settings: see `partition`; base: where
    annealing of what is `normalised` starts, see `base_of`, by default from these rows; but for a DBN's
    `base_rates` of rows v do, too.
    """
    return next(bounds(k, model, rows, [method], settings, base, samples, seed))


def bounds(
    k: Backend,
    model: Bounded,
    rows: np.ndarray,
    methods: list[str] | None = None,
    settings: dict[str, Any] | None = None,
    base: BaseRates | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    now: Callable[[str], None] = lambda text: None,
) -> Iterator[Bound]:
    """The bound with log Z by each method in turn; by default those of `sandwich`.

    samples: draws of a DBN's hidden layers a row; now: told what is being computed.
    """
    require(isinstance(model, Bounded), f"a {model.kind} needs no lower bound: see evaluate")
    rows = checked(rows, model)
    check_seed(seed)
    require(samples >= 2, f"an error needs at least 2 samples of a row's layers, not {samples}")
    now("the rows' part of the bound")
    base = base or base_of(k, model, rows, "the rows given", seed)
    if not isinstance(model, DBN) and np.shape(base.bias) == (model.n_visible,):
        base = _of_all(model, base)
    if isinstance(model, DBN):
        values, variances = _dbn_rows(k, model, rows, samples, seed)
    else:
        values, variances = _variational_rows(k, model, rows), np.zeros(len(rows))
    sampling_error = float(np.sqrt(variances.sum()) / len(rows))
    real = isinstance(model, DBN) and isinstance(model.layers[0], GaussianRBM)
    for log_z, seconds in sandwich.log_zs(k, normalised(model), methods, settings, base, seed, now):
        yield Bound(values - log_z.log_z, log_z, seconds, sampling_error, density=real)


def normalised(model: Bounded) -> Model:
    """The model whose log Z the bound takes."""
    return model.layers[-1] if isinstance(model, DBN) else model.whole


def checked(rows: np.ndarray, model: Bounded) -> np.ndarray:
    """Rows to which the model gives a probability, or a density; `UserError` where it does not."""
    if isinstance(model, DBN):
        return check_states(rows, model.layers[0])
    return check_rows(rows, model.n_visible, binary=True)


def base_of(k: Backend, model: Bounded, rows: np.ndarray, source: str, seed: int = 0) -> BaseRates:
    """Where annealing of `normalised(model)` starts, from rows v: better training rows than others.

    A DBN: the rates of the top RBM's visible layer, drawn upwards once. Else those of v, and of the
    whole's other units the model's own biases. source: names the rows.
    """
    if not isinstance(model, DBN):
        return _of_all(model, base_rates(rows, f"base rates of {source}"))
    below, top = model.layers[:-1], model.layers[-1]
    if not below:
        return base_rates(rows, f"base rates of {source}", top.kind)
    key = Key(seed, Stream.SAMPLES)
    drawn = k.get_rows(upwards(k, [k.put(layer) for layer in below], k.put_rows(rows), key))
    return base_rates(drawn, f"rates of layer {len(below)} given {source}")


def _of_all(model: Latent, base: BaseRates) -> BaseRates:
    """Base rates of v, and of the whole's other units the model's own biases."""
    own = model.whole.b[model.n_visible :]
    told = f"{base.source} and the model's biases" if own.size else base.source
    return BaseRates(np.concatenate([base.bias, own]), told)


def _variational_rows(k: Backend, model: Latent, rows: np.ndarray) -> np.ndarray:
    """The bound on log p(v) + log Z by mean field, [n]."""
    found = np.empty(len(rows))
    for first in range(0, len(rows), _BLOCK):
        here = slice(first, first + _BLOCK)
        means = augmented(k, model, rows[here]).astype(np.float64)
        found[here] = variational(model, means)
    return found


def _dbn_rows(
    k: Backend, model: DBN, rows: np.ndarray, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The bound on log p(v) + log Z of the top RBM, a mean over draws of q; its variance; both [n]."""
    handles = [k.put(layer) for layer in model.layers]
    samples = samples if len(handles) > 1 else 1
    values = np.empty((samples, len(rows)))
    for first in range(0, len(rows), _BLOCK):
        here = slice(first, first + _BLOCK)
        for sample in range(samples):
            key = Key(seed, Stream.SAMPLES, (sample + 1) * len(handles), first)
            values[sample, here] = _drawn(k, model, handles, rows[here], key)
    if len(handles) == 1:
        return values[0], np.zeros(len(rows))
    return values.mean(axis=0), values.var(axis=0, ddof=1) / samples


def _drawn(k: Backend, model: DBN, handles: list[Any], rows: np.ndarray, key: Key) -> np.ndarray:
    """log p(v|h^1) + ... - F(h^{L-1}) + H(q) with one draw of q a row, [B].

    The entropy of a layer given the one below is known; only the draw that it is given is random.
    """
    total = np.zeros(len(rows))
    states, v = k.put_rows(rows), rows.astype(np.float64)
    for n, (layer, handle) in enumerate(zip(model.layers[:-1], handles, strict=False)):
        total += bernoulli.entropy(k.hidden_input(handle, states).astype(np.float64))
        states = k.sample_hidden(handle, states, key.advance(n))
        total += dbn.log_given(layer, k.visible_input(handle, states).astype(np.float64), v)
        v = k.get_rows(states).astype(np.float64)
    return total - k.free_energy(handles[-1], states)
