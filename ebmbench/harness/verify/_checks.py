"""What is looked at: one sweep's law, the law that must stay, updates, short batches and scores.

Each check returns what it saw, or None where the target does nothing of the kind, and raises `Red`.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from ebmbench.evaluation.diagnostics import total_variation, total_variation_floor, visits
from ebmbench.harness import conformance
from ebmbench.harness.gate import Red, spread_out_model
from ebmbench.harness.verify._gtest import ALARM, SEEN, g_test, smallest
from ebmbench.harness.verify._targets import Arrays, Target
from ebmbench.models.enumerate import distribution, draws, log_z, states
from ebmbench.models.flips import PSEUDOLIKELIHOOD, differences
from ebmbench.models.rbm import RBM, free_energy, hidden_probability, visible_probability
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, uniforms

_CHAINS = 20_000  # from each state
_DRAWS, _SWEEPS = 100_000, 20
_BATCH, _SHORT = 20, 7
_STANDSTILL = 1e-6  # a rate at which the model stays what it is
_CALLS, _APART = 400, 5.0  # of a score; standard errors, exceeded by chance once in 10**6
_ROUNDING = {"float32": 1e-4, "bfloat16": 0.05}  # of a score, relative beyond 1


@cache
def _square() -> RBM:
    """One that takes a transposed W."""
    return spread_out_model(3, 3)


@cache
def _model() -> RBM:
    return spread_out_model(6, 4)


class Check(NamedTuple):
    """look(target): what was seen, None, or `Red`; lacks: what a target without it is told.

    alarm: the chance that a right program fails it; finds(): what fails it with the chance `SEEN`.
    """

    name: str
    look: Callable[[Target], str | None]
    lacks: str
    alarm: float
    finds: Callable[[], str]


def _binary(what: str, array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    if array.shape != shape:
        raise Red(f"{what} has shape {list(array.shape)}, but {list(shape)} is right")
    if not np.isin(array, (0.0, 1.0)).all():
        raise Red(f"{what} has states other than 0 and 1")
    return array


def transition(one: Target) -> str | None:
    """From every state of v the joint law of h and the next v, against the enumerated one."""
    if one.sample is None:
        return None
    model, all_v = _square(), states(3)
    start = np.repeat(all_v, _CHAINS, axis=0).astype(np.uint8)
    found = one.sample(model, start, 1)
    cells = visits_of(_binary("v", found["v"], start.shape))
    if "h" in found:
        cells = cells + 8 * visits_of(_binary("h", found["h"], (len(start), model.n_hidden)))
    law = _sweep(model, joint="h" in found)
    counts = np.stack([np.bincount(part, minlength=law.shape[1]) for part in cells.reshape(8, _CHAINS)])
    p = g_test(counts, law)
    text = f"p = {p:.2g} of a G-test over {len(start):,} sweeps from {len(all_v)} states"
    if not p > ALARM:
        raise Red(f"a sweep does not follow the enumerated transition matrix, {text}")
    return text


def visits_of(rows: np.ndarray) -> np.ndarray:
    """The number of each row's state, as `models.enumerate.states` has them."""
    return rows.astype(np.int64) @ (1 << np.arange(rows.shape[1]))


def _sweep(model: RBM, joint: bool) -> np.ndarray:
    """From each state of v the law of the next one, [8, 8], or of h and the next one, [8, 64]."""
    given_v = _law(hidden_probability(model, states(3)))  # [v, h]
    given_h = _law(visible_probability(model, states(3)))  # [h, v]
    return (given_v[:, :, None] * given_h).reshape(8, 64) if joint else given_v @ given_h


@cache
def _smallest_bias(joint: bool) -> float:
    """By how much a bias, whichever, is off that the law of a sweep nearly always shows."""
    model = _square()

    def law(name: str, unit: int, shift: float) -> np.ndarray:
        return _sweep(replace(model, **{name: getattr(model, name) + shift * np.eye(3)[unit]}), joint)

    units = [(name, unit) for name in ("b", "c") for unit in range(3)]
    return max(smallest(partial(law, *one), _CHAINS) for one in units)


def _law(p: np.ndarray) -> np.ndarray:
    """The probability of every state of three units, for each row of their on-probabilities."""
    every = states(p.shape[1])
    return np.prod(np.where(every == 1.0, p[:, None, :], 1.0 - p[:, None, :]), axis=2)


def _beyond(chance: float) -> float:
    """By how much a total variation exceeds its mean, or stays below it, with that chance at most.

    Each of n draws moves it by 1/n at most: sqrt(log(1/chance) / 2n) (McDiarmid 1989).
    """
    return float(np.sqrt(np.log(1 / chance) / (2 * _DRAWS)))


def _far_law() -> float:
    """How far away a law is whose draws are too far away with the chance `SEEN` at least.

    The mean of their total variation is no less than that of their law (Jensen).
    """
    floor = total_variation_floor(distribution(_model()), _DRAWS)
    return floor + _beyond(ALARM) + _beyond(1 - SEEN)


