"""Noise-contrastive estimation (Gutmann & Hyvärinen 2010): data are told from noise of a known law.

Log Z is a parameter that is learned with the others, so the model ends normalised by itself. The noise
is drawn afresh for every batch: from the data's base rates, or from a given RBM whose own log Z can be
enumerated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from ebmbench.estimators._units import check_visible
from ebmbench.kernels.api import Backend, Handle, Rows, Tree
from ebmbench.models.enumerate import draws
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.models.storage import load_binary_model
from ebmbench.options import require
from ebmbench.randomness import START, Key, Stream, uniforms
from ebmbench.samplers.gibbs import Chains, advance

NAME = "nce"
BESIDE = (RBM.kind,)  # the noise
BASE_RATES = "base_rates"

_POOL = 10_000  # draws of a given noise model; a row of noise is one of them after a sweep
_PROPOSALS = 1_000  # rows of noise that the first log Z is estimated with
_LEAST_LOG_Q = -50.0  # nats a unit
_LARGEST_STEP = 1.0  # nats that log Z may move an update, whatever its curvature says


@dataclass(frozen=True)
class Config:
    """ratio: rows of noise for a row of data; noise: `base_rates`, or an RBM's .npz file.

    log_z_rate: the share of a Newton step that the learned log Z takes with every update, in (0, 1].
    """

    ratio: int = 10
    noise: str = BASE_RATES
    log_z_rate: float = 0.1

    def __post_init__(self) -> None:
        require(self.ratio >= 1, f"ratio of estimator {NAME} must be at least 1, but is {self.ratio}")
        require(
            self.noise == BASE_RATES or Path(self.noise).is_file(),
            f"noise of estimator {NAME} must be {BASE_RATES!r} or a model's file, but is {self.noise!r}",
        )
        require(
            0 < self.log_z_rate <= 1,
            f"log_z_rate of estimator {NAME} must lie in (0, 1], but is {self.log_z_rate}",
        )

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"NCE-{self.ratio}" + ("" if self.noise == BASE_RATES else ", model noise")


class Noise(NamedTuple):
    """The noise's model on the device, its log Z in nats, and states to sweep from, drawn from it."""

    model: Handle
    log_z: float
    pool: Rows


class State(NamedTuple):
    """The noise, which does not change, and the learned log Z in nats."""

    noise: Noise
    log_z: float


def init(k: Backend, model: Model, config: Config, key: Key, base: np.ndarray) -> State:
    """The noise, and a first log Z: the noise's mean weight as a proposal of importance sampling.

    `UserError` where the noise gives a state zero probability, or its log Z cannot be enumerated.
    """
    check_visible(model, RBM.visible, NAME)
    require(
        bool(np.isfinite(base).all()), "noise from these base rates gives some states zero probability"
    )
    now = key._replace(stream=Stream.NOISE)
    noise = _noise(k, config, base, now)
    rows = _draw(k, noise, _PROPOSALS, now)
    log_weights = noise.log_z + k.free_energy(noise.model, rows) - k.free_energy(k.put(model), rows)
    return State(noise, float(logsumexp(log_weights) - np.log(_PROPOSALS)))


def _noise(k: Backend, config: Config, base: np.ndarray, key: Key) -> Noise:
    if config.noise == BASE_RATES:
        independent = RBM(np.zeros((len(base), 1)), base, np.zeros(1))
        # Without weights one sweep from anywhere is an independent draw.
        return Noise(k.put(independent), k.log_z(independent), k.put_rows(np.zeros((1, len(base)), int)))
    given = load_binary_model(config.noise)
    require(
        given.n_visible == len(base),
        f"{config.noise} has {given.n_visible} visible units, but the data have {len(base)} columns",
    )
    return Noise(
        k.put(given), k.log_z(given), k.put_rows(draws(given, _POOL, key._replace(stream=Stream.EXACT)))
    )


def _draw(k: Backend, noise: Noise, count: int, key: Key) -> Rows:
    """`count` rows of noise: states of the pool, chosen at random, after a sweep."""
    chosen = uniforms(key, count, 1, START)[:, 0].astype(np.float64) * len(noise.pool)
    return advance(k, noise.model, Chains(k.take(noise.pool, chosen.astype(np.int64)), key), 1).v


def step(
    k: Backend, model: Handle, config: Config, state: State, batch: Rows, key: Key
) -> tuple[Tree, State, dict[str, Any]]:
    """One gradient; see the package's docstring. info["learned_log_z"]: as learned so far, nats."""
    noise = state.noise
    now = key._replace(stream=Stream.NOISE, step=key.step + 1)  # `init` drew at step 0
    rows = _draw(k, noise, config.ratio * len(batch), now)
    log_q = -noise.log_z - k.free_energy(noise.model, batch)
    require(
        float(log_q.max()) > _LEAST_LOG_Q * batch.shape[1],
        "the noise gives the data practically no probability "
        f"({log_q.max():.3g} nats a row at most), so nothing could be learned from it",
    )
    constant = state.log_z + np.log(config.ratio) - noise.log_z
    offsets = [constant + noise.log_z + log_q, constant - k.free_energy(noise.model, rows)]
    found = k.nce(model, batch, rows, *offsets)
    newton = found.log_z / max(found.curvature, 1e-12)
    log_z = state.log_z + config.log_z_rate * float(np.clip(newton, -_LARGEST_STEP, _LARGEST_STEP))
    info = {"means": found.means, "learned_log_z": log_z, "objective": found.value}
    return found.gradient, State(noise, log_z), info


def saved(k: Backend, state: State) -> dict[str, np.ndarray]:
    """The learned log Z; the noise is the same in every run of these settings."""
    return {"log_z": np.array(state.log_z)}


def restored(k: Backend, state: State, arrays: Mapping[str, np.ndarray]) -> State:
    """The state with the log Z that had been learned."""
    return state._replace(log_z=float(arrays["log_z"]))
