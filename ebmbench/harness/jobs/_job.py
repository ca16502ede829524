"""What the jobs that kernels and peers are timed on have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ebmbench.options import require
from ebmbench.peers import Work


class Cost(NamedTuple):
    """Of one piece of work: multiplications and additions, and what is read or written at least.

    weights: how many, in a size that the arithmetic decides; other_bytes: of states and gradients.
    """

    operations: float
    weights: float
    other_bytes: float


class Ours(NamedTuple):
    """A backend's work, what moves its inputs there and its results back, and what a row says of them."""

    work: Work
    put: Callable[[], Any]
    get: Callable[[], Any]
    facts: Callable[[], dict[str, Any]] = dict


@dataclass(frozen=True)
class Job:
    """What all jobs have in common."""

    name: ClassVar[str]
    peers_job: ClassVar[str] = ""  # what a peer calls it; empty where no peer has it

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(value >= 1, f"{name} of job {self.name} must be at least 1, but is {value}")
