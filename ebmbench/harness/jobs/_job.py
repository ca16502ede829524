"""What the jobs that kernels and peers are timed on have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ebmbench.harness import subject
from ebmbench.harness.subject import Subject
from ebmbench.kernels.api import Backend
from ebmbench.options import require
from ebmbench.peers import Peer, Work


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

    name: ClassVar[str]  # a peer calls it so too
    of_rbms: ClassVar[bool] = True  # which a verdict on a peer is about, see `harness.verify`

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        raise NotImplementedError

    @property
    def on_tensor_cores(self) -> bool:
        """Whether a bfloat16 arithmetic computes in bfloat16, not in float32 with rounded weights."""
        return False

    @property
    def images(self) -> int | None:
        """Rows of data that a piece of work trains on; None where it does not train."""
        return None

    @property
    def units(self) -> dict[str, int | None]:
        """The size of the model that the job makes, as a row tells it; empty where it makes none."""
        return {}

    @property
    def draws(self) -> int | None:
        """Units that a piece of work draws; None where that is not what the job is known by."""
        return None

    def check_source(self, model: str | dict) -> None:
        """`UserError` where the job cannot run on such a model, see `sources.load_model`."""

    def called(self, model: str | dict, n_visible: int, n_hidden: int) -> str:
        """How tables call the model of this source, or a made-up one where it is empty."""
        return subject.called(model, n_visible, n_hidden)

    def load(self, model: str | dict, dataset: str, n_visible: int, n_hidden: int) -> Subject:
        """What it runs on; see `subject.load`."""
        return subject.load(model, dataset, n_visible, n_hidden)

    def cost(self, subject: Subject) -> Cost | None:
        """See `Cost`; None where neither products nor copies are what the job is made of."""
        return None

    def ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> Ours:
        """See `Ours`."""
        raise NotImplementedError

    def theirs(self, peer: Peer, subject: Subject) -> Work:
        """The same by a peer; `Unavailable` where it has no such job."""
        raise NotImplementedError

    def check(self, what: str, subject: Subject, work: Work, precision: str) -> None:
        """Do a piece of it; raise `Red` where its result is not that of this model in this precision."""
        raise NotImplementedError

    def check_ours(self, k: Backend, subject: Subject, arithmetic: str, seed: int) -> None:
        """What a piece as long as the timed one cannot show of a backend; by default nothing."""

    def check_peer(self, peer: Peer, subject: Subject) -> None:
        """The same of a peer."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            for one in value if isinstance(value, list) else [value]:
                positive = isinstance(one, str | float) or one >= 1  # what counts something
                require(positive, f"{name} of job {self.name} must be at least 1, but is {value}")
