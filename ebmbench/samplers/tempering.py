"""Parallel tempering: ladders of chains between the base rates and the model, that exchange states.

The warm chains, near the base rates, cross between modes, and exchanges carry what they find down to
the model's own temperature.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models.model import Model
from ebmbench.options import like, require
from ebmbench.randomness import Key, check_seed
from ebmbench.samplers.gibbs import independent


class Ladders(NamedTuple):
    """States v, [ladders temperatures, n_visible] on the device.

    Row l temperatures + t is ladder l's chain at betas[t]. betas: float64 [temperatures]; base: the
    model at beta 0 as in `partition.BaseRates.bias`; key: of the next sweep; accepted, proposed: int64
    [temperatures - 1], exchanges of neighbours so far.
    """

    v: Rows
    betas: np.ndarray
    base: np.ndarray
    key: Key
    accepted: np.ndarray
    proposed: np.ndarray


def spaced(temperatures: int) -> np.ndarray:
    """Inverse temperatures evenly from 0, the base rates themselves, to 1."""
    require(temperatures >= 2, f"parallel tempering needs at least 2 temperatures, not {temperatures}")
    return np.linspace(0.0, 1.0, temperatures)


def start(k: Backend, model: Model, count: int, betas: np.ndarray, base: np.ndarray, key: Key) -> Ladders:
    """`count` ladders whose first states are all drawn from the base rates (see `gibbs.independent`)."""
    require(count >= 1, f"the number of ladders must be at least 1, but is {count}")
    betas = np.asarray(betas, np.float64)
    require(
        betas.ndim == 1 and len(betas) >= 2 and bool((np.diff(betas) > 0).all()) and betas[-1] == 1.0,
        "parallel tempering needs at least 2 inverse temperatures that rise to 1",
    )
    check_seed(key.seed)
    v = independent(k, model, count * len(betas), key, base)
    none = np.zeros(len(betas) - 1, np.int64)
    return Ladders(v, betas, base, key, none, none)


def advance(k: Backend, model: Handle, ladders: Ladders, sweeps: int) -> Ladders:
    """The ladders after `sweeps` sweeps, each followed by exchanges between neighbours."""
    moved = k.temper(model, ladders.base, ladders.betas, ladders.v, sweeps, ladders.key)
    return ladders._replace(
        v=moved.v,
        key=ladders.key.advance(sweeps),
        accepted=ladders.accepted + moved.accepted,
        proposed=ladders.proposed + moved.proposed,
    )


def coldest(k: Backend, ladders: Ladders) -> Rows:
    """The chains at the model's own temperature, [ladders, n_visible]."""
    temperatures = len(ladders.betas)
    return k.take(ladders.v, np.arange(temperatures - 1, len(ladders.v), temperatures))


def swap_rates(ladders: Ladders) -> np.ndarray:
    """The share of accepted exchanges of each pair of neighbours, float64; NaN before the first."""
    with np.errstate(invalid="ignore"):
        return ladders.accepted / ladders.proposed


def saved(k: Backend, ladders: Ladders) -> dict[str, np.ndarray]:
    """Where the ladders stand, on the host."""
    counts = {"accepted": ladders.accepted, "proposed": ladders.proposed}
    return {"v": k.get_rows(ladders.v), "step": np.array(ladders.key.step, np.uint64), **counts}


def restored(k: Backend, ladders: Ladders, arrays: Mapping[str, np.ndarray]) -> Ladders:
    """The ladders where they stood when these arrays were saved."""
    return ladders._replace(
        v=k.put_rows(like("the ladders", arrays["v"], ladders.v.shape)),
        key=ladders.key._replace(step=int(arrays["step"])),
        accepted=arrays["accepted"],
        proposed=arrays["proposed"],
    )
