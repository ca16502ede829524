"""A DBM from data alone: layers one upon the other first, then all together (S&H 2009, section 3)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ebmbench.kernels.api import Backend
from ebmbench.models.dbm import DBM, composed
from ebmbench.models.dbn import DBN
from ebmbench.options import require
from ebmbench.training.batches import Batches, Redraw
from ebmbench.training.joint import Joint, Phases
from ebmbench.training.sgd import SGD
from ebmbench.training.stack import Stack
from ebmbench.training.stages import Stages


class Pretrained(Stages):
    """A `Stack` with doubled inputs, and `Joint` training of what it is `composed` to.

    hidden, settings (of cd), stack_optimiser, stack_epochs: as `Stack` takes them; optimiser, epochs,
    phases: as `Joint` does; rows, batch_size, seed and redraw serve both.
    """

    def __init__(
        self,
        k: Backend,
        rows: np.ndarray,
        hidden: Sequence[int],
        settings: dict[str, Any] | None = None,
        stack_optimiser: SGD | Sequence[SGD] | None = None,
        stack_epochs: int | Sequence[int] = 10,
        optimiser: SGD | None = None,
        epochs: int = 10,
        batch_size: int = 100,
        seed: int = 0,
        phases: Phases | None = None,
        redraw: Redraw | None = None,
    ) -> None:
        require(epochs >= 1, f"the number of joint epochs must be at least 1, but is {epochs}")
        of_stack = settings, stack_optimiser, stack_epochs, batch_size, seed
        self._stack = Stack(k, rows, hidden, "cd", *of_stack, doubled=True, redraw=redraw)
        self._together = partial(
            Joint,
            k,
            rows=rows,
            optimiser=optimiser,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            phases=phases,
            redraw=redraw,
        )
        updates = epochs * Batches(k, len(rows), batch_size, seed).count
        super().__init__([self._stack.steps, updates], ["pre-training", "joint training"])

    def _make(self, number: int) -> Stack | Joint:
        if number == 0:
            return self._stack
        return self._together(model=composed(self.learned[0].layers))

    @property
    def stage(self) -> str:
        """See `Stages`."""
        return super().stage if self.learned else f"pre-training {self._stack.stage}"

    @property
    def model(self) -> DBM:
        """The DBM as it stands, of the layers that there are so far; raises `Diverged`."""
        last = self.models[-1]
        return composed(last.layers) if isinstance(last, DBN) else last
