"""Jobs that train models with several hidden layers: a DBN layer by layer, a DBM all at once."""

from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ebmbench.discovery import unknown
from ebmbench.harness import conformance, made_up
from ebmbench.harness.jobs._epoch import EPOCHS, MOMENTUM, RATE, Own
from ebmbench.harness.jobs._job import Cost
from ebmbench.harness.subject import Subject
from ebmbench.harness.trainer import Trainer
from ebmbench.kernels.api import Backend, Rows
from ebmbench.models import dbm
from ebmbench.models.dbm import DBM
from ebmbench.models.dbn import DBN
from ebmbench.models.mlp import dashed
from ebmbench.models.rbm import hidden_probability
from ebmbench.peers import Peer, Work
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.recognition import upwards
from ebmbench.training.fit import Fit
from ebmbench.training.joint import Joint, Phases
from ebmbench.training.sgd import SGD


class _Layers:
    """The fits of all layers of a DBN, each of which does as many updates as it is asked for."""

    def __init__(self, k: Backend, model: DBN, rows: np.ndarray, estimator: str, batch: int, seed: int):
        self._fits: list[Fit] = []
        settings = {"chains": batch} if estimator == "sml" else {"k": 1}
        handles = [k.put(layer) for layer in model.layers]
        given = k.put_rows(rows)

        def drawn(layers: list[Any], epoch: int) -> Rows:
            """The states that the layers below make of the rows, as `training.stack` draws them."""
            key = Key(seed, Stream.RECOGNITION, epoch * len(handles))
            return upwards(k, layers, given, key)

        for n, layer in enumerate(model.layers):
            redraw = partial(drawn, handles[:n]) if n else None
            of_layer = np.asarray(k.get_rows(redraw(0)), np.uint8) if redraw else rows
            how = SGD(RATE, MOMENTUM), EPOCHS, batch, seed
            self._fits.append(Fit(k, layer, of_layer, estimator, settings, *how, redraw=redraw))

    @property
    def done(self) -> int:
        """Updates of each layer."""
        return self._fits[0].done

    @property
    def model(self) -> DBN:
        """The layers as they stand."""
        return DBN(tuple(fit.model for fit in self._fits))

    def advance(self, updates: int) -> None:
        """Do this many of each layer."""
        for fit in self._fits:
            fit.advance(updates)


@dataclass(frozen=True)
class Stacked(Own):
    """An epoch of each layer of a DBN in turn, with momentum.

    hidden: units of its layers; estimator: cd, of one sweep, or sml, with a batch's number of chains.
    Upper layers see states that are drawn anew each epoch through the layers below.
    """

    name = "dbn"

    hidden: list[int] = field(default_factory=lambda: [500, 500])
    estimator: str = "cd"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.estimator not in ("cd", "sml"):
            raise unknown("estimator of job dbn", self.estimator, ["cd", "sml"])

    @property
    def title(self) -> str:
        """The layers and the estimator."""
        return f"DBN {dashed(self.hidden)}, {self.estimator.upper()}-1"

    @property
    def images(self) -> int:
        """Rows that a piece looks at, once for each layer."""
        return super().images * len(self.hidden)

    def start(self, n_visible: int) -> DBN:
        """Made-up layers."""
        return DBN(tuple(made_up.model(n, m) for n, m in pairwise([n_visible, *self.hidden])))

    def cost(self, subject: Subject) -> Cost:
        """Of each layer that of an RBM, and the products upwards, once for each row."""
        sizes = [layer.W.size for layer in subject.model.layers]
        upward = sum(2.0 * sum(sizes[:n]) for n in range(1, len(sizes)))
        operations = (12.0 * sum(sizes) + upward) * self.batch * self.updates
        states = 3.0 * self.batch * self.updates * sum(layer.n_visible for layer in subject.model.layers)
        return Cost(operations, 4.0 * sum(sizes) * self.updates, states)

    def trainer(self, k: Backend, subject: Subject, seed: int) -> Trainer:
        """The library's own loops, a layer each."""
        return _Layers(k, subject.model, subject.rows(self.rows), self.estimator, self.batch, seed)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return self._theirs(peer, subject, self.updates, RATE, MOMENTUM)

    def _theirs(self, peer: Peer, subject: Subject, updates: int, rate: float, momentum: float) -> Work:
        persistent = self.estimator == "sml"
        rows = subject.rows(self.rows)
        return peer.start("dbn", subject.model, rows, persistent, self.batch, updates, rate, momentum)

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """One update of each layer at a large rate, and the law of the states that it sees."""
        what, precision = f"peer {peer.name}", peer.place.precision
        for n, layer in enumerate(subject.model.layers, 1):
            last: dict[str, np.ndarray] = {}

            def update(rate: float, n: int = n, last: dict = last) -> dict[str, np.ndarray]:
                work = self._theirs(peer, subject, 1, rate, 0.0)
                work.run()
                last |= work.result()
                return {name: last[f"{name}{n}"] for name in ("W", "b", "c", "batch", "chains", "h")}

            where = f"{what}, layer {n}"
            conformance.check_update(where, self.estimator, layer, update, precision, self.batch)
            if n > 1:
                p = hidden_probability(subject.model.layers[n - 2], last[f"given{n}"])
                conformance.check_states(f"{where} (its rows)", last[f"batch{n}"], p, precision)


