"""Trainers one after the other as one trainer: each is made of what those before it have learned."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ebmbench.models.kinds import from_arrays, to_arrays
from ebmbench.training.ascent import Diverged
from ebmbench.training.schedule import check_planned
from ebmbench.training.states import State, joined, part
from ebmbench.training.trainer import Trainer


class Stages:
    """A subclass has `_make(number)`, which makes a stage's trainer of the `learned` models before it.

    A stage ends, and its model is learned, when the first update after its last one is asked for.
    """

    batches: int

    def __init__(self, steps: Sequence[int], names: Sequence[str]) -> None:
        self._steps, self._names = list(steps), list(names)
        self.steps = sum(steps)
        self.learned: list[Any] = []
        self._current = self._make(0)
        self.batches = self._current.batches

    def _make(self, number: int) -> "Trainer | Stages":
        raise NotImplementedError

    @property
    def done(self) -> int:
        """Updates so far."""
        return sum(self._steps[: len(self.learned)]) + self._current.done

    @property
    def stage(self) -> str:
        """What is being trained, for a person."""
        return self._names[len(self.learned)]

    @property
    def model(self) -> Any:
        """What the `models` make up together; raises `Diverged`."""
        raise NotImplementedError

    @property
    def info(self) -> dict[str, Any]:
        """What was said at the last update."""
        return self._current.info

    @property
    def models(self) -> list[Any]:
        """Of all stages up to the present one, as it stands; raises `Diverged`."""
        try:
            return [*self.learned, self._current.model]
        except Diverged as error:
            raise self._diverged(error) from None

    def advance(self, updates: int) -> None:
        """Do this many updates, over stages as they come; see `Trainer.advance`."""
        check_planned("run", self.done, updates, self.steps)
        while updates > 0:
            if self._current.done == self._current.steps:
                self.learned = self.models
                self._current = self._make(len(self.learned))
            now = min(updates, self._current.steps - self._current.done)
            try:
                self._current.advance(now)
            except Diverged as error:
                raise self._diverged(error) from None
            updates -= now

    def _diverged(self, error: Diverged) -> Diverged:
        return Diverged(f"{self.stage}: {error}")

    def state(self) -> State:
        """See `Trainer.state`: the present stage's, and the models learned before."""
        learned = {f"learned{n}": to_arrays(model) for n, model in enumerate(self.learned)}
        try:
            now = self._current.state()
        except Diverged as error:
            raise self._diverged(error) from None
        return {"stage": np.array(len(self.learned)), **joined(now=now, **learned)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """See `Trainer.restore`."""
        number = int(state["stage"])
        self.learned = [from_arrays(part(state, f"learned{n}")) for n in range(number)]
        self._current = self._make(number)
        self._current.restore(part(state, "now"))
