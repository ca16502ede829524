"""Exact truth for small models: sums over all states, in blocks of bounded memory.

The smaller layer is enumerated and the larger one summed out in closed form, so 2**min(n_visible,
n_hidden) terms suffice. All in float64 and in the log domain, so that biases of any size do not
overflow.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from ebmbench.errors import Unavailable
from ebmbench.models.model import Array, Model
from ebmbench.models.rbm import RBM, energy, free_energy, hidden_probability, visible_probability
from ebmbench.randomness import HIDDEN, VISIBLE, Key, fine_uniforms

MOST_UNITS = 25  # 2**25 states of a few hundred units take minutes; beyond it nobody waits
_BLOCK_BITS = 12


class Moments(NamedTuple):
    """Expected statistics: vh [n_visible, n_hidden], v [n_visible], h [n_hidden]."""

    vh: Array
    v: Array
    h: Array


def states(n: int, first: int = 0, count: int | None = None) -> Array:
    """Binary states number `first` ... of n units, float64 [count, n]; unit 0 is the lowest bit."""
    numbers = np.arange(first, first + (2**n if count is None else count), dtype=np.int64)
    return ((numbers[:, None] >> np.arange(n)) & 1).astype(np.float64)


def check_enumerable(model: Model) -> None:
    """`Unavailable` where a model of any kind has too many states to sum over."""
    if model.summed_units > MOST_UNITS:
        raise Unavailable(
            f"exact enumeration of this model sums over at least 2**{model.summed_units} states, "
            f"but at most 2**{MOST_UNITS} are possible; log Z has estimates, such as ais, "
            "and a gradient other estimators, such as sml"
        )


def enumerable(model: Model) -> bool:
    """Whether sums over all states are possible."""
    try:
        check_enumerable(model)
    except Unavailable:
        return False
    return True


def blocks(n: int) -> Iterator[Array]:
    """All states of n units in the order of `states`, some thousands at a time."""
    size = min(2**n, 2**_BLOCK_BITS)
    for first in range(0, 2**n, size):
        yield states(n, first, size)


def log_sum(energy: Callable[[Array], Array], n: int) -> float:
    """log sum_s e**-energy(s) over all states s of n units, nats."""
    return float(logsumexp([logsumexp(-energy(s)) for s in blocks(n)]))


def log_z(model: RBM) -> float:
    """Log Z = log sum_v e**-F(v), nats, by enumeration of the smaller layer."""
    check_enumerable(model)
    small = model if model.n_visible <= model.n_hidden else model.transposed
    return log_sum(lambda s: free_energy(small, s), small.n_visible)


def moments(model: RBM) -> tuple[float, Moments]:
    """Log Z and the model's expected v h, v and h (the negative phase of the exact gradient)."""
    if model.n_visible > model.n_hidden:
        total, m = moments(model.transposed)
        return total, Moments(m.vh.T, m.h, m.v)
    total = log_z(model)
    vh = np.zeros_like(model.W)
    v = np.zeros_like(model.b)
    h = np.zeros_like(model.c)
    for s in blocks(model.n_visible):
        p = np.exp(-free_energy(model, s) - total)
        given = hidden_probability(model, s)
        vh += (p[:, None] * s).T @ given
        v += p @ s
        h += p @ given
    return total, Moments(vh, v, h)


def draws(model: RBM, count: int, key: Key) -> Array:
    """Independent draws of v, float64 [count, n_visible], from the model's exact law.

    The smaller layer's states are drawn by inversion, the other layer given it. Row r is chain
    key.chain + r and takes the uniforms of layers HIDDEN and VISIBLE of step key.step.
    """
    check_enumerable(model)
    visible_first = model.n_visible <= model.n_hidden
    small = model if visible_first else model.transposed
    layer = VISIBLE if visible_first else HIDDEN
    drawn = drawn_states(lambda s: -free_energy(small, s), small.n_visible, count, key, layer)
    if visible_first:
        return drawn
    p = visible_probability(model, drawn)
    return (fine_uniforms(key, count, model.n_visible, VISIBLE) < p).astype(np.float64)


def drawn_states(log_weight: Callable[[Array], Array], n: int, count: int, key: Key, layer: int) -> Array:
    """`count` states of n units in proportion to e**log_weight(states), float64 [count, n].

    By inversion of the law, two uniforms of `layer` a row: which block of states, then which of them.
    """
    sums = np.array([logsumexp(log_weight(s)) for s in blocks(n)])
    cumulative = np.cumsum(np.exp(sums - logsumexp(sums)))
    u = fine_uniforms(key, count, 1, layer)[:, 0] * cumulative[-1]
    chosen = np.searchsorted(cumulative, u)
    rest = u - np.concatenate([[0.0], cumulative])[chosen]
    drawn = np.empty((count, n))
    size = 2**n // len(sums)
    for block in np.unique(chosen):
        here = chosen == block
        s = states(n, block * size, size)
        within = np.cumsum(np.exp(log_weight(s) - logsumexp(sums)))
        number = np.searchsorted(within, rest[here])
        drawn[here] = s[np.minimum(number, size - 1)]  # the block's sum may round to less than `rest`
    return drawn


def distribution(model: RBM) -> Array:
    """p(v) of all visible states in the order of `states`, [2**n_visible]; for small models."""
    return normalised(-free_energy(model, states(model.n_visible)))


def normalised(log_weights: Array) -> Array:
    """Probabilities in proportion to e**log_weights."""
    return np.exp(log_weights - logsumexp(log_weights))


def transition_matrix(model: RBM, beta: float = 1.0) -> Array:
    """T[v, v'] of one sweep v -> h -> v', [2**n_visible, 2**n_visible]; for small models."""
    v, h = states(model.n_visible), states(model.n_hidden)
    h_given_v = _all_states(hidden_probability(model, v, beta), h)
    return h_given_v @ _all_states(visible_probability(model, h, beta), v)


def _all_states(probability: Array, target: Array) -> Array:
    """Probability of each target state for each row of independent on-probabilities."""
    on = np.log(np.maximum(probability, 1e-300)) @ target.T
    off = np.log(np.maximum(1.0 - probability, 1e-300)) @ (1.0 - target.T)
    return np.exp(on + off)


def log_z_brute_force(model: RBM) -> float:
    """Log Z over every joint state (v, h): the definition, for tests of the enumeration itself."""
    v, h = states(model.n_visible), states(model.n_hidden)
    pairs = np.repeat(v, len(h), axis=0), np.tile(h, (len(v), 1))
    return float(logsumexp(-energy(model, *pairs)))
