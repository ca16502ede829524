"""Exact inference in a Markov field: its units are summed out one by one (Zhang & Poole 1994).

Eliminating unit i sums the product of all factors that hold it over its two states, and leaves a factor
of its neighbours, a message to the first of them that is eliminated in turn. Back from the last unit to
the first, the same tables hold p(v_i | neighbours), so that marginals and independent draws follow
(Lauritzen & Spiegelhalter 1988). All tables are logarithms in float64 and stay in memory, of as many
states as `Graph.states_bits` tells: 2**25 are a grid of 16 x 20 units, of 10 x 1,000, or of 6 x 40,000.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.models.boltzmann import PairMoments
from ebmbench.models.enumerate import check_enumerable
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.model import Array
from ebmbench.randomness import VISIBLE, Key, fine_uniforms


class _Step(NamedTuple):
    """A unit that is eliminated; others: its neighbours by then, in rising order.

    log_odds: of its being on given their states, [2] * len(others); to: the step that hears the message.
    """

    unit: int
    others: Array
    log_odds: Array
    to: int | None


def _eliminated(model: MarkovField) -> tuple[float, list[_Step]]:
    """Log Z and all steps."""
    check_enumerable(model)
    cliques = model.graph.cliques
    assert cliques is not None
    starts, units, edges = model.graph.neighbours
    turn = np.empty(model.n_visible, np.int64)
    turn[[unit for unit, _ in cliques]] = np.arange(model.n_visible)
    messages: list[list[tuple[Array, Array]]] = [[] for _ in cliques]
    total, steps = 0.0, []
    for now, (unit, others) in enumerate(cliques):
        off = np.zeros([2] * len(others))
        on = np.full_like(off, model.b[unit])
        for place in range(starts[unit], starts[unit + 1]):
            if turn[units[place]] > now:
                on += _along(np.array([0.0, model.R[edges[place]]]), units[place : place + 1], others)
        for scope, message in messages[now]:
            axis = int(np.searchsorted(scope, unit))
            rest = np.delete(scope, axis)
            off += _along(message.take(0, axis), rest, others)
            on += _along(message.take(1, axis), rest, others)
        messages[now] = []
        to = int(turn[others].min()) if len(others) else None
        steps.append(_Step(unit, others, on - off, to))
        message = np.logaddexp(off, on)
        if to is None:
            total += float(message)
        else:
            messages[to].append((others, message))
    return total, steps


def _along(table: Array, scope: Array, others: Array) -> Array:
    """A table of the states of some of the others, so that it broadcasts over those of all of them."""
    return table.reshape(np.where(np.isin(others, scope), 2, 1))


def log_z(model: MarkovField) -> float:
    """Log Z, nats; `Unavailable` where the graph is too wide for an elimination."""
    return _eliminated(model)[0]


def moments(model: MarkovField) -> tuple[float, PairMoments]:
    """Log Z, and the expected v_i v_j of each edge and v_i."""
    total, steps = _eliminated(model)
    both, mean = np.zeros_like(model.R), np.zeros_like(model.b)
    starts, units, edges = model.graph.neighbours
    # p(others) of each step, from the clique that heard its message; of the last ones there are none.
    beliefs: list[Array] = [np.ones(()) for _ in steps]
    heard: list[list[int]] = [[] for _ in steps]
    for now, step in enumerate(steps):
        if step.to is not None:
            heard[step.to].append(now)
    for now in range(len(steps) - 1, -1, -1):
        unit, others, log_odds, _ = steps[now]
        on = expit(log_odds) * beliefs[now]
        mean[unit] = on.sum()
        for place in range(starts[unit], starts[unit + 1]):
            axis = np.flatnonzero(others == units[place])
            if len(axis):
                both[edges[place]] = on.take(1, int(axis[0])).sum()
        clique = np.sort(np.append(others, unit))
        joint = np.stack([beliefs[now] - on, on], int(np.searchsorted(others, unit)))
        beliefs[now] = np.empty(())  # the largest tables go as soon as they can
        for child in heard[now]:
            beliefs[child] = joint.sum(axis=tuple(np.flatnonzero(~np.isin(clique, steps[child].others))))
    return total, PairMoments(both, mean)


def draws(model: MarkovField, count: int, key: Key) -> Array:
    """Independent draws of v, float64 [count, n_visible], as `enumerate.draws` of an RBM."""
    u = fine_uniforms(key, count, model.n_visible, VISIBLE)
    v = np.zeros((count, model.n_visible), np.int64)
    for unit, others, log_odds, _ in reversed(_eliminated(model)[1]):
        v[:, unit] = u[:, unit] < expit(log_odds[tuple(v[:, others].T)])
    return v.astype(np.float64)
