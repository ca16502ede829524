"""The gate: no timing of a backend that does not agree with the float64 reference.

Every job runs on small ragged sizes beside the reference, from the same keys. Tolerances follow from
float32: a pre-activation is a sum of at most 65 terms of size about 3, so its error stays below
65 * 3 * 2**-24 < 1.2e-5, and a mean of probabilities or a free energy a small multiple of that.
Samples must be equal but where the uniform lies within 1e-5 of the probability; with the seeds below
no uniform does, so they must be equal.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ebmbench.harness.gate_binary import PRODUCTS, BinaryJobs
from ebmbench.harness.gate_gaussian import GaussianJobs
from ebmbench.harness.gate_graphs import DirectedJobs, FieldJobs, UndirectedJobs
from ebmbench.harness.gate_networks import NetworkJobs
from ebmbench.harness.sources import random_model
from ebmbench.kernels.api import ARITHMETICS, Backend, load
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.mlp import MLP
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream, uniforms

# n_visible, n_hidden, rows: ragged, and beyond every block of the kernels (128 columns of a sum of rows,
# 512 units of a sum of softplus, 1,000 factors of a product, 128 chains of a tile of tensor cores, 256
# rows from which on a matrix unit adds up gradients).
_MANY_CHAINS = (37, 21, 130)
SIZES = (
    (1, 7, 3), (7, 1, 1), (31, 33, 7), (33, 8, 5), (65, 31, 2), (145, 129, 3), (3, 1100, 2), (1100, 3, 2),
    _MANY_CHAINS, (20, 18, 260),
)  # fmt: skip
_ARITHMETICS = {(31, 33, 7): ARITHMETICS, _MANY_CHAINS: ("bfloat16", "bfloat16x2")}
_ENUMERABLE = 12
_JOINED = 200  # units that are all joined with each other; of 1,100 some would lie within rounding
GRAPHS = {"directed": DirectedJobs, "undirected": UndirectedJobs, "field": FieldJobs}
# What backends compute with, as they register their jobs, and how `findings` calls each.
_LABELS: dict[str, tuple[str, ...]] = {
    RBM.kind: ARITHMETICS,
    GaussianRBM.kind: ("gaussian",),
    BayesNet.kind: ("directed",),
    BoltzmannMachine.kind: ("undirected",),
    MarkovField.kind: ("field",),
    MLP.kind: ("network",),
}
KINDS = tuple(_LABELS)


@dataclass(frozen=True)
class Finding:
    """The largest difference from the reference of one job at one size, and what is allowed."""

    job: str
    size: tuple[int, int, int]
    error: float
    tolerance: float

    @property
    def red(self) -> bool:
        """Whether the job is wrong; a NaN is."""
        return not self.error <= self.tolerance

    def __str__(self) -> str:
        return (
            f"{self.job} at {self.size} differs from the reference by {self.error:.2g}, "
            f"allowed is {self.tolerance:.2g}"
        )


def spread_out_model(n_visible: int, n_hidden: int) -> RBM:
    """A model whose probabilities are spread out: W of size 3 / sqrt(units), biases of size 1."""
    return random_model(n_visible, n_hidden, 3.0 / np.sqrt(max(n_visible, n_hidden)))


def findings(
    backend: Backend, sizes: Sequence[tuple[int, int, int]] = SIZES, only: Collection[str] = ()
) -> Iterator[Finding]:
    """Every job, or only those named, at every size."""
    both = load("reference"), backend
    for size in sizes:
        for label, jobs in jobs_at(size).items():
            if not only or any(name.endswith(f"({label})") for name in only):
                yield from _compare([jobs(k) for k in both], label, size, only)


def jobs_at(size: tuple[int, int, int]) -> dict[str, Callable[[Backend], Any]]:
    """What makes the jobs of each kind of model and arithmetic at one size, from a backend."""
    n_visible, n_hidden, rows = size
    model = spread_out_model(n_visible, n_hidden)
    v = uniforms(Key(2, Stream.SAMPLES), rows, n_visible) < 0.5
    v = v.astype(np.uint8)
    arithmetics = _ARITHMETICS.get(size, ("float", "grid"))
    made: dict[str, Callable[[Backend], Any]] = {
        name: partial(BinaryJobs, model=model, v=v, arithmetic=name) for name in arithmetics
    }
    if "float" in arithmetics:
        made["gaussian"] = partial(GaussianJobs, model=model, binary=v)
    if "float" in arithmetics and n_visible <= _JOINED:
        made |= {label: partial(jobs, v=v) for label, jobs in GRAPHS.items() if n_visible >= jobs.least}
    return {**made, "network": partial(NetworkJobs, size=size, v=v)}


def labels(kinds: Collection[str] = KINDS) -> list[str]:
    """What `findings` names for these kinds of models, as `gibbs (grid)`, without running anything."""
    jobs: dict[str, Collection[str]] = {
        name: PRODUCTS if name.startswith("bfloat16") else BinaryJobs.tolerances for name in ARITHMETICS
    }
    jobs["gaussian"] = GaussianJobs.tolerances
    jobs |= {label: graphs.tolerances for label, graphs in GRAPHS.items()}
    jobs["network"] = NetworkJobs.tolerances
    shown = [label for kind, found in _LABELS.items() if kind in kinds for label in found]
    return [f"{job} ({name})" for name, names in jobs.items() if name in shown for job in names]


def _compare(jobs: Sequence[Any], label: str, size: tuple, only: Collection[str]) -> Iterator[Finding]:
    """Jobs of the reference and the backend."""
    wanted, found = jobs
    for job, tolerance in wanted.tolerances.items():
        if only and f"{job} ({label})" not in only:
            continue
        if wanted.summed_units > _ENUMERABLE and job in ("exact_gradient", "log_z"):
            continue
        error = _difference(getattr(wanted, job), getattr(found, job))
        yield Finding(f"{job} ({label})", size, error, tolerance)


def _difference(wanted: Callable[[], list], found: Callable[[], list]) -> float:
    pairs = zip(wanted(), found(), strict=True)
    errors = [np.abs(np.asarray(a, float) - np.asarray(b, float)) for a, b in pairs]
    return float(np.max([np.max(e, initial=0.0) for e in errors]))  # NaN stays NaN


class Red(Exception):
    """A backend that does not agree with the reference; the text says where."""


class Verdict(NamedTuple):
    """The reason why a backend is red, or None, and the seconds that the check took."""

    reason: str | None
    seconds: float


VERDICTS: dict[tuple[str, str], Verdict] = {}  # of this process, by backend and kind of model


def demand(name: str, kinds: Collection[str] = KINDS) -> float:
    """Raise `Red` unless the backend agrees with the reference on these kinds of models.

    Each is checked once a process. Returns the seconds of these checks, nearly all of which went into
    compiling the kernels, or into loading what was compiled before.
    """
    from ebmbench.harness.ahead import helped  # it runs this module's jobs

    unchecked = [kind for kind in KINDS if kind in kinds and (name, kind) not in VERDICTS]
    if unchecked:
        with helped(name, unchecked):
            for kind in unchecked:
                started = perf_counter()
                reason = check(load(name), [kind])
                VERDICTS[name, kind] = Verdict(reason, perf_counter() - started)
    verdicts = [VERDICTS[name, kind] for kind in kinds]
    reason = next((verdict.reason for verdict in verdicts if verdict.reason), None)
    if reason:
        raise Red(f"backend {name}: {reason}")
    return sum((verdict.seconds for verdict in verdicts), 0.0)


def check(backend: Backend, kinds: Collection[str] = KINDS) -> str | None:
    """None where every job of these kinds agrees with the reference, else one sentence on the worst."""
    red = [finding for finding in findings(backend, only=labels(kinds)) if finding.red]
    if not red:
        return None
    worst = max(red, key=lambda f: f.error / f.tolerance if f.tolerance else np.inf)
    return f"{worst} ({len(red)} findings in all)"