@dataclass(frozen=True)
class Together(Own):
    """An epoch of all layers of a DBM together, with momentum.

    hidden: units of its layers; mean_field: its updates of the means, and sweeps: those of the chains,
    that persist, in an update.
    """

    name = "dbm"

    hidden: list[int] = field(default_factory=lambda: [500, 1000])
    mean_field: int = 10
    chains: int = 100
    sweeps: int = 5

    @property
    def title(self) -> str:
        """The layers and what an update consists of."""
        return (
            f"DBM {dashed(self.hidden)}, {self.mean_field} of mean field, {self.sweeps} sweeps of "
            f"{self.chains:,} chains"
        )

    def start(self, n_visible: int) -> DBM:
        """Made-up layers; one between two others has half of each one's bias."""
        layers = [made_up.model(n, m) for n, m in pairwise([n_visible, *self.hidden])]
        between = (0.5 * (below.c + above.b) for below, above in pairwise(layers))
        return DBM(tuple(layer.W for layer in layers), (layers[0].b, *between, layers[-1].c))

    def cost(self, subject: Subject) -> Cost:
        """Mean field with the product of v done once; chains; the products of both phases.

        W and its velocity are read and written, and W once more a sweep and an update of mean field.
        """
        sizes = [W.size for W in subject.model.weights]
        total, above = sum(sizes), sum(sizes[1:])
        given = 2.0 * self.batch * (sizes[0] + 2 * self.mean_field * above + total)
        made = 2.0 * self.chains * total * (2 * self.sweeps + 2)
        states = 3.0 * (self.batch + self.chains) * sum(subject.model.sizes)
        return Cost((given + made) * self.updates, 4.0 * total * self.updates, states * self.updates)

    def trainer(self, k: Backend, subject: Subject, seed: int) -> Joint:
        """See `Epoch`."""
        phases = Phases(self.chains, self.sweeps, self.mean_field)
        how = SGD(RATE, MOMENTUM), EPOCHS, self.batch, seed, phases
        return Joint(k, subject.model, subject.rows(self.rows), *how)

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer."""
        return self._theirs(peer, subject, self.updates, RATE, MOMENTUM)

    def _theirs(self, peer: Peer, subject: Subject, updates: int, rate: float, momentum: float) -> Work:
        bipartite, rows = subject.parts[0], subject.rows(self.rows)
        chains = made_up.rows(self.chains, bipartite.n_visible)
        phases = self.mean_field, self.sweeps
        return peer.start(
            "dbm", subject.model, rows, chains, self.batch, updates, *phases, rate, momentum
        )

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """One update at a large rate: the means are the reference's, and with them it is an RBM's."""
        what, precision = f"peer {peer.name}", peer.place.precision
        model: DBM = subject.model
        bipartite, last = subject.parts[0], {}

        def update(rate: float) -> dict[str, np.ndarray]:
            work = self._theirs(peer, subject, 1, rate, 0.0)
            work.run()
            last.update(work.result())
            count = len(model.weights)
            arrays = [last[name] for name in model.names]
            now = DBM(tuple(arrays[:count]), tuple(arrays[count:])).whole
            sides = {"batch": last["means"], "chains": last["chains"], "h": last["h"]}
            return now.parameters | sides

        ties = dbm.mask(model.sizes)
        conformance.check_update(what, "dbm", bipartite, update, precision, self.chains, ties)
        conformance.check_means(what, bipartite, last["means"], model.n_visible, self.mean_field)
