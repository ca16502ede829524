"""Bias, variance and cost of an estimator's gradient against the exact one, at a fixed model.

The batch is drawn from the model's exact law at temperature 1, so that at another temperature the
gradient points from the tempered model to that law. Gradients are compared as one vector of W, b
and c, in the norm of its components.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ebmbench import estimators
from ebmbench.harness import sources, tasks, user_code
from ebmbench.harness.clock import Stopwatch, warm_up
from ebmbench.harness.foreign import gradients
from ebmbench.harness.measures import Quality, Speed, figure
from ebmbench.harness.tasks._estimator import OfEstimator
from ebmbench.harness.tasks._model import ModelCase
from ebmbench.kernels import api
from ebmbench.kernels.api import Backend, Handle, Tree
from ebmbench.models.enumerate import check_enumerable, draws
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.partition import base_rates
from ebmbench.randomness import Key, Stream

NAME = "gradient"
_CHAINS_A_RUN = 1_000_000  # numbers of chains that a run has to itself


@dataclass(frozen=True, kw_only=True)
class Case(OfEstimator, ModelCase):
    """One estimator at one model.

    estimator: a table with `name` and the estimator's settings, or other software, see
    `foreign.gradients`; rows: of the batch; replicates: how many gradients are compared, at least 3. An
    estimator that keeps a state is started `restarts` times with chains of its own; each time it first
    does `burn_in` steps on the model, so that its chains follow it, and then `thin` steps a gradient.
    """

    task = NAME
    function = gradients.SIGNATURE
    measures = (
        Speed("step_s", "a gradient"),
        Quality(
            "bias", "bias", "of the gradient's norm", tolerance=1e-3, std_error="bias_std_error",
            over=("gradient_norm",),
        ),
        Quality("variance", "variance", ratio=True, tolerance=0.2),
    )  # fmt: skip

    estimator: dict[str, Any] = field(hash=False)
    rows: int = 100
    replicates: int = 100
    burn_in: int = 1000
    thin: int = 10
    restarts: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("rows", "thin")
        require(self.replicates >= 3, f"replicates must be at least 3, but is {self.replicates}")
        require(self.restarts >= 3, f"restarts must be at least 3, but is {self.restarts}")
        require(self.burn_in >= 0, f"burn_in must be at least 0, but is {self.burn_in}")
        self.check_estimator("{ name = 'cd', k = 1 }")

    @property
    def heading(self) -> str:
        """Model, temperature, and the estimator with its settings."""
        return f"{self.where}, {tasks.in_words(self.label, self.settings)},"

    def inputs(self) -> dict[str, str]:
        """The digests of the model and of the user's code."""
        return super().inputs() | user_code.version(self.user_code)

    def summary(self, row: dict[str, Any]) -> str:
        """Bias, noise and cost of a gradient."""
        return (
            f"bias {row['bias']:.3g} ± {figure(row['bias_std_error'], '.1g')}, "
            f"noise {row['variance'] ** 0.5:.3g}, gradient {row['gradient_norm']:.3g}, "
            f"{1e3 * row['step_s']:.3g} ms"
        )


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in bias, variance and seconds; there is no curve."""
    k = api.load(case.backend)
    model = case.load()
    check_enumerable(model)
    truth = _truth(json.dumps(case.model), case.temperature, case.rows, case.seed)
    steps: _Steps | gradients.Steps
    if case.user_code:
        steps = gradients.Steps(case.user_code, case.settings, model, truth.batch, case.seed)
    else:
        steps = _Steps(k, case.estimator["name"], case.settings, model, truth.batch, case.seed)
    persistent = steps.state is not None
    row["compile_s"] += warm_up(k, steps)
    watch = Stopwatch(k, case.timeout_s)
    runs = case.restarts if persistent else case.replicates
    # Replicates of one run of chains depend on each other; those of different runs never do.
    run_of = np.arange(case.replicates) * runs // case.replicates
    found = []
    for replicate, run in enumerate(run_of):
        if persistent and (replicate == 0 or run != run_of[replicate - 1]):
            steps.restart(int(run))
            for _ in range(case.burn_in):
                watch.check()
                steps()
        for _ in range(case.thin - 1 if persistent else 0):
            steps()
        step: Any = watch.time(steps)
        found.append(steps.vector(step))
    row |= fidelity(np.array(found), truth.gradient, run_of) | watch.summary("step_s")
    row["persistent"] = persistent


class _Steps:
    """Gradients of one estimator at a model that does not change; a restart has chains of its own."""

    def __init__(
        self, k: Backend, name: str, settings: dict[str, Any], model: RBM, batch: np.ndarray, seed: int
    ) -> None:
        self.k, self.model, self.key = k, model, Key(seed, 0)
        self.module, self.config = estimators.find(name, settings)
        self.handle, self.batch = k.put(model), k.put_rows(batch)
        self.base = base_rates(batch, "batch").bias
        self.restart(0)

    def restart(self, run: int) -> None:
        """Begin afresh with the random numbers of other chains."""
        self.key = self.key._replace(step=0, chain=run * _CHAINS_A_RUN)
        self.state = self.module.init(self.k, self.model, self.config, self.key, self.base)

    def __call__(self) -> Tree:
        gradient, self.state, _ = self.module.step(
            self.k, self.handle, self.config, self.state, self.batch, self.key
        )
        self.key = self.key.advance(1)
        return gradient

    def vector(self, gradient: Tree) -> np.ndarray:
        """W, b and c of a gradient as one float64 vector."""
        return _flat(self.k, self.handle, gradient)


def fidelity(found: np.ndarray, exact: np.ndarray, run_of: np.ndarray) -> dict[str, float]:
    """Bias and variance of gradients [replicates, parameters] against the exact one [parameters].

    run_of: which run each replicate belongs to, [replicates]; only runs are independent. bias: norm of
    the expected error; the mean over all pairs of replicates of different runs of their errors' product
    estimates its square without the noise of the mean, floored at 0. bias_std_error: from the bias to
    the root of its square plus that square's standard error, by the jackknife over runs. variance:
    trace of one gradient's covariance. cosine: of the mean gradient to the exact one.
    """
    errors = found - exact
    member = np.equal.outer(np.unique(run_of), run_of).astype(float)
    sums, sizes = member @ errors, member.sum(axis=1)
    n = len(sizes)
    products, pairs = sums @ sums.T, np.outer(sizes, sizes)
    for matrix in (products, pairs):
        np.fill_diagonal(matrix, 0.0)

    def without(matrix: np.ndarray) -> np.ndarray:
        return matrix.sum() - 2.0 * matrix.sum(axis=0)

    squared = products.sum() / pairs.sum()
    uncertainty = np.sqrt((n - 1) * (without(products) / without(pairs)).var())
    bias = np.sqrt(max(0.0, squared))  # of finite gradients
    variance = found.var(axis=0, ddof=1).sum()
    mean, norm = found.mean(axis=0), np.linalg.norm(exact)
    lengths = np.linalg.norm(mean) * norm
    return {
        "gradient_norm": float(norm),
        "bias": float(bias),
        "bias_std_error": float(np.sqrt(bias**2 + uncertainty) - bias),
        "variance": float(variance),
        "rms_error": float(np.sqrt(bias**2 + variance)),
        "cosine": float(mean @ exact / lengths) if lengths > 0 else np.nan,
    }


class _Truth(NamedTuple):
    batch: np.ndarray
    gradient: np.ndarray


@cache
def _truth(source: str, temperature: float, rows: int, seed: int) -> _Truth:
    """A batch from the model at temperature 1, and the exact gradient of the tempered model there."""
    origin = json.loads(source)
    batch = draws(sources.load_model(origin), rows, Key(seed, Stream.EXACT)).astype(np.uint8)
    reference = api.load("reference")
    handle = reference.put(sources.load_model(origin, temperature))
    (gradient, _), _ = reference.exact_gradient(handle, reference.put_rows(batch))
    return _Truth(batch, _flat(reference, handle, gradient))


def _flat(k: Backend, handle: Handle, gradient: Tree) -> np.ndarray:
    """W, b and c of a gradient on the device as one float64 vector."""
    tree = k.get_tree(handle, {name: gradient[name] for name in ("W", "b", "c")})
    return np.concatenate([np.ravel(tree[name]).astype(np.float64) for name in ("W", "b", "c")])
