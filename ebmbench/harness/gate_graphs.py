# ruff: noqa: D102 (each method is the job of its name in kernels.api)
"""The gate's jobs for models whose units are joined among themselves: directed, undirected, on a graph.

The tolerances are those of `gate`. A unit is drawn by comparing its log odds with those of its uniform,
whose float32 logarithms are off by 4e-6 at most, and so its probability by 1e-6 more than elsewhere.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebmbench.harness.gate_binary import posterior
from ebmbench.kernels.api import Backend, Rows
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.graph import Graph, lattice
from ebmbench.models.markov_field import MarkovField, ising
from ebmbench.randomness import Key, Stream, normals, uniforms

_KEY = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)
_SIDE, _LARGE_BESIDE = 128, 31  # of a large torus; n_visible of the size that it is looked at beside


def _couplings(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Strictly upper triangular ones and biases whose probabilities are spread out."""
    key = Key(12, Stream.INITIAL_PARAMETERS)
    return np.triu(normals(key, n, n), 1) * 3.0 / np.sqrt(n), normals(key._replace(chain=n), 1, n)[0]


class _GraphJobs:
    """Every job on one backend from fixed inputs; each gives a list of host arrays."""

    tolerances: dict[str, float]
    least = 1  # units

    @staticmethod
    def made(n: int) -> Any:
        """The model of so many units."""
        raise NotImplementedError

    def __init__(self, k: Backend, v: np.ndarray) -> None:
        self.k, self.host = k, self.made(v.shape[1])
        self.model = k.put(self.host)
        self.rows, self.others = k.put_rows(v), k.put_rows(1 - v)
        self.grey = k.put_rows(uniforms(Key(6, 0), *v.shape))
        self.base = np.linspace(-1.0, 1.0, v.shape[1])
        self.summed_units = self.host.summed_units

    def free_energy(self) -> list:
        return [self.k.free_energy(self.model, rows) for rows in (self.rows, self.grey)]

    def gibbs(self) -> list:
        return [*self._gibbs(self.rows, 3, 1.0), *self._gibbs(self.grey, 2, 0.6)]

    def gibbs_long(self) -> list:
        """For so long that sums which follow the units start anew."""
        return self._gibbs(self.rows[:2], 66, 1.0)

    def posterior(self) -> list:
        return posterior(self.k, self.model, self.rows)

    def _gibbs(self, v: Rows, steps: int, beta: float) -> list:
        return [self.k.get_rows(self.k.gibbs(self.model, v, steps, _KEY, beta)[0])]

    def moments(self) -> list:
        pairs = [(self.rows, self.rows[:1]), (self.grey, self.rows), (self.rows, self.others)]
        return [part for pair in pairs for part in self._trees(self.k.moments(self.model, *pair))]

    def exact_gradient(self) -> list:
        phases, log_z = self.k.exact_gradient(self.model, self.rows)
        return [*self._trees(phases), log_z * 1e-2]

    def log_z(self) -> list:
        return [self.k.log_z(self.host)]

    def train(self) -> list:
        """Along moments of grey and of binary rows."""
        return self._train(lambda model: self.k.moments(model, self.grey, self.rows).gradient)

    def _train(self, gradient_of: Callable[[Any], dict[str, Any]]) -> list:
        """Four updates, the last of which leaves the biases as they are."""
        k = self.k
        model = k.put(self.host)
        velocity = k.zeros(model)
        for step in range(4):
            gradient = gradient_of(model)
            if step == 3:
                del gradient["b"]
            if not k.update(model, velocity, gradient, 0.1, 0.5, 0.01):
                return [np.nan]
        tree = k.put_tree(model, k.get_tree(model, velocity))
        k.update(model, tree, k.zeros(model), 0.1, 1.0, 0.0)
        # What units hear must have followed from both sides.
        return [*k.get(model).parameters.values(), k.free_energy(model, self.rows) / self.host.n_visible]

    def _trees(self, phases: tuple) -> list:
        trees = [self.k.get_tree(self.model, tree) for tree in phases]
        return [tree[name] for tree in trees for name in sorted(tree)]


class DirectedJobs(_GraphJobs):
    """Of a Bayesian network."""

    tolerances = {
        "free_energy": 1e-4,
        "gibbs": 0.0,
        "gibbs_long": 0.0,
        "posterior": 2e-5,
        "moments": 1e-5,
        "exact_gradient": 1e-5,
        "log_z": 0.0,
        "train": 1e-5,
    }

    @staticmethod
    def made(n: int) -> BayesNet:
        return BayesNet(*_couplings(n))


