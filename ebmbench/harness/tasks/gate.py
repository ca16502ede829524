"""The gate's jobs one by one: how far a backend is from the float64 reference, and how far it may be."""

from dataclasses import dataclass
from typing import Any

from ebmbench.discovery import unknown
from ebmbench.harness import gate, tasks
from ebmbench.kernels import api

NAME = "gate"


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """One job on all of the gate's sizes.

    arithmetic: `float`, `grid` and so on, or `gaussian` or `network`, a kind of model.
    """

    task = NAME
    seeded = False
    kinds = ()  # this is the gate

    job: str
    arithmetic: str = "float"

    def __post_init__(self) -> None:
        super().__post_init__()
        known: dict[str, list[str]] = {}
        for label in gate.labels():
            job, _, arithmetic = label.removesuffix(")").partition(" (")
            known.setdefault(job, []).append(arithmetic)
        if self.job not in known:
            raise unknown("job of the gate", self.job, list(known))
        if self.arithmetic not in known[self.job]:
            raise unknown(f"arithmetic of {self.job} at the gate", self.arithmetic, known[self.job])

    @property
    def label(self) -> str:
        """The job as the gate calls it."""
        return f"{self.job} ({self.arithmetic})"

    @property
    def heading(self) -> str:
        """The same, as a line begins."""
        return f"gate, {self.label},"

    def facts(self) -> dict[str, Any]:
        """The fields, and what was looked at."""
        return super().facts() | {"subject": "the gate's models"}

    def summary(self, row: dict[str, Any]) -> str:
        """The largest difference and what is allowed."""
        return f"off by {row['error']:.2g}, allowed is {row['tolerance']:.2g}"


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in the difference at the size where it is largest; raises `gate.Red` beyond the tolerance."""
    findings = list(gate.findings(api.load(case.backend), only={case.label}))
    worst = max(findings, key=lambda one: (one.red, one.error))
    row |= {"error": worst.error, "tolerance": worst.tolerance, "size": str(worst.size)}
    row["sizes"] = len(findings)
    if worst.red:
        raise gate.Red(f"backend {case.backend}: {worst}")
