"""JAX: each piece of work is one compiled program, sweeps and updates in its scan.

Which of its generators of random numbers is the fastest depends on the processor.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ebmbench.errors import Unavailable
from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work
from ebmbench.peers._ising import halves, heard, whole

NAME = "jax"
PACKAGE = "jax"
DEVICES = ("cpu", "cuda")
PRECISIONS = ("float32", "bfloat16")


def settings(place: Place) -> dict[str, tuple]:
    """What is tried; see the package."""
    return {"rng": ("threefry2x32", "rbg")}


def missing(place: Place) -> str | None:
    """Why JAX cannot run at this place, or None."""
    jax = importlib.import_module(PACKAGE)
    found = jax.default_backend()
    wanted = {"cuda": "gpu"}.get(place.device, place.device)
    return None if found == wanted else f"computes on {found} here, not on {place.device}"


def _arrays(place: Place, *arrays: np.ndarray) -> list[Any]:
    jnp = importlib.import_module("jax.numpy")
    return [jnp.asarray(x, getattr(jnp, place.precision)) for x in arrays]


def work(advance: Callable[[Any], Any], state: Any, shown: Callable[[Any], dict[str, Any]]) -> Work:
    """Pieces that follow each other; shown: a state's arrays by name."""
    jax = importlib.import_module(PACKAGE)
    last = [state]

    def run() -> None:
        last[0] = advance(last[0])

    def result() -> dict[str, np.ndarray]:
        return {name: np.asarray(x, np.float64) for name, x in shown(last[0]).items()}

    return Work(run, lambda: jax.block_until_ready(last[0]), result)


def _sampler() -> tuple[Callable, Callable]:
    """draw(key, x): units of pre-activations x; sweeps(count, parameters, key, v): v and h after them."""
    jax = importlib.import_module(PACKAGE)

    def draw(key: Any, x: Any) -> Any:
        return (jax.random.uniform(key, x.shape, x.dtype) < jax.nn.sigmoid(x)).astype(x.dtype)

    def sweeps(count: int, parameters: Any, key: Any, v: Any) -> Any:
        W, b, c = parameters

        def sweep(states: Any, key: Any) -> Any:
            first, second = jax.random.split(key)
            h = draw(first, states[0] @ W + c)
            return (draw(second, h @ W.T + b), h), None

        start = v, jax.numpy.zeros((len(v), len(c)), v.dtype)
        keys = jax.random.split(key, count)
        return jax.lax.scan(sweep, start, keys)[0]

    return draw, sweeps


def gibbs(place: Place, model: RBM, v: np.ndarray, sweeps: int, rng: str) -> Work:
    """See the package."""
    jax = importlib.import_module(PACKAGE)
    parameters = _arrays(place, model.W, model.b, model.c)
    _, several = _sampler()

    @partial(jax.jit, donate_argnums=1)
    def advance(parameters: Any, state: Any) -> Any:
        following, key = jax.random.split(state["key"])
        v, h = several(sweeps, parameters, key, state["v"])
        return {"key": following, "v": v, "h": h}

    start = {"key": jax.random.key(0, impl=rng), "v": _arrays(place, v)[0]}
    start["h"] = jax.numpy.zeros((len(v), model.n_hidden), start["v"].dtype)
    return work(partial(advance, parameters), start, lambda s: {"v": s["v"], "h": s["h"]})


