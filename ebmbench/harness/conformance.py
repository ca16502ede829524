"""Whether what is about to be timed does its job at the size at which it is timed, peers and our own.

States are held against the exact conditional law of the layer they were drawn from. A sum of binary
draws with probabilities p and weights of at most 1 lies within t of its mean but for a chance of
2 exp(-t**2 / (2 s + 2 t / 3)), s its variance (Bernstein 1946); t is such that a right sampler fails once
in a million checks.
Beyond it a probability may be off by what its precision rounds. Values and gradients are held against the
float64 reference.
"""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.special import stdtrit

from ebmbench.errors import Unavailable
from ebmbench.harness.gate import Red
from ebmbench.kernels.api import load
from ebmbench.models import dbm
from ebmbench.models.markov_field import MarkovField, unit_probability
from ebmbench.models.rbm import RBM, hidden_probability, visible_probability

Arrays = Mapping[str, np.ndarray]

_FALSE_ALARM = 1e-6
_CHAINS = 1000
# By how much a probability may be off. bfloat16, a peer's, has 8 bits: the weights, the pre-activations,
# the probability and the uniform it is compared with each add up to 2**-8.
_ROUNDING = {"float32": 1e-5, "bfloat16": 0.02}
_VALUE, _GRADIENT = 1e-5, 5e-5  # relative; of sums of 392,000 float32 terms, and of their means
UPDATE = 1e-3  # of (new - old) / rate, whose parameters of up to 8 are rounded to 2**-21 before
_MEAN = 1e-4  # a sigmoid of sums of up to 2,000 terms of 0.1; and errors of one sweep enter the next
_RATE = 0.1
_APART = 5.0  # standard errors


def _allowed(variance: np.ndarray, checks: int) -> np.ndarray:
    log = np.log(2 * checks / _FALSE_ALARM)
    return log / 3 + np.sqrt(log**2 / 9 + 2 * log * variance)


def check_states(what: str, states: np.ndarray, p: np.ndarray, precision: str) -> None:
    """Raise `Red` unless binary states [rows, units] may be draws with probabilities p."""
    if not np.isin(states, (0.0, 1.0)).all():
        raise Red(f"{what} drew states other than 0 and 1")
    # Each unit's mean, the mean of all, and whether states follow p from row to row.
    checks = [np.ones_like(p), np.ones_like(p), p - p.mean(axis=0)]
    count = p.shape[1] + 2
    for weight, axis in zip(checks, (0, None, None), strict=True):
        off = np.abs((weight * (states - p)).sum(axis=axis))
        allowed = _allowed((weight**2 * p * (1 - p)).sum(axis=axis), count)
        allowed = allowed + _ROUNDING[precision] * np.abs(weight).sum(axis=axis)
        if not (off <= allowed).all():
            worst = np.max(off / allowed)
            raise Red(f"{what} does not draw from the conditional law: {worst:.1f} times what is allowed")


def _some(rows: np.ndarray) -> np.ndarray:
    """The places of at most `_CHAINS` rows, evenly spread: a float64 product of all takes seconds."""
    return np.unique(np.linspace(0, len(rows) - 1, _CHAINS).astype(int))


def check_gibbs(what: str, model: RBM, found: Arrays, precision: str) -> None:
    """A last sweep: v was drawn given h."""
    some = _some(found["h"])
    p = visible_probability(model, found["h"][some])
    check_states(f"{what} (v given h)", found["v"][some], p, precision)


def check_first_sweep(what: str, model: RBM, v: np.ndarray, found: Arrays, precision: str) -> None:
    """One sweep from known rows v: h was drawn given v, and then v given h."""
    some = _some(v)
    check_states(f"{what} (h given v)", found["h"][some], hidden_probability(model, v[some]), precision)
    check_gibbs(what, model, found, precision)


def check_colours(
    what: str, model: MarkovField, v: np.ndarray, found: np.ndarray, precision: str
) -> None:
    """One sweep of a field from known rows v: each colour was drawn given all others as they stood."""
    some = _some(v)
    now, graph = v[some].astype(np.float64), model.graph
    for first, last in pairwise(graph.classes):
        units = graph.order[first:last]
        p = unit_probability(model, now)[:, units]
        check_states(f"{what} ({len(units)} units of one colour)", found[some][:, units], p, precision)
        now[:, units] = found[some][:, units]


def check_last_colour(what: str, model: MarkovField, found: np.ndarray, precision: str) -> None:
    """A last sweep: the last colour was drawn given all others."""
    v, graph = found[_some(found)], model.graph
    units = graph.order[graph.classes[-2] :]
    p = unit_probability(model, v)[:, units]
    check_states(f"{what} (the last colour)", v[:, units], p, precision)


