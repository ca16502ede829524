"""What all trainers of models are to whoever holds the clock."""

from typing import Any, Protocol

from ebmbench.kernels.api import Backend


class Trainer(Protocol):
    """Does exactly the updates it is asked for.

    k: its backend; steps: the updates it was planned for; done: those that were done; batches: the
    updates of an epoch; info: what was said at the last update.
    """

    k: Backend
    steps: int
    done: int
    batches: int
    info: dict[str, Any]

    @property
    def model(self) -> Any:
        """The model as it stands, on the host; raises `Diverged` where it has left all bounds."""

    def advance(self, updates: int) -> None:
        """Do this many updates; raises `Diverged`."""
