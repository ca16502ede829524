"""Few chains that are looked at after every sweep: on-rates, flip rates, effective samples a draw."""

from typing import Any

import numpy as np

from ebmbench.errors import Unavailable
from ebmbench.evaluation import diagnostics
from ebmbench.harness.interleaved import Limit
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.randomness import Key

CHAINS = 8
# Autocorrelation times below which an estimate of one is not trusted (Foreman-Mackey et al. 2013).
_LONG = 50


def followed(
    k: Backend, handle: Handle, v: Rows, burn_in: int, sweeps: int, key: Key, limit: Limit
) -> dict[str, Any]:
    """What a row says of so many sweeps of the chains v, after a burn-in.

    visible_on_rate, hidden_on_rate: shares of units that are on; visible_flip_rate, hidden_flip_rate: of
    units that differ from the sweep before; ess_per_draw: the smaller effective sample size of the free
    energy and of the number of active visible units over the number of draws, or None with ess_reason.
    """
    v, h = k.gibbs(handle, v, burn_in, key)
    key = key.advance(burn_in)
    last = k.get_rows(v), k.get_rows(h)
    on, flips = np.zeros(2), np.zeros(2)
    statistics = np.empty((2, len(last[0]), sweeps))
    for sweep in range(sweeps):
        limit.check(f"after {sweep} of {sweeps} recorded sweeps")
        v, h = k.gibbs(handle, v, 1, key)
        key = key.advance(1)
        now = k.get_rows(v), k.get_rows(h)
        on += [layer.mean() for layer in now]
        flips += [(a != b).mean() for a, b in zip(now, last, strict=True)]
        statistics[:, :, sweep] = k.free_energy(handle, v), now[0].sum(axis=1)
        last = now
    names = ("visible_on_rate", "hidden_on_rate", "visible_flip_rate", "hidden_flip_rate")
    shares = np.concatenate([on, flips]) / sweeps
    return dict(zip(names, shares.tolist(), strict=True)) | effective(statistics)


def effective(statistics: np.ndarray) -> dict[str, Any]:
    """`ess_per_draw` of statistics [kinds, chains, sweeps], or the reason why it is not known."""
    _, chains, sweeps = statistics.shape
    if not np.ptp(statistics, axis=2).any(axis=1).all():
        reason = f"nothing changed in {sweeps:,} recorded sweeps"
        return {"ess_per_draw": None, "ess_reason": reason}
    try:
        ess = np.min([diagnostics.effective_sample_size(one) for one in statistics])  # NaN stays NaN
    except Unavailable as error:  # a package that rates need not wait for
        return {"ess_per_draw": None, "ess_reason": str(error)}
    if not ess > 0:
        reason = f"{sweeps:,} recorded sweeps give no autocorrelation time"
        return {"ess_per_draw": None, "ess_reason": reason}
    time = chains * sweeps / ess
    if _LONG * time > sweeps:
        reason = (
            f"{sweeps:,} recorded sweeps are fewer than {_LONG} autocorrelation times of about {time:.0f}"
        )
        return {"ess_per_draw": None, "ess_reason": reason}
    return {"ess_per_draw": float(1 / time), "ess_reason": None}