def check_gradient(what: str, job: str, model: RBM, v: np.ndarray, found: Arrays) -> None:
    """Value and gradient of rows v, those of the reference."""
    wanted = _reference(job, model, v.tobytes())
    for name, value in wanted.items():
        allowed = _VALUE * abs(float(value)) if name == "value" else _GRADIENT
        off = float(np.abs(found[name] - value).max())
        if not off <= allowed:
            raise Red(f"{what}: {name} of {job} is off by {off:.2g}, allowed is {allowed:.2g}")


@cache
def _reference(job: str, model: RBM, rows: bytes) -> dict[str, np.ndarray]:
    k = load("reference")
    handle = k.put(model)
    v = np.frombuffer(rows, np.uint8).reshape(-1, model.n_visible)
    phases, value = getattr(k, job)(handle, k.put_rows(v))
    return {"value": np.asarray(value), **k.get_tree(handle, phases.gradient)}


def check_means_of_chains(what: str, one: np.ndarray, other: np.ndarray, precision: str) -> None:
    """Raise `Red` unless means [rows, units] of independent chains of both estimate the same ones.

    What their differences sum to over rows is as good as normal, of each unit and of all together.
    """
    off = np.hstack([one - other, (one - other).mean(axis=1, keepdims=True)])
    rows, checks = off.shape
    apart = -stdtrit(rows - 1, _FALSE_ALARM / 2 / checks)
    allowed = apart * off.std(axis=0, ddof=1) / np.sqrt(rows) + _ROUNDING[precision]
    worst = float((np.abs(off.mean(axis=0)) / allowed).max())
    if not worst <= 1.0:
        raise Red(f"{what}: means of a unit are {worst:.1f} times as far apart as is allowed")


def check_log_z(what: str, one: tuple[float, float], other: tuple[float, float]) -> None:
    """Two estimates of log Z of one model and their standard errors, from the same random numbers."""
    apart, allowed = abs(one[0] - other[0]), _APART * float(np.hypot(one[1], other[1]))
    if not apart <= allowed:
        raise Red(f"{what}: log Z are {apart:.3g} apart, allowed is {allowed:.3g}")


def check_update(
    what: str, job: str, model: RBM, update: Callable[[float], Arrays], precision: str, chains: int,
    ties: np.ndarray | None = None,
) -> None:  # fmt: skip
    """One update at a rate is the rate times the contrast of its batch and so many chains.

    ties: 1 where W ties two units, else 0, as of a DBM's; None where all are tied.

    Where the h that the chains' v was drawn from is known, v is held against its law too. `Unavailable`
    for parameters in bfloat16.
    """
    if precision == "bfloat16":
        raise Unavailable(f"{what} keeps parameters in bfloat16, whose rounding loses an update")
    found = update(_RATE)
    moved = {name: (found[name] - getattr(model, name)) / _RATE for name in ("W", "b", "c")}
    batch = found["batch"]
    if "chains" not in found:  # a peer that hides them: b still says how many of them were on
        on = chains * (batch.mean(axis=0) - moved["b"])
        off = np.abs(on - np.rint(on)).max() / chains
        possible = on.min() > -0.5 and on.max() < chains + 0.5
        wrong = not (off <= UPDATE and possible)
    else:
        wanted = contrast(model, batch, found["chains"])
        wanted["W"] *= 1 if ties is None else ties
        off = max(float(np.abs(moved[name] - wanted[name]).max()) for name in wanted)
        wrong = not off <= UPDATE
    if wrong or not max(float(np.abs(x).max()) for x in moved.values()) > UPDATE:
        raise Red(f"{what}: an update of {job.upper()} is off by {off:.2g}, allowed is {UPDATE:.2g}")
    if "h" in found:
        check_gibbs(what, model, {"h": found["h"], "v": found["chains"]}, precision)


def check_means(what: str, model: RBM, rows: np.ndarray, n: int, sweeps: int) -> None:
    """Rows [v, means of a DBM's even hidden layers] after mean field from silent layers, v of n units."""
    v = rows[:, :n]
    wanted = dbm.mean_field(model, v, np.zeros_like(rows[:, n:]), sweeps)
    off = float(np.abs(rows - wanted).max())
    if not off <= _MEAN:
        raise Red(f"{what}: means of mean field are off by {off:.2g}, allowed is {_MEAN:.2g}")


def contrast(model: RBM, batch: np.ndarray, chains: np.ndarray) -> dict[str, np.ndarray]:
    """The mean of (v p(h|v), v, p(h|v)) over a batch less that over chains, whatever their numbers."""
    data, fantasy = ((v, hidden_probability(model, v)) for v in (batch, chains))
    return {
        "W": data[0].T @ data[1] / len(batch) - fantasy[0].T @ fantasy[1] / len(chains),
        "b": data[0].mean(axis=0) - fantasy[0].mean(axis=0),
        "c": data[1].mean(axis=0) - fantasy[1].mean(axis=0),
    }
