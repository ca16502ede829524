"""How long a user waits for a first result: with an empty cache of kernels, and with a full one.

Every process is a fresh one. The first has a cache folder of its own that is empty; those that follow
share it, and must compile nothing.
"""

import json
import tempfile
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ebmbench.discovery import unknown
from ebmbench.harness import first_call, made_up, tasks
from ebmbench.harness.gate import Red
from ebmbench.harness.interleaved import in_a_process
from ebmbench.harness.measures import Speed

NAME = "startup"
_STAGES = ("python_s", "numba_s", "backend_s", "inputs_s", "first_s", "again_s")


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """One job on one backend.

    job: gibbs (10 sweeps), sml (an update) or ais (10 temperatures), all of so many chains; processes:
    how many start with a full cache, of which the medians count.
    """

    task = NAME
    seeded = False
    measures = (Speed("total_s", "a first result, full cache", without="functions"),)

    job: str
    n_visible: int = 784
    n_hidden: int = 500
    chains: int = 100
    processes: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n_visible", "n_hidden", "chains", "processes")
        if self.job not in first_call.JOBS:
            raise unknown("job of a first call", self.job, list(first_call.JOBS))

    @property
    def label(self) -> str:
        """The job."""
        return self.job

    @property
    def heading(self) -> str:
        """The job and its size."""
        return f"start of {self.job}, {self.n_visible}x{self.n_hidden}, {self.chains} chains,"

    def facts(self) -> dict[str, Any]:
        """The fields, and what was worked on."""
        subject = f"{made_up.name(self.n_visible, self.n_hidden)}, {self.chains} chains"
        return super().facts() | {"subject": subject}

    def summary(self, row: dict[str, Any]) -> str:
        """The wait for a first result, with an empty and a full cache."""
        return (
            f"first result after {row['cold_total_s']:.3g} s with an empty cache, {row['total_s']:.3g} s "
            f"with a full one; functions compiled: {row['cold_functions']} and {row['functions']}"
        )


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in the seconds of each stage; raises `Red` where a start with a full cache compiles."""
    sizes = (case.n_visible, case.n_hidden, case.chains)
    arguments = ["ebmbench.harness.first_call", case.job, case.backend, *map(str, sizes)]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(1 + case.processes):
            started = perf_counter()
            said = in_a_process(arguments, case.timeout_s, {"NUMBA_CACHE_DIR": folder})
            wall = perf_counter() - started
            one = json.loads(said.splitlines()[-1])
            one["total_s"] = sum(one[stage] for stage in _STAGES if stage in one and stage != "again_s")
            # Of the rest, ending the process takes a little; nearly all is Python's own start.
            one["python_s"] = wall - one["total_s"] - first_call.AGAIN * one["again_s"]
            one["total_s"] += one["python_s"]
            found.append(one)
    cold, *warm = found
    row |= {f"cold_{name}": cold[name] for name in ("first_s", "total_s", "compiler_s", "functions")}
    for name in (*_STAGES, "total_s"):
        low, median, high = np.quantile([one[name] for one in warm], [0.25, 0.5, 0.75])
        row |= {name: float(median), f"{name}_low": float(low), f"{name}_high": float(high)}
    row["functions"] = max(one["functions"] for one in warm)
    row["samples"] = found
    if row["functions"]:
        raise Red(f"a start with a full cache compiled {row['functions']} functions for {case.job} again")
