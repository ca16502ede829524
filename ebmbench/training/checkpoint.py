"""A run that is killed at any moment goes on from its last checkpoint, to the same bits.

The file is an .npz of the trainer's state and of facts that tell the run: its settings and its data. It
is replaced in one step, so there is the old one or the new one, never half of each.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.models.storage import opened
from ebmbench.training.states import State

_FACTS = "facts"
_MARK = "checkpoint version"
_VERSION = 1  # of what a state holds; a file of another one is refused


class Keeps(Protocol):
    """Every trainer."""

    def state(self) -> State:
        """See `Trainer.state`."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """See `Trainer.restore`."""


class Checkpoint:
    """A run's file; facts: whatever makes the run what it is, by name, as JSON holds it."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = path
        self.facts = json.loads(json.dumps({_MARK: _VERSION, **facts}))

    def save(self, trainer: Keeps) -> None:
        """Replace the file by the trainer's state as it stands.

        Raises `Diverged`, and leaves the file alone, where the model has left all bounds; `UserError`
        where the file cannot be written.
        """
        arrays: dict[str, Any] = {**trainer.state(), _FACTS: np.array(json.dumps(self.facts))}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        try:
            write_atomically(self.path, buffer.getvalue())
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from None

    def restore(self, trainer: Keeps) -> bool:
        """Let a trainer that was made in the same way go on; False where there is no file yet.

        `UserError` with the file's name where it is damaged, or of another run: then with what differs.
        """
        if not self.path.exists():
            return False
        with opened(self.path) as content:
            state = {name: content[name] for name in content}
            self._check(state.pop(_FACTS, None))
            trainer.restore(state)
        return True

    def _check(self, text: Any) -> None:
        try:
            known = json.loads(str(text))
        except json.JSONDecodeError:
            known = None
        if not isinstance(known, dict) or _MARK not in known:
            raise UserError("it is no checkpoint")
        for name in [*self.facts, *known]:
            there, here = (_said(facts, name) for facts in (known, self.facts))
            if there != here:
                raise UserError(f"it is the checkpoint of another run: {name} is {there}, not {here}")


def _said(facts: Mapping[str, Any], name: str) -> str:
    return json.dumps(facts[name], sort_keys=True) if name in facts else "missing"
