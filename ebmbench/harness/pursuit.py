"""Whether what trains networks does its updates: held against the same ones by the float64 reference.

Updates of a network are no sums of draws: from one start, one batch and, for a GAN, one noise they lead
to one place. So a peer is followed update by update from what it says that it used, and a backend's own
trainer is held against that on the reference, which draws the same batches and noise.

A parameter's way is what it has moved since the start. The root of the mean square by which two ways
differ may be a thousandth of that of the way itself: a gradient in float32 is off by about 1e-6 of its
size, parameters of up to 1 are rounded to 2**-24, which at a rate of 1 is 1e-5 of ways of 0.005. One unit
of thousands whose slope has a step, and whose input lies within rounding of it, is not seen; one column
of a thousand that is wrong is. Adam divides a gradient by its size, and where that is nothing but
rounding its step is of any sign: so its epsilon is 0.01 here.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ebmbench.errors import Unavailable
from ebmbench.harness.gate import Red
from ebmbench.harness.trainer import Trainer
from ebmbench.kernels.api import Backend, Handle, Rows, Tree, load
from ebmbench.models.gan import FORMS, GAN
from ebmbench.models.mlp import MLP
from ebmbench.peers import Peer, Rule, Work

_UPDATES = 3  # the second is the first in which what is kept of former gradients plays a part
_WAY = 1e-3  # relative
_RATES, _EPSILON = {"sgd": 1.0, "adam": 0.01}, 0.01

Arrays = Mapping[str, np.ndarray]


def fast(rule: Rule) -> Rule:
    """The rule with a rate at which an update is seen, see the module."""
    return rule._replace(rate=_RATES[rule.name], epsilon=_EPSILON)


def check_trainers(k: Backend, trainer: Callable[[Backend], Trainer]) -> None:
    """Raise `Red` unless the trainer that is made on k goes where that on the reference goes."""
    one, other = trainer(k), trainer(load("reference"))
    start = dict(other.model.parameters)
    for update in range(1, _UPDATES + 1):
        one.advance(1)
        other.advance(1)
        wanted = other.model.parameters
        _compare(f"backend {k.name}", one.model.parameters, wanted, start, update)


class _Player:
    """A network on the reference, and what its optimiser keeps."""

    def __init__(self, model: MLP, rule: Rule) -> None:
        self.k, self.rule, self.start = load("reference"), rule, model
        self.handle: Handle = self.k.put(model)
        self.first, self.second = (self.k.zeros(self.handle) for _ in range(2))

    def forward(self, rows: Rows) -> Any:
        """All activations."""
        return self.k.forward(self.handle, rows)

    def climb(self, gradient: Tree, update: int) -> None:
        """Update number `update`, from 1."""
        k, rule = self.k, self.rule
        if rule.name == "sgd":
            k.update(self.handle, self.first, gradient, rule.rate, rule.momentum, 0.0)
        else:
            how = rule.rate, rule.beta1, rule.beta2, rule.epsilon
            k.adam(self.handle, self.first, self.second, gradient, update, *how)

    @property
    def parameters(self) -> Arrays:
        """On the host."""
        found: MLP = self.k.get(self.handle)
        return found.parameters


def check_classifier(peer: Peer, model: MLP, rule: Rule, work: Work) -> None:
    """Raise `Red` unless a piece of the peer's work is an update of the model."""
    _require_float32(peer)
    player = _Player(model, rule)
    k = player.k
    for update in range(1, _UPDATES + 1):
        work.run()
        found = work.result()
        activations = player.forward(k.put_rows(found["batch"]))
        loss = k.cross_entropy(player.handle, activations, k.put_rows(found["targets"]))
        player.climb(k.backward(player.handle, activations, loss.delta), update)
        _compare(f"peer {peer.name}", found, player.parameters, model.parameters, update)


def check_pair(peer: Peer, model: GAN, form: str, rule: Rule, work: Work) -> None:
    """Raise `Red` unless a piece of the peer's work is a step of the discriminator and one of G."""
    _require_float32(peer)
    G, D = _Player(model.generator, rule), _Player(model.discriminator, rule)
    k = G.k
    for update in range(1, _UPDATES + 1):
        work.run()
        found = work.result()
        rows = k.put_rows(found["batch"])
        fakes = k.outputs(G.handle, G.forward(k.put_rows(found["z_discriminator"])))
        activations = D.forward(k.stack(rows, fakes))
        loss = k.payoff(D.handle, activations, len(rows))
        D.climb(k.backward(D.handle, activations, loss.delta), update)
        made = G.forward(k.put_rows(found["z_generator"]))
        judged = D.forward(k.outputs(G.handle, made))
        loss = k.logistic(D.handle, judged, *FORMS[form])
        G.climb(k.backward(G.handle, made, k.input_delta(D.handle, judged, loss.delta)), update)
        wanted = {f"{who}{n}": x for who, one in (("G", G), ("D", D)) for n, x in one.parameters.items()}
        _compare(f"peer {peer.name}", found, wanted, model.parameters, update)


def _require_float32(peer: Peer) -> None:
    if peer.place.precision == "bfloat16":
        raise Unavailable(
            f"peer {peer.name} keeps parameters in bfloat16, whose rounding loses an update"
        )


def _compare(what: str, found: Arrays, wanted: Arrays, start: Arrays, update: int) -> None:
    for name, x in wanted.items():
        way, off = (float(np.sqrt(np.mean((x - y[name]) ** 2))) for y in (start, found))
        if not off <= _WAY * way:
            far = f"{off / max(way, 1e-300):.2g} of its way"
            raise Red(f"{what}: {name} is off by {far} after {update} updates, allowed is {_WAY:g}")
