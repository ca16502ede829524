"""What the tasks that run one estimator have in common."""

from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from ebmbench import estimators
from ebmbench.harness import tasks, user_code


class OfEstimator(tasks.Case):
    """A case with a field `estimator`: a table with `name` and the estimator's settings.

    function: what code of the user's has to have to stand in its place; empty where none may.
    """

    function: ClassVar[str] = ""

    estimator: dict[str, Any]

    def check_estimator(self, example: str) -> None:
        """`UserError` for an estimator or a setting that is not known."""
        tasks.check_named("estimator", self.estimator, example)
        if self.user_code:
            user_code.function(self.user_code, self.function, self.settings)
        else:
            estimators.find(self.estimator["name"], self.settings)

    @property
    def user_code(self) -> str:
        """The estimator, where it is the user's."""
        name = self.estimator["name"]
        return name if self.function and user_code.is_users(name) else ""

    @property
    def settings(self) -> dict[str, Any]:
        """The estimator's settings without its name."""
        return tasks.settings_of(self.estimator)

    @property
    def label(self) -> str:
        """The estimator as tables and figures call it."""
        if self.user_code:
            return user_code.called(self.user_code)
        return estimators.find(self.estimator["name"], self.settings)[1].label

    @property
    def kinds(self) -> Collection[str]:
        """That of the model, and what else the estimator computes with."""
        if self.user_code:
            return (self.kind,)
        module, _ = estimators.find(self.estimator["name"], self.settings)
        return dict.fromkeys([self.kind, *getattr(module, "BESIDE", ())])

    def inputs(self) -> dict[str, str]:
        """What else is read, and the digest of the files that settings name, as NCE's noise."""
        files = b"".join(map(_content, self.settings.values()))
        return super().inputs() | ({"settings_digest": sha256(files).hexdigest()} if files else {})

    def facts(self) -> dict[str, Any]:
        """The fields, with the estimator's label in place of its table."""
        parts = {"settings": self.settings, "estimator_name": self.estimator["name"]}
        return super().facts() | {"estimator": self.label} | parts


def _content(setting: Any) -> bytes:
    """Of the file that a setting names, if it names one that can be read."""
    try:
        return Path(setting).read_bytes() if isinstance(setting, str) else b""
    except (OSError, ValueError):
        return b""
