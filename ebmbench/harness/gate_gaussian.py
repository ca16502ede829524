# ruff: noqa: D102 (each method is the job of its name in kernels.api)
"""The gate's jobs for a Gaussian-Bernoulli RBM.

The tolerances are those of binary units times the size of what is added up: a term of a pre-activation
is precision v W, of size up to 10, and a visible unit carries the error of its normal variate (1.3e-6)
and of its mean. Sums over visible units are divided by the number of them. A hidden unit differs only
where its uniform lies within 1e-5 of its probability; with the seeds below none does.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ebmbench.kernels.api import Backend, Tree
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream, normals, uniforms

_KEY = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)


def like(model: RBM) -> GaussianRBM:
    """A Gaussian model with these parameters, and precisions spread over [1/2, 2]."""
    precision = 2.0 ** np.linspace(-1.0, 1.0, model.n_visible)
    return GaussianRBM(model.W / 2.0, model.b, model.c, precision)


class GaussianJobs:
    """Every job on one backend from fixed inputs; each gives a list of host arrays."""

    tolerances = {
        "hidden_input": 4e-5,
        "visible_input": 2e-5,
        "hidden_probability": 1e-5,
        "free_energy": 2e-4,
        "gibbs": 2e-5,
        "posterior": 4e-5,
        "sample_hidden": 0.0,
        "sample_visible": 2e-5,
        "moments": 2e-5,
        "score_matching": 4e-5,
        "exact_gradient": 2e-5,
        "log_z": 1e-9,
        "temper": 2e-5,
        "anneal": 4e-4,
        "anneal_slowly": 1e-3,
        "train": 4e-5,
        "train_masked": 4e-5,
    }

    def __init__(self, k: Backend, model: RBM, binary: np.ndarray) -> None:
        self.k, self.host = k, like(model)
        self.summed_units = self.host.summed_units
        self.model = k.put(self.host)
        self.rows = k.put_rows(2.0 * normals(Key(7, Stream.SAMPLES), len(binary), model.n_visible) - 0.5)
        self.binary = k.put_rows(binary)
        self.h = k.put_rows((uniforms(Key(5, 0), len(binary), model.n_hidden) < 0.5).astype(np.uint8))
        spread = np.linspace(-1.0, 1.0, model.n_visible)
        self.base = np.stack([spread, 1.5 + spread / 2.0])

    def hidden_input(self) -> list:
        return [self.k.hidden_input(self.model, rows) for rows in (self.rows, self.binary)]

    def visible_input(self) -> list:
        return [self.k.visible_input(self.model, self.h)]

    def hidden_probability(self) -> list:
        return [self.k.get_rows(self.k.hidden_probability(self.model, self.rows, 0.7))]

    def free_energy(self) -> list:
        return [self.k.free_energy(self.model, rows) for rows in (self.rows, self.binary)]

    def posterior(self) -> list:
        """Of units that are known, seen with some precision and missing; rows must stay as they are."""
        k, rows = self.k, self.k.get_rows(self.rows)
        third = 3.0 * uniforms(Key(13, 0), *rows.shape)
        precision = np.where(third < 1.0, 0.5 + third, np.where(third < 2.0, np.inf, 0.0))
        evidence = k.put_evidence(np.hstack([1.0 - rows, precision]))
        found = k.posterior(self.model, self.rows, evidence, 4, 2, _KEY)
        return [k.get_rows(found), k.get_rows(self.rows)]

    def gibbs(self) -> list:
        states = [
            self.k.gibbs(self.model, rows, 3, _KEY, beta)
            for rows in (self.rows, self.binary)
            for beta in (1.0, 0.6)
        ]
        return [self.k.get_rows(layer) for pair in states for layer in pair]

    def sample_hidden(self) -> list:
        return self._half(self.k.sample_hidden, (self.rows, self.binary))

    def sample_visible(self) -> list:
        return self._half(self.k.sample_visible, (self.h,))

    def _half(self, job: Callable, layers: tuple) -> list:
        return [
            self.k.get_rows(job(self.model, rows, _KEY, beta)) for rows in layers for beta in (1.0, 0.6)
        ]

    def moments(self) -> list:
        contrasts = ((self.rows, self.rows[:1]), (self.binary, self.rows))
        return [part for pair in contrasts for part in self._trees(self.k.moments(self.model, *pair))]

    def score_matching(self) -> list:
        found = [
            self.k.score_matching(self.model, self.rows, noise, Key(8, Stream.DENOISING, 3, 2))
            for noise in (0.0, 0.5)
        ]
        size = 1 / self.host.n_visible
        return [part for phases, value in found for part in (*self._trees(phases), float(value) * size)]

    def exact_gradient(self) -> list:
        phases, log_z = self.k.exact_gradient(self.model, self.rows)
        return [*self._trees(phases), log_z / self.host.n_visible]

    def log_z(self) -> list:
        return [self.k.log_z(self.host)]

    def temper(self) -> list:
        ladders = self.k.put_rows(np.tile(self.k.get_rows(self.rows), (3, 1)))
        found = self.k.temper(self.model, self.base, np.array([0.0, 0.6, 1.0]), ladders, 3, _KEY)
        return [self.k.get_rows(found.v), found.accepted]

    def anneal(self) -> list:
        """To the model from draws of the base, and from given rows back to the base."""
        return self._anneal(np.linspace(0.0, 1.0, 5), 4) + self._anneal(
            np.linspace(1.0, 0.0, 5), self.rows
        )

    def anneal_slowly(self) -> list:
        return self._anneal(np.linspace(0.0, 1.0, 300), 4)

    def train(self) -> list:
        """Three updates of all parameters and one that leaves the precision as it is."""
        return self._train(self.host)

    def train_masked(self) -> list:
        """Weights that start at zero and are masked stay there."""
        kept = uniforms(Key(8, 0), *self.host.W.shape) < 0.5
        host = replace(self.host, W=self.host.W * kept)
        return self._train(host, self.k.put_mask(self.model, kept))

    def _train(self, host: GaussianRBM, mask: Tree | None = None) -> list:
        k, model = self.k, self.k.put(host)
        velocity = k.zeros(model)
        for step in range(4):
            gradient, _ = k.moments(model, self.rows, self.binary)
            if mask is not None:
                k.mask(model, gradient, mask)
            if step == 3:
                del gradient["log_precision"]
            if not k.update(model, velocity, gradient, 0.01, 0.5, 0.01):
                return [np.nan]
        after = k.get(model)
        inputs = k.hidden_input(model, self.rows), k.visible_input(model, self.h)
        return [after.W, after.b, after.c, after.precision, *(0.1 * x for x in inputs)]

    def _anneal(self, betas: np.ndarray, start: object) -> list:
        annealed = self.k.anneal(self.model, self.base, betas, start, Key(4, Stream.ANNEALING))
        return [annealed.log_weights, self.k.get_rows(annealed.v)]

    def _trees(self, phases: tuple) -> list:
        trees = [self.k.get_tree(self.model, tree) for tree in phases]
        return [tree[name] for tree in trees for name in sorted(tree)]
