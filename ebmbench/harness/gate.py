"""The gate: no timing of a backend that does not agree with the float64 reference.

Every job runs on small ragged sizes beside the reference, from the same keys. Tolerances follow from
float32: a pre-activation is a sum of at most 65 terms of size about 3, so its error stays below
65 * 3 * 2**-24 < 1.2e-5, and a mean of probabilities or a free energy a small multiple of that.
Samples must be equal but where the uniform lies within 1e-5 of the probability; with the seeds below
no uniform does, so they must be equal.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ebmbench.harness.gate_gaussian import GaussianJobs
from ebmbench.harness.sources import random_model
from ebmbench.kernels.api import ARITHMETICS, Backend, Rows, load
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream, uniforms

# n_visible, n_hidden, rows: ragged, and beyond every block of the kernels (128 columns of a sum of rows,
# 512 units of a sum of softplus, 1,000 factors of a product, 128 chains of a tile of tensor cores).
_MANY_CHAINS = (37, 21, 130)
SIZES = (
    (1, 7, 3), (7, 1, 1), (31, 33, 7), (33, 8, 5), (65, 31, 2), (145, 129, 3), (3, 1100, 2), (1100, 3, 2),
    _MANY_CHAINS,
)  # fmt: skip
# What bfloat16 changes is the matrix product: the jobs that it enters, at two sizes. No uniform there
# lies within 8e-6 of its probability: float32 sums of 37 terms below 2 are off by 37 * 2 * 2**-23 at
# most, even where a tensor core truncates, and their sigmoids by a quarter of that, 2.3e-6.
_PRODUCTS = (
    "hidden_input", "visible_input", "hidden_probability", "visible_probability", "gibbs", "anneal",
)  # fmt: skip
_ARITHMETICS = {(31, 33, 7): ARITHMETICS, _MANY_CHAINS: ("bfloat16", "bfloat16x2")}
_ENUMERABLE = 12


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
        n_visible, n_hidden, rows = size
        model = spread_out_model(n_visible, n_hidden)
        v = uniforms(Key(2, Stream.SAMPLES), rows, n_visible) < 0.5
        v = v.astype(np.uint8)
        arithmetics = _ARITHMETICS.get(size, ("float", "grid"))
        for arithmetic in arithmetics:
            jobs = [_Jobs(k, model, v, arithmetic) for k in both]
            yield from _compare(jobs, arithmetic, size, min(n_visible, n_hidden), only)
        if "float" in arithmetics:
            gaussian = [GaussianJobs(k, model, v) for k in both]
            yield from _compare(gaussian, "gaussian", size, n_hidden, only)


def labels() -> list[str]:
    """What `findings` names, as `gibbs (grid)`, without running anything."""
    jobs: dict[str, Collection[str]] = {
        name: _PRODUCTS if name.startswith("bfloat16") else _Jobs.tolerances for name in ARITHMETICS
    }
    jobs["gaussian"] = GaussianJobs.tolerances
    return [f"{job} ({name})" for name, names in jobs.items() for job in names]


def _compare(
    jobs: Sequence[Any], label: str, size: tuple, summed: int, only: Collection[str]
) -> Iterator[Finding]:
    """Jobs of the reference and the backend; summed: units over whose states an exact sum runs."""
    wanted, found = jobs
    for job, tolerance in wanted.tolerances.items():
        if only and f"{job} ({label})" not in only:
            continue
        if summed > _ENUMERABLE and job in ("exact_gradient", "log_z"):
            continue
        error = _difference(getattr(wanted, job), getattr(found, job))
        yield Finding(f"{job} ({label})", size, error, tolerance)


def _difference(wanted: Callable[[], list], found: Callable[[], list]) -> float:
    pairs = zip(wanted(), found(), strict=True)
    errors = [np.abs(np.asarray(a, float) - np.asarray(b, float)) for a, b in pairs]
    return float(np.max([np.max(e, initial=0.0) for e in errors]))  # NaN stays NaN


class _Jobs:
    """Every job on one backend from fixed inputs; each gives a list of host arrays."""

    tolerances = {
        "hidden_input": 2e-5,
        "visible_input": 2e-5,
        "hidden_probability": 1e-5,
        "visible_probability": 1e-5,
        "free_energy": 1e-4,
        "gibbs": 0.0,
        "moments": 1e-5,
        "pseudolikelihood": 1e-5,
        "ratio_matching": 1e-5,
        "exact_gradient": 1e-5,
        "log_z": 1e-9,
        "nce": 1e-5,
        "temper": 0.0,
        "anneal": 2e-4,
        "anneal_slowly": 5e-4,
        "anneal_back": 5e-4,
        "train": 1e-5,
        "train_plainly": 1e-5,
    }

    def __init__(self, k: Backend, model: RBM, v: np.ndarray, arithmetic: str) -> None:
        self.k, self.host, self.rows = k, model, k.put_rows(v)
        self.model = k.put(model, arithmetic)
        if arithmetic.startswith("bfloat16"):
            self.tolerances = {job: self.tolerances[job] for job in _PRODUCTS}
        self.h = k.put_rows((uniforms(Key(5, 0), len(v), model.n_hidden) < 0.5).astype(np.uint8))
        self.grey = k.put_rows(uniforms(Key(6, 0), len(v), model.n_visible))
        self.base = np.linspace(-1.0, 1.0, model.n_visible)

    def hidden_input(self) -> list:
        return [self.k.hidden_input(self.model, rows) for rows in (self.rows, self.grey)]

    def visible_input(self) -> list:
        return [self.k.visible_input(self.model, self.h)]

    def hidden_probability(self) -> list:
        k = self.k
        return [
            k.get_rows(k.hidden_probability(self.model, rows, 0.7)) for rows in (self.rows, self.grey)
        ]

    def visible_probability(self) -> list:
        return [self.k.get_rows(self.k.visible_probability(self.model, self.h, 0.7))]

    def free_energy(self) -> list:
        return [self.k.free_energy(self.model, rows) for rows in (self.rows, self.grey)]

    def gibbs(self) -> list:
        key = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)
        states = [
            self.k.gibbs(self.model, rows, 3, key, beta)
            for rows in (self.rows, self.grey)
            for beta in (1.0, 0.6)
        ]
        return [self.k.get_rows(layer) for pair in states for layer in pair]

    def moments(self) -> list:
        grey = self.k.moments(self.model, self.grey, self.rows)
        return [
            *self._trees(self.k.moments(self.model, self.rows, self.rows[:1])),
            *self._trees(grey),
        ]

    def pseudolikelihood(self) -> list:
        return self._flips(self.k.pseudolikelihood)

    def ratio_matching(self) -> list:
        return self._flips(self.k.ratio_matching)

    def _flips(self, job: Callable) -> list:
        one = np.arange(len(self.h)) % self.host.n_visible
        found = [job(self.model, self.rows, bits) for bits in (None, one)]
        # Values are sums over units, and one bit stands for all: their errors add up.
        size = 1 / self.host.n_visible
        return [size * array for phases, value in found for array in (*self._trees(phases), value)]

    def exact_gradient(self) -> list:
        phases, log_z = self.k.exact_gradient(self.model, self.rows)
        return [
            *self._trees(phases),
            log_z * 1e-2,
        ]  # log Z from float32 weights: a sum of many units

    def nce(self) -> list:
        offsets = [np.linspace(-3.0, 3.0, len(rows)) for rows in (self.rows, self.rows[:1])]
        found = self.k.nce(self.model, self.rows, self.rows[:1], *offsets)
        return [*self._trees(found[:2]), *found[2:]]

    def temper(self) -> list:
        key = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)
        ladders = self.k.put_rows(np.tile(self.k.get_rows(self.rows), (3, 1)))
        betas = np.array([0.0, 0.6, 1.0])
        found = self.k.temper(self.model, self.base, betas, ladders, 3, key)
        return [self.k.get_rows(found.v), found.accepted]

    def log_z(self) -> list:
        return [self.k.log_z(self.host)]

    def anneal(self) -> list:
        return self._anneal(5, 4) + self._anneal(5, self.rows)

    def anneal_slowly(self) -> list:
        return self._anneal(300, 4)

    def anneal_back(self) -> list:
        """From given rows down to the base model; the rows must stay as they are."""
        return [*self._anneal(-5, self.rows), *self._anneal(-300, self.rows), self.k.get_rows(self.rows)]

    def train(self) -> list:
        """Three centred updates: moments, centring and update together."""
        return self._train(self.grey, centred=True)

    def train_plainly(self) -> list:
        """Updates along gradients that nothing else looked at, which need never be written down."""
        return self._train(self.grey, centred=False) + self._train(self.rows[:1], centred=False)

    def _train(self, positive: Rows, centred: bool) -> list:
        k, model = self.k, self.k.put(self.host)
        velocity, offsets = k.zeros(model), k.zeros(model)
        for sliding in (1.0, 0.1, 0.1):
            gradient, means = k.moments(model, positive, self.rows)
            if centred:
                k.centre(model, gradient, means, offsets, sliding)
            if not k.update(model, velocity, gradient, 0.1, 0.5, 0.01):
                return [np.nan]
        after = k.get(model)
        # The transposed copy that some backends keep must have followed.
        return [after.W, after.b, after.c, k.visible_input(model, self.h) * 0.1]

    def _anneal(self, temperatures: int, start: int | Rows) -> list:
        """A negative number of temperatures: from the model to the base."""
        betas = np.linspace(0.0, 1.0, abs(temperatures))[:: int(np.sign(temperatures))]
        annealed = self.k.anneal(self.model, self.base, betas, start, Key(4, Stream.ANNEALING))
        return [annealed.log_weights, self.k.get_rows(annealed.v)]

    def _trees(self, phases: tuple) -> list:
        trees = [self.k.get_tree(self.model, tree) for tree in phases]
        return [tree[name] for tree in trees for name in sorted(tree)]


class Red(Exception):
    """A backend that does not agree with the reference; the text says where."""


class Verdict(NamedTuple):
    """The reason why a backend is red, or None, and the seconds that the check took."""

    reason: str | None
    seconds: float


def demand(name: str) -> float:
    """Raise `Red` unless the backend agrees with the reference; checked once a process.

    Returns the seconds of that check, nearly all of which went into compiling the kernels, or into
    loading what was compiled before.
    """
    reason, seconds = verdict(name)
    if reason:
        raise Red(f"backend {name}: {reason}")
    return seconds


@cache
def verdict(name: str) -> Verdict:
    """`check` of a backend by name, once a process."""
    started = perf_counter()
    reason = check(load(name))
    return Verdict(reason, perf_counter() - started)


def check(backend: Backend) -> str | None:
    """None where every job agrees with the reference, else one sentence that names the worst."""
    red = [finding for finding in findings(backend) if finding.red]
    if not red:
        return None
    worst = max(red, key=lambda f: f.error / f.tolerance if f.tolerance else np.inf)
    return f"{worst} ({len(red)} findings in all)"