class UndirectedJobs(_GraphJobs):
    """Of a Boltzmann machine."""

    tolerances = {
        "free_energy": 1e-4,
        "gibbs": 0.0,
        "gibbs_long": 0.0,
        "posterior": 2e-5,
        "moments": 1e-5,
        "pseudolikelihood": 1e-5,
        "ratio_matching": 1e-5,
        "exact_gradient": 1e-5,
        "log_z": 1e-9,
        "nce": 1e-5,
        "temper": 0.0,
        "temper_long": 0.0,
        "anneal": 2e-4,
        "anneal_slowly": 5e-4,
        "train": 1e-5,
        "train_centred": 1e-5,
        "mean_field": 2e-5,
    }

    @staticmethod
    def made(n: int) -> Any:
        return BoltzmannMachine(*_couplings(n))

    def train(self) -> list:
        """And along flips, whose two halves of W differ before they are joined."""
        flips = self._train(lambda model: self.k.pseudolikelihood(model, self.rows)[0].gradient)
        return super().train() + flips

    def train_centred(self) -> list:
        """Three updates at offsets that slide: moments, centring and update together."""
        k, model = self.k, self.k.put(self.host)
        velocity, offsets = k.zeros(model), k.zeros(model)
        for step in range(3):
            gradient, means = k.moments(model, self.grey, self.rows)
            k.centre(model, gradient, means, offsets, 0.3 if step else 1.0)
            k.update(model, velocity, gradient, 0.1, 0.5, 0.01)
        trees = [k.get_tree(model, tree) for tree in (velocity, offsets)]
        found = [*k.get(model).parameters.values(), *trees[0].values(), trees[1]["b"]]
        return [*found, k.free_energy(model, self.rows) / self.host.n_visible]  # see `_train`

    def mean_field(self) -> list:
        """Of all units but the first third, from means between 0 and 1, which stay as they are."""
        first = -(-self.host.n_visible // 3)
        grey = self.k.get_rows(self.grey)
        start = self.k.put_rows(grey[:, first:].astype(np.float32))
        found = [
            self.k.mean_field(self.model, self.k.put_rows(rows[:, :first]), start, 3)[0]
            for rows in (self.k.get_rows(self.rows), grey)
        ]
        return [self.k.get_rows(rows) for rows in (*found, start)]

    def pseudolikelihood(self) -> list:
        return self._flips(self.k.pseudolikelihood)

    def ratio_matching(self) -> list:
        return self._flips(self.k.ratio_matching)

    def _flips(self, job: Callable) -> list:
        one = np.arange(len(self.rows)) % self.host.n_visible
        found = [job(self.model, self.rows, bits) for bits in (None, one)]
        size = 1 / self.host.n_visible
        return [size * array for phases, value in found for array in (*self._trees(phases), value)]

    def nce(self) -> list:
        offsets = [np.linspace(-3.0, 3.0, len(rows)) for rows in (self.rows, self.rows[:1])]
        found = self.k.nce(self.model, self.rows, self.rows[:1], *offsets)
        return [*self._trees(found[:2]), *found[2:]]

    def temper(self) -> list:
        return self._temper(self.k.get_rows(self.rows), 3)

    def temper_long(self) -> list:
        """One ladder for so long that sums which follow the units start anew."""
        return self._temper(self.k.get_rows(self.rows)[:1], 66)

    def _temper(self, rows: np.ndarray, sweeps: int) -> list:
        ladders = self.k.put_rows(np.tile(rows, (3, 1)))
        found = self.k.temper(self.model, self.base, np.array([0.0, 0.6, 1.0]), ladders, sweeps, _KEY)
        return [self.k.get_rows(found.v), found.accepted]

    def anneal(self) -> list:
        """To the model, and from given rows back to the base, which stay as they are."""
        there, back = np.linspace(0.0, 1.0, 5), np.linspace(1.0, 0.0, 5)
        return [*self._anneal(there, 4), *self._anneal(back, self.rows), self.k.get_rows(self.rows)]

    def anneal_slowly(self) -> list:
        return self._anneal(np.linspace(0.0, 1.0, 300), 2)

    def _anneal(self, betas: np.ndarray, start: int | Rows) -> list:
        annealed = self.k.anneal(self.model, self.base, betas, start, Key(4, Stream.ANNEALING))
        return [annealed.log_weights, self.k.get_rows(annealed.v)]


class FieldJobs(UndirectedJobs):
    """Of a Markov field of three colours or more, whose units have few neighbours or many.

    Log Z is the same code on every backend, and sums that follow the units are not kept.
    """

    tolerances = {
        job: allowed
        for job, allowed in UndirectedJobs.tolerances.items()
        if job not in ("log_z", "gibbs_long", "temper_long", "train_centred", "mean_field")
    } | {"gibbs_large": 0.0}
    least = 2

    def __init__(self, k: Backend, v: np.ndarray) -> None:
        super().__init__(k, v)
        if v.shape[1] != _LARGE_BESIDE:
            self.tolerances = {job: x for job, x in self.tolerances.items() if job != "gibbs_large"}

    def gibbs_large(self) -> list:
        """Of a graph so large that a backend may draw it in another way."""
        torus = lattice(_SIDE, _SIDE, wrapped=True)
        model = self.k.put(ising(torus, 0.4, 0.1))
        v = self.k.put_rows((uniforms(Key(2, Stream.SAMPLES), 1, torus.n) < 0.5).astype(np.uint8))
        return [self.k.get_rows(self.k.gibbs(model, v, 1, _KEY, 0.9)[0])]

    @staticmethod
    def made(n: int) -> MarkovField:
        pairs = {(i, i + 1) for i in range(n - 1)} | {(i, i + 7) for i in range(n - 7)}
        pairs |= {(0, i) for i in range(2, n, 4)}
        R, b = _couplings(n)
        edges = np.array(sorted(pairs))
        return MarkovField(Graph(n, edges), np.sqrt(n) / 3.0 * R[tuple(edges.T)], b)
