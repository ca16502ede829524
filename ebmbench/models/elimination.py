"""Exact inference in a Markov field: its units are summed out one by one (Zhang & Poole 1994).

Eliminating unit i sums the product of all factors that hold it over its two states, and leaves a factor
of its neighbours, a message to the first of them that is eliminated in turn. Back from the last unit to
the first, the same tables hold p(v_i | neighbours), so that marginals and independent draws follow
(Lauritzen & Spiegelhalter 1988). All tables are logarithms in float64 and stay in memory, of as many
states as `Graph.states_bits` tells: 2**25 are a grid of 16 x 20 units, of 10 x 1,000, or of 6 x 40,000.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.models.boltzmann import PairMoments
from ebmbench.models.enumerate import check_enumerable
from ebmbench.models.graph import Graph
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.model import Array
from ebmbench.randomness import VISIBLE, Key, fine_uniforms


class _Step(NamedTuple):
    """What an elimination order makes of a graph at one unit, whatever the parameters.

    others: its neighbours by then, in rising order; place: where the unit would stand among them; pairs:
    for each edge to one of them the edge's number, that one's axis and the shape by which two numbers
    become a table along it; heard: for each message the step that sent it, the unit's axis in it, the
    shape by which the rest of it becomes a table of the others, and the axes of the clique that it lacks;
    to: the step that hears this one's message.
    """

    unit: int
    others: Array
    place: int
    pairs: list[tuple[int, int, tuple[int, ...]]]
    heard: list[tuple[int, int, tuple[int, ...], tuple[int, ...]]]
    to: int | None


@lru_cache(maxsize=8)
def _steps(graph: Graph) -> list[_Step]:
    cliques = graph.cliques
    assert cliques is not None
    starts, units, edges = graph.neighbours
    turn = np.empty(graph.n, np.int64)
    turn[[unit for unit, _ in cliques]] = np.arange(graph.n)
    steps: list[_Step] = []
    heard: list[list[int]] = [[] for _ in cliques]
    for now, (unit, others) in enumerate(cliques):
        clique = np.sort(np.append(others, unit))
        place = int(np.searchsorted(others, unit))
        pairs = [
            (int(edges[n]), int(np.searchsorted(others, units[n])), _shape(others, units[n : n + 1]))
            for n in range(starts[unit], starts[unit + 1])
            if turn[units[n]] > now
        ]
        messages = []
        for sender in heard[now]:
            scope = steps[sender].others
            axis = int(np.searchsorted(scope, unit))
            lacks = tuple(np.flatnonzero(~np.isin(clique, scope)).tolist())
            messages.append((sender, axis, _shape(others, np.delete(scope, axis)), lacks))
        to = int(turn[others].min()) if len(others) else None
        if to is not None:
            heard[to].append(now)
        steps.append(_Step(unit, others, place, pairs, messages, to))
    return steps


def _shape(others: Array, scope: Array) -> tuple[int, ...]:
    """In which a table of the states of some of the others broadcasts over those of all of them."""
    return tuple(np.where(np.isin(others, scope), 2, 1).tolist())


def _eliminated(model: MarkovField) -> tuple[float, list[Array]]:
    """Log Z, and of each step the log odds of its unit's being on given the others, [2] * len(others)."""
    check_enumerable(model)
    steps = _steps(model.graph)
    messages: dict[int, Array] = {}
    total, log_odds = 0.0, []
    for now, step in enumerate(steps):
        off = np.zeros([2] * len(step.others))
        on = np.full_like(off, model.b[step.unit])
        for edge, _, shape in step.pairs:
            on += np.array([0.0, model.R[edge]]).reshape(shape)
        for sender, axis, shape, _ in step.heard:
            message = messages.pop(sender)
            off += message.take(0, axis).reshape(shape)
            on += message.take(1, axis).reshape(shape)
        log_odds.append(on - off)
        message = np.logaddexp(off, on)
        if step.to is None:
            total += float(message)
        else:
            messages[now] = message
    return total, log_odds


def log_z(model: MarkovField) -> float:
    """Log Z, nats; `Unavailable` where the graph is too wide for an elimination."""
    return _eliminated(model)[0]


def moments(model: MarkovField) -> tuple[float, PairMoments]:
    """Log Z, and the expected v_i v_j of each edge and v_i."""
    total, log_odds = _eliminated(model)
    steps = _steps(model.graph)
    both, mean = np.zeros_like(model.R), np.zeros_like(model.b)
    # p(others) of each step, from the clique that heard its message; of the last ones there are none.
    beliefs: list[Array] = [np.ones(()) for _ in steps]
    for now in range(len(steps) - 1, -1, -1):
        step = steps[now]
        on = expit(log_odds[now]) * beliefs[now]
        mean[step.unit] = on.sum()
        for edge, axis, _ in step.pairs:
            both[edge] = on.take(1, axis).sum()
        joint = np.stack([beliefs[now] - on, on], step.place)
        beliefs[now] = log_odds[now] = np.empty(())  # the largest tables go as soon as they can
        for sender, _, _, lacks in step.heard:
            beliefs[sender] = joint.sum(axis=lacks)
    return total, PairMoments(both, mean)


def draws(model: MarkovField, count: int, key: Key) -> Array:
    """Independent draws of v, float64 [count, n_visible], as `enumerate.draws` of an RBM."""
    u = fine_uniforms(key, count, model.n_visible, VISIBLE)
    v = np.zeros((count, model.n_visible), np.int64)
    log_odds = _eliminated(model)[1]
    for step in reversed(_steps(model.graph)):
        v[:, step.unit] = u[:, step.unit] < expit(log_odds.pop()[tuple(v[:, step.others].T)])
    return v.astype(np.float64)
