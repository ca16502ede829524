"""Greedy layer-wise training: an RBM upon an RBM (Hinton, Osindero & Teh 2006; Bengio et al. 2007).

Layer l + 1 is trained on h^l drawn from q(h|v) through the layers below, which stand still. The draws
are binary, so that the kernels' sparse paths serve them as they serve data, and made anew each epoch, so
that the layer sees q and not one sample of it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ebmbench import estimators
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models.dbn import DBN
from ebmbench.models.rbm import RBM
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed, derived_seed
from ebmbench.samplers.recognition import upwards
from ebmbench.training.batches import Batches, Redraw, Source
from ebmbench.training.fit import PRECISIONS, STARTS, Fit, check_units, initial_model
from ebmbench.training.initial import check_hidden
from ebmbench.training.sgd import SGD
from ebmbench.training.stages import Stages

DOUBLES = "cd"  # the estimator that can hear a layer twice


class Stack(Stages):
    """One training run of a DBN, whose layers are `Fit`s one after the other, the lowest as it is alone.

    rows: [n, n_visible], as `Fit` takes them; hidden: units of each hidden layer; estimator, settings:
    of all layers; optimiser, epochs: one for all layers or one for each; visible, precision: what the
    lowest layer's visible units are, and whether their precision is learned; masks: for each layer 0 and
    1 of the shape of its W, or None; doubled: whether layers hear their neighbours as those of a DBM
    that is pre-trained do (see `betas`), by contrastive divergence; tied: whether an upper layer starts
    as the one below, see `turned`; redraw: of the data, as `Fit` takes it.
    """

    def __init__(
        self,
        k: Backend,
        rows: np.ndarray,
        hidden: Sequence[int],
        estimator: str = DOUBLES,
        settings: dict[str, Any] | None = None,
        optimiser: SGD | Sequence[SGD] | None = None,
        epochs: int | Sequence[int] = 10,
        batch_size: int = 100,
        seed: int = 0,
        visible: str = "binary",
        precision: str = "learned",
        masks: Sequence[np.ndarray | None] | None = None,
        doubled: bool = False,
        tied: bool = False,
        redraw: Redraw | None = None,
    ) -> None:
        depth = len(hidden)
        require(depth >= 1, "a stack needs at least one hidden layer")
        check_hidden(*hidden)
        self.k, self.hidden, self.seed = k, list(hidden), check_seed(seed)
        require(
            not doubled or (visible, estimator) == ("binary", DOUBLES),
            f"layers that hear each other twice are binary and trained by {DOUBLES}, "
            f"not {visible} and by {estimator}",
        )
        self.betas = betas(depth) if doubled else [(1.0, 1.0)] * depth
        self._visible, self._precision, self._batch_size = visible, precision, batch_size
        self._estimator, self._settings = estimator, settings or {}
        self._optimisers = each("optimisers", optimiser or SGD(), depth)
        check_units(visible, precision, self._optimisers[0].centred)
        self._epochs = each("numbers of epochs", epochs, depth)
        self._masks = each("masks", masks, depth)
        self._tied = tied
        self._data = check_rows(rows, real=visible == "gaussian")
        self._redraw = redraw
        self._source = Source(k, self._data, redraw) if depth > 1 else None
        self._check_upper_layers()
        if tied:
            self._check_tied(visible, doubled)
        batches = Batches(k, len(rows), batch_size, seed).count
        names = [f"layer {n + 1} of {depth}" for n in range(depth)]
        super().__init__([n * batches for n in self._epochs], names)

    def _check_upper_layers(self) -> None:
        """Whether the estimator serves them, said now and not when their turn comes."""
        module, config = estimators.find(self._estimator, self._settings)
        for below, above in zip(self.hidden, self.hidden[1:], strict=False):
            model = RBM(np.zeros((below, above)), np.zeros(below), np.zeros(above))
            module.init(self.k, model, config, Key(self.seed, 0), model.b)

    def _check_tied(self, visible: str, doubled: bool) -> None:
        alone = "a layer that starts as the one below"
        require(visible == "binary", f"{alone} needs binary visible units, not {visible} ones")
        require(not doubled, f"{alone} hears its neighbours once, but doubled is True")
        sizes = [self._data.shape[1], *self.hidden]
        for n, (below, units) in enumerate(zip(sizes, sizes[2:], strict=False), 2):
            require(
                units >= below,
                f"layer {n} starts as the one below, whose {below} visible units its {units} do not hold",
            )

    @property
    def model(self) -> DBN:
        """The layers trained so far and the present one, on the host; raises `Diverged`."""
        return DBN(tuple(self.models))

    def _make(self, number: int) -> Fit:
        settings = dict(self._settings)
        visible_beta, hidden_beta = self.betas[number]
        if (visible_beta, hidden_beta) != (1.0, 1.0):
            settings |= {"visible_beta": visible_beta, "hidden_beta": hidden_beta}
        seed, units = derived_seed(self.seed, number), self.hidden[number]
        redraw = self._redraw
        fixed: tuple[str, ...] = ()
        if number == 0:
            rows, fixed = self._data, PRECISIONS[self._precision]
            start = STARTS[self._visible](rows, units, seed)
        else:
            redraw = partial(self._drawn, [self.k.put(model) for model in self.learned])
            rows = np.asarray(self.k.get_rows(redraw(0)), np.uint8)
            start = initial_model(rows, units, seed)
            # At its base rates p(v|h) = sigmoid(beta b) too.
            start = RBM(start.W, start.b / visible_beta, start.c)
            if self._tied:
                start = turned(self.learned[-1], start)
        return Fit(
            self.k,
            start,
            rows,
            self._estimator,
            settings,
            self._optimisers[number],
            self._epochs[number],
            self._batch_size,
            seed,
            fixed,
            self._masks[number],
            redraw,
        )

    def _drawn(self, layers: list[Handle], epoch: int) -> Rows:
        """The layers' h for an epoch of the next one; no draw of one layer's epochs serves another's."""
        before = sum(self._epochs[: len(layers)])
        step = (before + epoch) * len(self.hidden)
        upward = [hidden_beta for _, hidden_beta in self.betas]
        assert self._source is not None
        return upwards(
            self.k, layers, self._source.of(epoch), Key(self.seed, Stream.RECOGNITION, step), upward
        )


def turned(below: RBM, start: RBM) -> RBM:
    """An RBM over h^l with the law that `below` gives it, or nearly: hidden units are its visible ones.

    Those beyond them are as in `start`, whose small weights hardly change the law. Training then begins
    where another layer gains nothing and loses nothing (Hinton, Osindero & Teh 2006, section 4).
    """
    W, c = start.W.copy(), start.c.copy()
    W[:, : below.n_visible], c[: below.n_visible] = below.W.T, below.b
    return RBM(W, below.c, c)


def betas(depth: int) -> list[tuple[float, float]]:
    """Inverse temperatures of p(v|h) and p(h|v) of each RBM that a DBM's pre-training stacks.

    2 where a layer of the DBM has one more neighbour than in the RBM, and so hears twice the one that
    it has there; see `models.dbm.composed`.
    """
    return [(2.0 if n > 0 else 1.0, 2.0 if n < depth - 1 else 1.0) for n in range(depth)]


def each(what: str, given: Any, depth: int) -> list[Any]:
    """One for each layer, where one for all is given."""
    found = list(given) if isinstance(given, list | tuple) else [given] * depth
    wanted = "1 layer needs one for it" if depth == 1 else f"{depth} layers need one each, or one for all"
    require(len(found) == depth, f"of {what} {wanted}, not {len(found)}")
    return found
