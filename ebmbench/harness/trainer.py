"""What all trainers of models are to whoever holds the clock."""

from typing import Any, Protocol


class Trainer(Protocol):
    """Does exactly the updates it is asked for."""

    @property
    def done(self) -> int:
        """Updates so far."""

    @property
    def model(self) -> Any:
        """The model as it stands, on the host; raises `Diverged` where it has left all bounds."""

    def advance(self, updates: int) -> None:
        """Do this many updates; raises `Diverged`."""


class Planned(Trainer, Protocol):
    """One whose updates have an end."""

    @property
    def steps(self) -> int:
        """How many updates it was planned for."""

    @property
    def batches(self) -> int:
        """Updates of an epoch."""

    @property
    def info(self) -> dict[str, Any]:
        """What was said at the last update."""
