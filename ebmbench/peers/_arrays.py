"""The jobs in plain array code of NumPy or CuPy, float32; the gradients by hand."""

import importlib
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Work

Array = Any


def jobs(package: str, wait: Callable[[], Any], host: Callable[[Array], np.ndarray]) -> dict[str, Any]:
    """The jobs by name; host: an array as one of NumPy's."""

    def job(build: Callable[..., Work]) -> Callable[..., Work]:
        return lambda _, *given: build(importlib.import_module(package), wait, host, *given)

    found: dict[str, Any] = {"gibbs": gibbs, "ais": ais, "sml": sml, "cd": cd}
    found |= {name: partial(flips, objective=name) for name in _OBJECTIVES}
    return {name: job(build) for name, build in found.items()}


def _on_device(xp: Any, model: RBM) -> list[Array]:
    return [xp.asarray(x, xp.float32) for x in (model.W, model.b, model.c)]


def _sigmoid(xp: Any, x: Array) -> Array:
    return 1 / (1 + xp.exp(-x))


def _softplus(xp: Any, x: Array) -> Array:  # NumPy vectorises this, but not logaddexp
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def _draw(xp: Any, random: Any, x: Array) -> Array:
    return (random.random(x.shape, dtype=xp.float32) < _sigmoid(xp, x)).astype(xp.float32)


def _hosted(host: Callable[[Array], np.ndarray], **arrays: Array) -> dict[str, np.ndarray]:
    return {name: np.asarray(host(x), np.float64) for name, x in arrays.items()}


def gibbs(xp: Any, wait: Any, host: Any, model: RBM, v: np.ndarray, sweeps: int) -> Work:
    """See the package."""
    W, b, c = _on_device(xp, model)
    random = xp.random.default_rng(0)
    chains = {"v": xp.asarray(v, xp.float32)}

    def run() -> None:
        for _ in range(sweeps):
            chains["h"] = _draw(xp, random, chains["v"] @ W + c)
            chains["v"] = _draw(xp, random, chains["h"] @ W.T + b)

    return Work(run, wait, lambda: _hosted(host, **chains))


def ais(
    xp: Any, wait: Any, host: Any, model: RBM, bias: np.ndarray, betas: np.ndarray, chains: int
) -> Work:  # fmt: skip
    """See the package; the weights in float64."""
    W, b, c = _on_device(xp, model)
    base = xp.asarray(bias, xp.float32)
    random = xp.random.default_rng(0)
    last: dict[str, Array] = {}

    def run() -> None:
        v = _draw(xp, random, xp.broadcast_to(base, (chains, len(base))))
        log_weights = xp.zeros(chains)
        for before, beta in pairwise(map(float, betas)):
            x = v @ W + c
            log_weights += (beta - before) * (v @ (b - base))
            log_weights += (_softplus(xp, beta * x) - _softplus(xp, before * x)).sum(1)
            h = _draw(xp, random, beta * x)
            v = _draw(xp, random, beta * (h @ W.T + b) + (1 - beta) * base)
        last.update(log_weights=log_weights, v=v)

    return Work(run, wait, lambda: _hosted(host, **last))


def sml(
    xp: Any, wait: Any, host: Any, model: RBM, rows: np.ndarray, chains: np.ndarray, batch: int,
    updates: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(xp, wait, host, model, rows, chains, batch, updates, 1, rate, momentum)


def cd(
    xp: Any, wait: Any, host: Any, model: RBM, rows: np.ndarray, batch: int, updates: int, k: int,
    rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(xp, wait, host, model, rows, None, batch, updates, k, rate, momentum)


def _train(
    xp: Any, wait: Any, host: Any, model: RBM, rows: np.ndarray, chains: np.ndarray | None, batch: int,
    updates: int, sweeps: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """Batches in a random order, momentum, updates in place; without chains they start at the batch."""
    parameters = _on_device(xp, model)
    W, b, c = parameters
    velocity, product = [xp.zeros_like(x) for x in parameters], xp.empty_like(W)
    data = xp.asarray(rows, xp.float32)
    persistent = None if chains is None else xp.asarray(chains, xp.float32)
    # CuPy's Generator cannot permute; its RandomState can.
    random, shuffle = xp.random.default_rng(0), xp.random.RandomState(0)
    order: Any = iter(())
    last: dict[str, Array] = {}

    def run() -> None:
        nonlocal W, persistent, order
        for _ in range(updates):
            index = next(order, None)
            if index is None:
                shuffled = shuffle.permutation(len(data))
                order = (shuffled[i : i + batch] for i in range(0, len(data) - batch + 1, batch))
                index = next(order)
            positive = data[index]
            p_data = _sigmoid(xp, positive @ W + c)
            v = positive if persistent is None else persistent
            for _ in range(sweeps):
                h = _draw(xp, random, v @ W + c)
                v = _draw(xp, random, h @ W.T + b)
            if persistent is not None:
                persistent = v
            p_model = _sigmoid(xp, v @ W + c)
            # Rates go into the small factors, and products of the size of W into one array that is kept.
            velocity[0] *= momentum
            for rows_of, p in ((positive, p_data), (v, -p_model)):
                p_scaled = p * xp.float32(rate / len(rows_of))
                velocity[0] += xp.matmul(rows_of.T, p_scaled, out=product)
            W += velocity[0]
            gradient = positive.mean(0) - v.mean(0), p_data.mean(0) - p_model.mean(0)
            for parameter, speed, g in zip((b, c), velocity[1:], gradient, strict=True):
                speed *= momentum
                speed += xp.float32(rate) * g
                parameter += speed
            last.update(batch=positive, chains=v, h=h)

    return Work(run, wait, lambda: _hosted(host, W=W, b=b, c=c, **last))


def _pseudolikelihood(xp: Any, d: Array) -> tuple[Array, Array]:
    return -_softplus(xp, -d), _sigmoid(xp, -d)


def _ratio_matching(xp: Any, d: Array) -> tuple[Array, Array]:
    g = _sigmoid(xp, -d)
    return -(g**2), 2 * g**2 * (1 - g)


_OBJECTIVES = {"pseudolikelihood": _pseudolikelihood, "ratio_matching": _ratio_matching}


def flips(xp: Any, wait: Any, host: Any, model: RBM, v: np.ndarray, objective: str) -> Work:
    """See the package; all flips of all rows at once, an array [rows, n_visible, n_hidden]."""
    W, b, c = _on_device(xp, model)
    v = xp.asarray(v, xp.float32)
    last: dict[str, Array] = {}

    def run() -> None:
        x = v @ W + c
        sign = 1 - 2 * v
        moved = x[:, None, :] + sign[:, :, None] * W
        d = -sign * b - (_softplus(xp, moved) - _softplus(xp, x)[:, None, :]).sum(2)
        value, a = _OBJECTIVES[objective](xp, d)
        flipped = _sigmoid(xp, moved)
        # Sums over units and over rows as products, which a BLAS does; einsum would not.
        over_units = (a[:, None, :] @ flipped)[:, 0]
        over_rows = ((a * sign).T[:, None, :] @ flipped.transpose(1, 0, 2))[:, 0]
        change = over_units - a.sum(1, keepdims=True) * _sigmoid(xp, x)
        gradient = -over_rows - v.T @ change
        last.update(value=value.sum(1).mean(), W=gradient / len(v))
        last.update(b=-(a * sign).mean(0), c=-change.mean(0))

    return Work(run, wait, lambda: _hosted(host, **last))