def restore(
    place: Place, model: RBM, v: np.ndarray, evidence: np.ndarray, sweeps: int, rng: str
) -> Work:  # fmt: skip
    """See the package."""
    jax = importlib.import_module(PACKAGE)
    W, b, c, start, known = _arrays(place, model.W, model.b, model.c, v, evidence)
    draw, _ = _sampler()

    @jax.jit
    def advance(given: Any, state: Any) -> Any:
        W, b, c, start, known = given
        following, key = jax.random.split(state["key"])

        def sweep(carried: Any, turn: Any) -> Any:
            v, total = carried
            weight, key = turn
            first, second = jax.random.split(key)
            x = draw(first, v @ W + c) @ W.T + b + known
            total += weight * jax.nn.sigmoid(x).astype(total.dtype)
            return (draw(second, x), total), None

        counts = (jax.numpy.arange(sweeps) >= sweeps // 2).astype("float32")
        begun = start, jax.numpy.zeros(start.shape, "float32")
        keys = jax.random.split(key, sweeps)
        (_, total), _ = jax.lax.scan(sweep, begun, (counts, keys))
        return {"key": following, "means": total / (sweeps - sweeps // 2)}

    begin = {"key": jax.random.key(0, impl=rng), "means": jax.numpy.zeros(start.shape)}
    return work(partial(advance, (W, b, c, start, known)), begin, lambda s: {"means": s["means"]})


def ising(
    place: Place, torus: tuple[int, int], weight: float, bias: float, v: np.ndarray, sweeps: int, rng: str
) -> Work:
    """See the package."""
    jax = importlib.import_module(PACKAGE)
    jnp = jax.numpy
    draw, _ = _sampler()
    odd = jnp.arange(torus[0])[None, :, None] % 2 == 1

    @partial(jax.jit, donate_argnums=0)
    def advance(state: Any) -> Any:
        following, key = jax.random.split(state["key"])

        def sweep(colours: Any, key: Any) -> Any:
            first, other = colours
            one, two = jax.random.split(key)
            first = draw(one, weight * heard(jnp.roll, jnp.where, odd, other, True) + bias)
            return (first, draw(two, weight * heard(jnp.roll, jnp.where, odd, first, False) + bias)), None

        start = state["first"], state["other"]
        first, other = jax.lax.scan(sweep, start, jax.random.split(key, sweeps))[0]
        return {"key": following, "first": first, "other": other}

    first, other = _arrays(place, *halves(v, *torus))
    start = {"key": jax.random.key(0, impl=rng), "first": first, "other": other}
    made = work(advance, start, lambda s: {"first": s["first"], "other": s["other"]})
    return made._replace(result=lambda: {"v": whole(**made.result())})


def ais(place: Place, model: RBM, bias: np.ndarray, betas: np.ndarray, chains: int, rng: str) -> Work:
    """See the package; in float32 alone, as bfloat16 does not tell one temperature from the next."""
    if place.precision != "float32":
        raise Unavailable(f"peer {NAME} anneals in float32, not in {place.precision}")
    jax = importlib.import_module(PACKAGE)
    W, b, c, base = _arrays(place, model.W, model.b, model.c, bias)
    pairs = _arrays(place, np.stack([betas[:-1], betas[1:]], axis=1))[0]
    draw, _ = _sampler()

    @jax.jit
    def advance(state: Any) -> Any:
        following, first, key = jax.random.split(state["key"], 3)

        def step(carried: Any, given: Any) -> Any:
            v, log_weights = carried
            (before, beta), key = given
            one, other = jax.random.split(key)
            x = v @ W + c
            log_weights += (beta - before) * (v @ (b - base))
            log_weights += (jax.nn.softplus(beta * x) - jax.nn.softplus(before * x)).sum(1)
            h = draw(one, beta * x)
            return (draw(other, beta * (h @ W.T + b) + (1 - beta) * base), log_weights), None

        v = draw(first, jax.numpy.broadcast_to(base, (chains, len(base))))
        start = v, jax.numpy.zeros(chains, v.dtype)
        found = jax.lax.scan(step, start, (pairs, jax.random.split(key, len(pairs))))[0]
        return {"key": following, "log_weights": found[1]}

    key = jax.random.key(0, impl=rng)
    start = {"key": key, "log_weights": jax.numpy.zeros(chains)}
    return work(advance, start, lambda state: {"log_weights": state["log_weights"]})


def sml(
    place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray, batch: int, updates: int,
    rate: float, momentum: float, rng: str,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(place, model, rows, chains, batch, updates, 1, rate, momentum, rng)


def cd(
    place: Place, model: RBM, rows: np.ndarray, batch: int, updates: int, k: int, rate: float,
    momentum: float, rng: str,
) -> Work:  # fmt: skip
    """See the package."""
    return _train(place, model, rows, None, batch, updates, k, rate, momentum, rng)


def _train(
    place: Place, model: RBM, rows: np.ndarray, chains: np.ndarray | None, batch: int, updates: int,
    sweeps: int, rate: float, momentum: float, rng: str,
) -> Work:  # fmt: skip
    """Batches in a random order, momentum; without chains they start at the batch."""
    jax = importlib.import_module(PACKAGE)
    jnp = jax.numpy
    (data,) = _arrays(place, rows)
    _, several = _sampler()
    order = np.random.default_rng(0)

    def update(state: Any, index: Any) -> Any:
        following, key = jax.random.split(state["key"])
        W, _, c = state["model"]
        positive = data[index]
        p_data = jax.nn.sigmoid(positive @ W + c)
        start = positive if chains is None else state["chains"]
        v, h = several(sweeps, state["model"], key, start)
        p_model = jax.nn.sigmoid(v @ W + c)
        gradient = (
            positive.T @ p_data / batch - v.T @ p_model / len(v),
            positive.mean(0) - v.mean(0),
            p_data.mean(0) - p_model.mean(0),
        )
        speed = [momentum * s + rate * g for s, g in zip(state["speed"], gradient, strict=True)]
        moved = [x + s for x, s in zip(state["model"], speed, strict=True)]
        new = {"key": following, "model": moved, "speed": speed, "chains": v, "h": h}
        return new | {"batch": positive}, None

    @partial(jax.jit, donate_argnums=0)
    def several_updates(state: Any, indices: Any) -> Any:
        return jax.lax.scan(update, state, indices)[0]

    epoch: Any = iter(())

    def advance(state: Any) -> Any:
        nonlocal epoch
        indices: list[np.ndarray] = []
        while len(indices) < updates:
            index = next(epoch, None)
            if index is None:
                shuffled = order.permutation(len(rows))[: len(rows) // batch * batch]
                epoch = iter(shuffled.reshape(-1, batch))
            else:
                indices.append(index)
        return several_updates(state, np.stack(indices))

    parameters = _arrays(place, model.W, model.b, model.c)
    start = {
        "key": jax.random.key(0, impl=rng), "model": parameters,
        "speed": [jnp.zeros_like(x) for x in parameters],
        "chains": jnp.array(data[:batch] if chains is None else _arrays(place, chains)[0]),
        "h": jnp.zeros((batch if chains is None else len(chains), model.n_hidden), data.dtype),
        "batch": jnp.array(data[:batch]),
    }  # fmt: skip

    def shown(state: Any) -> dict[str, Any]:
        arrays = {name: state[name] for name in ("batch", "chains", "h")}
        return dict(zip("Wbc", state["model"], strict=True)) | arrays

    return work(advance, start, shown)


JOBS = {"gibbs": gibbs, "restore": restore, "ising": ising, "ais": ais, "sml": sml, "cd": cd}
