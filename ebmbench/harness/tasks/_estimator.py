"""What the tasks that run one estimator have in common."""

from collections.abc import Collection
from typing import Any

from ebmbench import estimators
from ebmbench.harness import tasks


class OfEstimator(tasks.Case):
    """A case with a field `estimator`: a table with `name` and the estimator's settings."""

    estimator: dict[str, Any]

    def check_estimator(self, example: str) -> None:
        """`UserError` for an estimator or a setting that is not known."""
        tasks.check_named("estimator", self.estimator, example)
        estimators.find(self.estimator["name"], self.settings)

    @property
    def settings(self) -> dict[str, Any]:
        """The estimator's settings without its name."""
        return tasks.settings_of(self.estimator)

    @property
    def label(self) -> str:
        """The estimator as tables and figures call it."""
        return estimators.find(self.estimator["name"], self.settings)[1].label

    @property
    def kinds(self) -> Collection[str]:
        """That of the model, and what else the estimator computes with."""
        module, _ = estimators.find(self.estimator["name"], self.settings)
        return dict.fromkeys([self.kind, *getattr(module, "BESIDE", ())])

    def facts(self) -> dict[str, Any]:
        """The fields, with the estimator's label in place of its table."""
        parts = {"settings": self.settings, "estimator_name": self.estimator["name"]}
        return super().facts() | {"estimator": self.label} | parts
