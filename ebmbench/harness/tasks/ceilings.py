"""What the device of a backend can do at most: the rates that floors of kernels stand on."""

from dataclasses import dataclass
from typing import Any

from ebmbench.harness import ceilings, tasks
from ebmbench.harness.measures import Speed

NAME = "ceilings"


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """One backend's device."""

    task = NAME
    seeded = False
    measures = (
        Speed("copy_per_s", "copying", rate=True),
        Speed("float32_per_s", "products in float32", rate=True),
        Speed("bfloat16_per_s", "products in bfloat16", rate=True),
    )
    kinds = ()  # no kernel of ours runs

    @property
    def label(self) -> str:
        """What is measured."""
        return "copies and matrix products"

    @property
    def heading(self) -> str:
        """The same, as a line begins."""
        return f"ceilings of the device, {self.label},"

    def facts(self) -> dict[str, Any]:
        """The fields, and what was looked at."""
        return super().facts() | {"subject": "the device", "measured": self.label}

    def summary(self, row: dict[str, Any]) -> str:
        """The rates."""
        rates = {"copies": ("copy", 1e9, "GB/s")}
        rates |= {name: (name, 1e12, "TFLOP/s") for name in ("float32", "bfloat16")}
        known = [
            f"{called} {row[f'{name}_per_s'] / unit:.4g} {word}"
            for called, (name, unit, word) in rates.items()
            if row[f"{name}_per_s"] is not None
        ]
        return ", ".join(known)


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in the rates, and by which library."""
    found = ceilings.measure(case.backend)
    row["measured_by"] = found.by
    row |= {f"{name}_per_s": getattr(found, name) for name in ("copy", "float32", "bfloat16")}
