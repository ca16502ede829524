"""What can be verified: a peer by name, or functions of the user's own.

A user's module, class or object has any of these; all arrays are float64, W [n_visible, n_hidden],
b [n_visible], c [n_hidden], v [rows, n_visible], h [rows, n_hidden], states 0 and 1, seed an integer:

    sweep(W, b, c, v, seed) -> v, h           one sweep of block Gibbs sampling: h drawn given v, then v
                                              given that h; each row is a chain of its own
    update(W, b, c, batch, chains, rate, seed) -> W, b, c, chains
                                              one update of SML: the chains' v a sweep on, then each
                                              parameter moved by rate times its mean over the batch less
                                              its mean over these chains, h averaged out; the batch may
                                              have fewer rows than there are chains
    free_energy(W, b, c, v) -> [rows]         -b·v - sum softplus(c + vW)
    log_likelihood(W, b, c, v) -> [rows]      log p(v), nats
    pseudolikelihood(W, b, c, v, seed) -> [rows] or their mean
                                              sum over i of log p(v_i | the others), or an unbiased
                                              estimate of it
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebmbench import peers
from ebmbench.discovery import unknown
from ebmbench.harness import user_code
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.peers import Place

Arrays = dict[str, np.ndarray]
SCORES = ("free_energy", "log_likelihood", "pseudolikelihood")
_PROTOCOL = ("sweep", "update", *SCORES)


@dataclass(frozen=True)
class Target:
    """What is verified; None for what it does not do.

    sample(model, v, sweeps): v and, where it is told, h after so many sweeps. train(model, batch, chains,
    rate): W, b, c after one update, and chains and h where they are told. descend(model, batch, rate):
    the same by CD-1. scores: from a model and rows, a function of a seed to scores.
    """

    name: str
    version: str = ""
    precision: str = "float32"
    sample: Callable[[RBM, np.ndarray, int], Arrays] | None = None
    train: Callable[[RBM, np.ndarray, np.ndarray, float], Arrays] | None = None
    descend: Callable[[RBM, np.ndarray, float], Arrays] | None = None
    scores: Mapping[str, Callable[[RBM, np.ndarray], Callable[[int], Any]]] = field(default_factory=dict)


def target(name: str, precision: str = "float32") -> Target:
    """A peer of this name, or what MODULE:ATTRIBUTE or FILE.py[:ATTRIBUTE] names; else `UserError`."""
    if name in peers.known():
        return of_peer(name, Place("cpu" if "cpu" in peers.known()[name].DEVICES else "cuda", precision))
    if not user_code.is_users(name):
        raise unknown("peer", name, [*peers.known(), *user_code.FORMS])
    return _of_user(name)


def of_peer(name: str, place: Place) -> Target:
    """A peer at a place; `Unavailable` where it cannot run there."""
    peer = peers.load(name, place)

    def done(job: str, *given: Any) -> Arrays:
        work = peer.start(job, *given)
        work.run()
        work.wait()
        return work.result()

    def train(model: RBM, batch: np.ndarray, chains: np.ndarray, rate: float) -> Arrays:
        return done("sml", model, batch, chains, len(batch), 1, rate, 0.0)

    def descend(model: RBM, batch: np.ndarray, rate: float) -> Arrays:
        return done("cd", model, batch, len(batch), 1, 1, rate, 0.0)

    def scorer(kind: str) -> Callable[[RBM, np.ndarray], Callable[[int], Any]]:
        def prepare(model: RBM, v: np.ndarray) -> Callable[[int], Any]:
            work = peer.start(kind, model, v)

            def score(seed: int) -> Any:
                work.run()
                return work.result()["score"]

            return score

        return prepare

    has = peer.jobs.keys()
    return Target(
        name, peer.version, place.precision,
        (lambda model, v, sweeps: done("gibbs", model, v, sweeps)) if "gibbs" in has else None,
        train if "sml" in has else None,
        descend if "cd" in has else None,
        {kind: scorer(f"score_{kind}") for kind in SCORES if f"score_{kind}" in has},
    )  # fmt: skip


def _of_user(name: str) -> Target:
    given = user_code.load(name)
    does = {one: getattr(given, one) for one in _PROTOCOL if callable(getattr(given, one, None))}
    require(
        bool(does), f"{name} has nothing to verify: it needs one of {', '.join(_PROTOCOL)} as a function"
    )

    def parameters(model: RBM) -> tuple[np.ndarray, ...]:
        return tuple(x.copy() for x in (model.W, model.b, model.c))

    def sample(model: RBM, v: np.ndarray, sweeps: int) -> Arrays:
        states = v.astype(np.float64)
        for seed in range(sweeps):
            states, h = (
                np.asarray(x, np.float64) for x in does["sweep"](*parameters(model), states, seed)
            )
        return {"v": states, "h": h}

    def train(model: RBM, batch: np.ndarray, chains: np.ndarray, rate: float) -> Arrays:
        rows = (x.astype(np.float64) for x in (batch, chains))
        found = does["update"](*parameters(model), *rows, rate, 0)
        return dict(zip(("W", "b", "c", "chains"), map(np.asarray, found), strict=True))

    def scorer(kind: str) -> Callable[[RBM, np.ndarray], Callable[[int], Any]]:
        def prepare(model: RBM, v: np.ndarray) -> Callable[[int], Any]:
            rows = v.astype(np.float64)
            if kind == "pseudolikelihood":
                return lambda seed: does[kind](*parameters(model), rows, seed)
            return lambda seed: does[kind](*parameters(model), rows)

        return prepare

    return Target(
        name,
        sample=sample if "sweep" in does else None,
        train=train if "update" in does else None,
        scores={kind: scorer(kind) for kind in SCORES if kind in does},
    )
