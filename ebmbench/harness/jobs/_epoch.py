"""What the jobs that train have in common: an epoch of updates by the library's own loop."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ebmbench.harness import subject as subjects
from ebmbench.harness.jobs._job import Job, Ours
from ebmbench.harness.subject import Subject
from ebmbench.harness.trainer import Trainer
from ebmbench.kernels.api import Backend
from ebmbench.options import require
from ebmbench.peers import Work

RATE, MOMENTUM = 1e-6, 0.5  # so small that the model stays what it is, however many updates are clocked
EPOCHS = 10**6  # more than anyone can clock


@dataclass(frozen=True)
class Epoch(Job):
    """Updates, one for each whole batch of the rows."""

    rows: int = 60_000
    batch: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.batch <= self.rows,
            f"batch of job {self.name} is {self.batch}, more than its {self.rows} rows",
        )

    @property
    def updates(self) -> int:
        """Whole batches of the rows."""
        return self.rows // self.batch

    @property
    def images(self) -> int:
        """Rows that a piece looks at."""
        return self.updates * self.batch

    @property
    def title(self) -> str:
        """The kind of training, as tables call it."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"{self.title}, {self.updates:,} updates, batch {self.batch:,}"

    def trainer(self, k: Backend, subject: Subject, seed: int) -> Trainer:
        """The library's own loop over the subject's rows, with more epochs to go than anyone clocks."""
        raise NotImplementedError

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        require(arithmetic == "float", f"a model trains in float arithmetic, not in {arithmetic}")
        trainer, rows = self.trainer(k, subject, seed), subject.rows(self.rows)

        def put() -> None:
            for model in subject.parts:
                k.put(model, arithmetic)
            k.put_rows(rows)

        def result() -> dict[str, np.ndarray]:
            return dict(trainer.model.parameters)

        return Ours(Work(partial(trainer.advance, self.updates), k.synchronize, result), put, result)

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """A piece of it: the parameters stay finite, which `result` sees to."""
        work.run()
        found = work.result()
        for name in subject.model.parameters:
            require(bool(np.isfinite(found[name]).all()), f"{what}: {name} is not finite")


class Own(Epoch):
    """An epoch of a deep model that the job itself names."""

    of_rbms = False

    def check_source(self, model: str | dict) -> None:
        """Of no other model."""
        require(not model, f"job {self.name} makes its own model, so none can be named")

    @property
    def units(self) -> dict[str, int | None]:
        """The hidden layers stand in the job's name."""
        return {"n_hidden": None}

    def called(self, model: str | dict, n_visible: int, n_hidden: int) -> str:
        """What else the job's name does not say."""
        return f"rows of {n_visible} columns"

    def load(self, model: str | dict, dataset: str, n_visible: int, n_hidden: int) -> Subject:
        """The model for rows of n_visible columns, with those of the data set or made-up ones."""
        name = self.called(model, n_visible, n_hidden)
        return subjects.of(name, self.start(n_visible), n_visible, dataset)

    def start(self, n_visible: int) -> Any:
        """What training begins with."""
        raise NotImplementedError