def stationarity(one: Target) -> str | None:
    """From exact draws of p(v), sweeps leave p(v) as it is."""
    if one.sample is None:
        return None
    start = draws(_model(), _DRAWS, Key(7, Stream.CHAINS)).astype(np.uint8)
    v = _binary("v", one.sample(_model(), start, _SWEEPS)["v"], start.shape)
    law = distribution(_model())
    far, floor = total_variation(visits(v), law), total_variation_floor(law, _DRAWS)
    allowed = floor + _beyond(ALARM)
    text = f"total variation {far:.4f} after {_SWEEPS} sweeps of {_DRAWS:,} chains, floor {floor:.4f}"
    if not far <= allowed:
        raise Red(f"the model's law does not stay: {text}, allowed is {allowed:.4f}")
    return text


def _rows(count: int) -> np.ndarray:
    return (uniforms(Key(8, Stream.SAMPLES), count, _model().n_visible) < 0.5).astype(np.uint8)


def _updates(one: Target, rows: int) -> str | None:
    """What was seen of one update from so many rows."""
    batch, chains, seen = _rows(rows), _rows(2 * _BATCH)[_BATCH:], []
    told = {"batch": batch.astype(np.float64)}
    ways: list[tuple[str, int, Callable[[float], Arrays]]] = []
    if one.train:
        ways.append(("sml", len(chains), partial(one.train, _model(), batch, chains)))
    if one.descend:
        ways.append(("cd", rows, partial(one.descend, _model(), batch)))
    for job, count, moved in ways:

        def updated(rate: float, moved: Callable[[float], Arrays] = moved) -> Arrays:
            return moved(rate) | told

        conformance.check_update(one.name, job, _model(), updated, one.precision, count)
        seen.append(f"{job.upper()} from {rows} rows and {count} chains")
    return ", ".join(seen) or None


def update(one: Target) -> str | None:
    """An update is the rate times the contrast of its batch and its chains."""
    return _updates(one, _BATCH)


def persistence(one: Target) -> str | None:
    """An update of SML leaves its chains one sweep on: the law of v given what each chain was before."""
    if one.train is None:
        return None
    model, all_v = _square(), states(3)
    start = np.repeat(all_v, _CHAINS, axis=0).astype(np.uint8)
    found = one.train(model, start[:: len(start) // _BATCH], start, _STANDSTILL)
    if "chains" not in found:
        return None
    v = _binary("the chains", found["chains"], start.shape)
    law = _sweep(model, joint=False)
    counts = np.stack([np.bincount(part, minlength=8) for part in visits_of(v).reshape(8, _CHAINS)])
    p = g_test(counts, law)
    text = f"p = {p:.2g} of a G-test over {len(start):,} chains from {len(all_v)} states"
    if not p > ALARM:
        raise Red(f"chains of SML do not follow the enumerated transition matrix, {text}")
    return text


def short_batch(one: Target) -> str | None:
    """A batch that is not full counts as what it is."""
    return _updates(one, _SHORT)


def scoring(one: Target) -> str | None:
    """Scores are exact, or right on average over calls."""
    v = states(_model().n_visible).astype(np.uint8)
    seen = []
    for kind, prepare in one.scores.items():
        score = prepare(_model(), v)
        exact = _EXACT[kind](_model(), v.astype(np.float64))
        calls = _CALLS if kind == "pseudolikelihood" else 1
        found = [np.asarray(score(seed), np.float64) for seed in range(calls)]
        whole = all(np.shape(x) == exact.shape for x in found)
        require(whole or all(np.ndim(x) == 0 for x in found), f"{kind} has shape {list(found[0].shape)}")
        if calls == 1 and whole:
            off = float(np.max(np.abs(found[0] - exact) / np.maximum(1.0, np.abs(exact))))
            allowed, how = _ROUNDING[one.precision], "of the exact values, relative"
        else:
            means = np.array([x.mean() for x in found])
            error = _APART * float(means.std(ddof=1) / np.sqrt(calls))
            off = float(abs(means.mean() - exact.mean()))
            allowed = error + _ROUNDING[one.precision] * float(np.abs(exact).mean())
            distinct = len(set(np.round(means, 9)))
            how = f"of the exact mean over {calls} calls, which gave {distinct} different values"
        if not off <= allowed:
            raise Red(f"{kind} is off by {off:.2g}, allowed is {allowed:.2g}, {how}")
        seen.append(f"{kind} within {off:.2g}, allowed {allowed:.2g}, {how}")
    return "; ".join(seen) or None


_EXACT: dict[str, Callable[[RBM, np.ndarray], np.ndarray]] = {
    "free_energy": free_energy,
    "log_likelihood": lambda model, v: -free_energy(model, v) - log_z(model),
    "pseudolikelihood": lambda model, v: PSEUDOLIKELIHOOD.value(differences(model, v)).sum(axis=1),
}
_STEP = f"a step off by {conformance.UPDATE:g} of the rate"
CHECKS = (
    Check(
        "transition", transition, "it draws no sweeps", ALARM,
        lambda: f"a bias off by {_smallest_bias(True):.2f}",
    ),
    Check(
        "stationarity", stationarity, "it draws no sweeps", ALARM,
        lambda: f"a law {_far_law():.3f} away in total variation",
    ),
    Check("update", update, "it does not train", 2 * ALARM, lambda: _STEP),  # by SML and by CD
    Check(
        "persistent chains", persistence, "it shows no chains that persist", ALARM,
        lambda: f"a bias off by {_smallest_bias(False):.2f}",
    ),
    Check("short batch", short_batch, "it does not train", 2 * ALARM, lambda: _STEP),
    Check("scoring", scoring, "it offers no score", ALARM, lambda: ""),
)  # fmt: skip
