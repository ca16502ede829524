"""The jobs in plain array code of NumPy or CuPy, float32; the gradients by hand."""

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ebmbench.models.mlp import MLP
from ebmbench.models.rbm import RBM
from ebmbench.peers import Rule, Work
from ebmbench.peers._ising import halves, heard, whole
from ebmbench.scalar import LEAK

Array = Any


def jobs(package: str, wait: Callable[[], Any], host: Callable[[Array], np.ndarray]) -> dict[str, Any]:
    """The jobs by name; host: an array as one of NumPy's."""

    def job(build: Callable[..., Work]) -> Callable[..., Work]:
        return lambda _, *given: build(importlib.import_module(package), wait, host, *given)

    found: dict[str, Any] = {"gibbs": gibbs, "ising": ising, "ais": ais, "sml": sml, "cd": cd, "mlp": mlp}
    found["restore"] = restore
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


def restore(
    xp: Any, wait: Any, host: Any, model: RBM, v: np.ndarray, evidence: np.ndarray, sweeps: int
) -> Work:  # fmt: skip
    """See the package."""
    W, b, c = _on_device(xp, model)
    start, known = xp.asarray(v, xp.float32), xp.asarray(evidence, xp.float32)
    random = xp.random.default_rng(0)
    last: dict[str, Array] = {}

    def run() -> None:
        now, total = start, xp.zeros_like(known)
        for sweep in range(sweeps):
            p = _sigmoid(xp, _draw(xp, random, now @ W + c) @ W.T + b + known)
            now = (random.random(p.shape, dtype=xp.float32) < p).astype(xp.float32)
            if sweep >= sweeps // 2:
                total += p
        last["means"] = total / (sweeps - sweeps // 2)

    return Work(run, wait, lambda: _hosted(host, **last))


def ising(
    xp: Any, wait: Any, host: Any, torus: tuple[int, int], weight: float, bias: float, v: np.ndarray,
    sweeps: int,
) -> Work:  # fmt: skip
    """See the package."""
    colours = [xp.asarray(half, xp.float32) for half in halves(v, *torus)]
    odd = xp.arange(torus[0])[None, :, None] % 2 == 1
    random = xp.random.default_rng(0)

    def run() -> None:
        for _ in range(sweeps):
            for n in (0, 1):
                x = heard(xp.roll, xp.where, odd, colours[1 - n], n == 0)
                x *= xp.float32(weight)
                x += xp.float32(bias)
                colours[n] = _draw(xp, random, x)

    def result() -> dict[str, np.ndarray]:
        found = _hosted(host, first=colours[0], other=colours[1])
        return {"v": whole(**found)}

    return Work(run, wait, result)


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


def _batches(xp: Any, rows: int, batch: int) -> Iterator[Array]:
    """Numbers of rows in a random order, a new one as often as no whole batch is left."""
    shuffle = xp.random.RandomState(0)  # CuPy's Generator cannot permute
    while True:
        order = shuffle.permutation(rows)
        yield from (order[i : i + batch] for i in range(0, rows - batch + 1, batch))


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
    random, batches = xp.random.default_rng(0), _batches(xp, len(data), batch)
    last: dict[str, Array] = {}

    def run() -> None:
        nonlocal W, persistent
        for _ in range(updates):
            positive = data[next(batches)]
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


_ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {  # f(xp, x), and f' from f
    "linear": (lambda xp, x: x, lambda xp, a: 1),
    "relu": (lambda xp, x: xp.maximum(x, 0), lambda xp, a: a > 0),
    "leaky_relu": (
        lambda xp, x: xp.maximum(x, xp.float32(LEAK) * x),
        lambda xp, a: xp.where(a > 0, xp.float32(1), xp.float32(LEAK)),
    ),
    "sigmoid": (_sigmoid, lambda xp, a: a * (1 - a)),
    "tanh": (lambda xp, x: xp.tanh(x), lambda xp, a: 1 - a**2),
}


def mlp(
    xp: Any, wait: Any, host: Any, model: MLP, rows: np.ndarray, labels: np.ndarray, batch: int,
    updates: int, rule: Rule,
) -> Work:  # fmt: skip
    """See the package."""
    parameters = [xp.asarray(x, xp.float32) for x in model.parameters.values()]
    state = [[xp.zeros_like(x) for x in parameters] for _ in range(2)]
    data = xp.asarray(rows, xp.float32)
    targets = xp.asarray(np.eye(model.sizes[-1])[labels], xp.float32)
    kinds = [_ACTIVATIONS[name] for name in model.activations]
    batches = _batches(xp, len(data), batch)
    last: dict[str, Array] = {}
    done = 0

    def climb(place: int, gradient: Array) -> None:
        first, second = (one[place] for one in state)
        if rule.name == "sgd":
            first *= rule.momentum
            first += xp.float32(rule.rate) * gradient
            parameters[place] += first
            return
        first += (1 - rule.beta1) * (gradient - first)
        second += (1 - rule.beta2) * (gradient * gradient - second)
        root = xp.sqrt(second / (1 - rule.beta2**done)) + rule.epsilon
        parameters[place] += rule.rate / (1 - rule.beta1**done) * first / root

    def run() -> None:
        nonlocal done
        for _ in range(updates):
            done += 1
            index = next(batches)
            found, t = [data[index]], targets[index]
            for place, (apply, _) in enumerate(kinds):
                found.append(apply(xp, found[-1] @ parameters[2 * place] + parameters[2 * place + 1]))
            p = xp.exp(found[-1] - found[-1].max(1, keepdims=True))
            delta = (t - p / p.sum(1, keepdims=True)) / xp.float32(batch)
            for place in range(len(kinds) - 1, -1, -1):
                delta = delta * kinds[place][1](xp, found[place + 1])
                below = delta @ parameters[2 * place].T if place else None
                climb(2 * place, found[place].T @ delta)
                climb(2 * place + 1, delta.sum(0))
                delta = below
            last.update(batch=found[0], targets=t)

    return Work(
        run, wait, lambda: _hosted(host, **dict(zip(model.names, parameters, strict=True)), **last)
    )


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
