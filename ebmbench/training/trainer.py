"""What every trainer does: updates by number, batches in a fixed random order, a state to go on from.

A trainer does exactly the updates it is asked for and nothing else, so that whoever holds the clock
can stop it in between to look at the model.
"""

from collections.abc import Mapping
from typing import Any, SupportsFloat

import numpy as np

from ebmbench.errors import NotFinite
from ebmbench.kernels.api import Backend, Tree
from ebmbench.options import require
from ebmbench.randomness import check_seed
from ebmbench.training.adam import Adam
from ebmbench.training.ascent import Ascent, Diverged
from ebmbench.training.batches import Batches
from ebmbench.training.schedule import check_planned
from ebmbench.training.sgd import SGD
from ebmbench.training.states import State, joined, part


class Trainer:
    """One training run of one model on one backend; a subclass has `_gradient`.

    steps: planned updates; batches: updates an epoch; epochs decides the length of the run and of its
    schedule. fixed, mask: see `Ascent`.
    """

    def __init__(
        self,
        k: Backend,
        model: Any,
        n_rows: int,
        optimiser: SGD | Adam,
        epochs: int,
        batch_size: int,
        seed: int,
        fixed: tuple[str, ...] = (),
        mask: np.ndarray | None = None,
    ) -> None:
        require(epochs >= 1, f"the number of epochs must be at least 1, but is {epochs}")
        self.k, self.optimiser, self.seed = k, optimiser, check_seed(seed)
        self._shuffled = Batches(k, n_rows, batch_size, seed)
        self.batch_size, self.batches = self._shuffled.size, self._shuffled.count
        self.steps = epochs * self.batches
        self._ascent = Ascent(k, model, optimiser, self.steps, fixed, mask)
        self._info: dict[str, Any] = {}

    @property
    def done(self) -> int:
        """Updates so far."""
        return self._ascent.done

    @property
    def model(self) -> Any:
        """The model as it stands, on the host; raises `Diverged` where it has left all bounds."""
        return self._ascent.model

    @property
    def info(self) -> dict[str, Any]:
        """What was said at the last update; of many that were one call nothing is said."""
        return self._info

    def advance(self, updates: int) -> None:
        """Do this many updates; raises `Diverged` where a parameter leaves all bounds.

        `UserError` beyond the planned number, where the schedule has no rate.
        """
        check_planned("fit", self.done, updates, self.steps)
        end = self.done + updates
        while self.done < end:
            if not self._update_many(end - self.done):
                self._update()

    def _update_many(self, most: int) -> bool:
        """Several updates at once, where a subclass knows a way; whether any was done."""
        return False

    def _update(self) -> None:
        """One update; a function of its own, so that nothing of it is still there at the next."""
        try:
            gradient, means = self._gradient()
        except NotFinite as error:
            raise Diverged(f"{error} after {self.done} updates") from None
        self._ascent.climb(gradient, means)

    def _gradient(self) -> tuple[Tree, Tree | None]:
        """The gradient of update number `done`, and the means of its phases where there are such."""
        raise NotImplementedError

    def state(self) -> State:
        """Everything that decides how the run goes on, and the numbers said last; raises `Diverged`."""
        numbers = np.ndarray | SupportsFloat  # some of which a GPU may still be computing
        try:
            said = {name: np.asarray(x) for name, x in self.info.items() if isinstance(x, numbers)}
        except NotFinite as error:
            raise Diverged(f"{error} after {self.done} updates") from None
        return self._ascent.state() | joined(info=said)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on, to the same bits, from a `state` of a trainer that was made in the same way."""
        self._ascent.restore(state)
        said = part(state, "info", optional=True)
        self._info = {name: x if x.ndim else x.item() for name, x in said.items()}
