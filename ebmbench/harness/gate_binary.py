# ruff: noqa: D102 (each method is the job of its name in kernels.api)
"""The gate's jobs for a binary RBM; the tolerances are those of `gate`."""

from collections.abc import Callable

import numpy as np

from ebmbench.kernels.api import Backend, Batched, Handle, Negative, Rows, Steps
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream, uniforms

# What bfloat16 changes is the matrix product: the jobs that it enters, at two sizes. No uniform there
# lies within 8e-6 of its probability: float32 sums of 37 terms below 2 are off by 37 * 2 * 2**-23 at
# most, even where a tensor core truncates, and their sigmoids by a quarter of that, 2.3e-6.
PRODUCTS = (
    "hidden_input", "visible_input", "hidden_probability", "visible_probability", "gibbs", "anneal",
)  # fmt: skip
_KEY = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)


def posterior(k: Backend, model: Handle, v: Rows) -> list:
    """Of units that are known, hinted at and unknown, by turns; the rows must stay as they are."""
    rows, key = k.get_rows(v), Key(13, 0)
    hints = 4.0 * uniforms(key, *rows.shape) - 2.0
    known = np.where(rows == 1, np.inf, -np.inf)
    third = 3.0 * uniforms(key._replace(stream=1), *rows.shape)
    evidence = np.where(third < 1.0, hints, np.where(third < 2.0, known, 0.0))
    found = k.posterior(model, v, k.put_evidence(evidence), 4, 2, _KEY)
    return [k.get_rows(found), k.get_rows(v)]


def one_by_one(
    k: Backend, model: Handle, trees: tuple, batches: Batched, negative: Negative, steps: Steps
) -> Rows | None:
    """What `Backend.contrastive_updates` does in one call; returns where the negative phase ended."""
    velocity, offsets = trees
    v, key = negative.v, negative.key
    for n, (rate, sliding) in enumerate(zip(steps.rates, steps.slidings, strict=True)):
        begin, end = batches.starts[n : n + 2]
        batch = k.take(batches.rows, batches.index, int(begin), int(end - begin))
        reached, _ = k.gibbs(model, batch if v is None else v, negative.sweeps, key, negative.beta)
        key = key.advance(negative.sweeps)
        gradient, means = k.moments(model, batch, reached, negative.beta)
        if offsets is not None:
            k.centre(model, gradient, means, offsets, sliding)
        k.update(model, velocity, gradient, rate, steps.momentum, steps.decay)
        v = None if v is None else reached
    return v


class BinaryJobs:
    """Every job on one backend from fixed inputs; each gives a list of host arrays."""

    tolerances = {
        "hidden_input": 2e-5,
        "visible_input": 2e-5,
        "hidden_probability": 1e-5,
        "visible_probability": 1e-5,
        "free_energy": 1e-4,
        "gibbs": 0.0,
        "posterior": 2e-5,
        "sample_hidden": 0.0,
        "sample_visible": 0.0,
        "mean_field": 2e-5,
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
        "train_masked": 1e-5,
        "train_at_once": 1e-5,
    }

    def __init__(self, k: Backend, model: RBM, v: np.ndarray, arithmetic: str) -> None:
        self.k, self.host, self.rows, self.others = k, model, k.put_rows(v), k.put_rows(1 - v)
        self.summed_units = model.summed_units
        self.model = k.put(model, arithmetic)
        if arithmetic.startswith("bfloat16"):
            self.tolerances = {job: self.tolerances[job] for job in PRODUCTS}
        self.h = k.put_rows((uniforms(Key(5, 0), len(v), model.n_hidden) < 0.5).astype(np.uint8))
        self.grey = k.put_rows(uniforms(Key(6, 0), len(v), model.n_visible))
        self.grey_h = k.put_rows(uniforms(Key(10, 0), len(v), model.n_hidden))
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
        states = [
            self.k.gibbs(self.model, rows, 3, _KEY, beta)
            for rows in (self.rows, self.grey)
            for beta in (1.0, 0.6)
        ]
        return [self.k.get_rows(layer) for pair in states for layer in pair]

    def posterior(self) -> list:
        return posterior(self.k, self.model, self.rows)

    def sample_hidden(self) -> list:
        return self._half(self.k.sample_hidden, (self.rows, self.grey))

    def sample_visible(self) -> list:
        return self._half(self.k.sample_visible, (self.h, self.grey_h))

    def _half(self, job: Callable, layers: tuple) -> list:
        return [
            self.k.get_rows(job(self.model, rows, _KEY, beta)) for rows in layers for beta in (1.0, 0.6)
        ]

    def mean_field(self) -> list:
        """Of a lower half of the visible units, binary and grey, and the rest; and with no even layer.

        A tolerance that nothing reaches must change nothing.
        """
        k, n = self.k, (self.host.n_visible + 1) // 2
        v, grey = (k.get_rows(rows) for rows in (self.rows, self.grey))
        given = (v[:, :n], grey[:, n:]), (grey[:, :n], grey[:, n:]), (v, v[:, :0])
        pairs = [[k.put_rows(np.ascontiguousarray(part)) for part in pair] for pair in given]
        return [
            k.get_rows(k.mean_field(self.model, v, even, 3, tolerance)[0])
            for tolerance, (v, even) in zip((0.0, 1e-30, 0.0), pairs, strict=True)
        ]

    def moments(self) -> list:
        """The last one of a model at half its temperature."""
        pairs = [(self.rows, self.rows[:1], 1.0), (self.rows, self.others, 1.0)]
        pairs += [(self.grey, self.rows, 1.0), (self.rows, self.grey, 2.0)]
        return [part for given in pairs for part in self._trees(self.k.moments(self.model, *given))]

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
        ladders = self.k.put_rows(np.tile(self.k.get_rows(self.rows), (3, 1)))
        betas = np.array([0.0, 0.6, 1.0])
        found = self.k.temper(self.model, self.base, betas, ladders, 3, _KEY)
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

    def train_masked(self) -> list:
        """Weights that start at zero and are masked stay there, centred or not."""
        shape = self.host.W.shape
        kept = uniforms(Key(8, 0), *shape) < 0.5
        return [x for centred in (True, False) for x in self._train(self.rows, centred, kept)]

    def _train(self, positive: Rows, centred: bool, kept: np.ndarray | None = None) -> list:
        k, host = self.k, self.host
        model = k.put(host if kept is None else RBM(host.W * kept, host.b, host.c))
        mask = None if kept is None else k.put_mask(model, kept)
        velocity, offsets = k.zeros(model), k.zeros(model)
        for sliding in (1.0, 0.1, 0.1):
            gradient, means = k.moments(model, positive, self.rows)
            if centred:
                k.centre(model, gradient, means, offsets, sliding, mask)
            elif mask is not None:
                k.mask(model, gradient, mask)
            if not k.update(model, velocity, gradient, 0.1, 0.5, 0.01):
                return [np.nan]
        after = k.get(model)
        # The transposed copy that some backends keep must have followed.
        return [after.W, after.b, after.c, k.visible_input(model, self.h) * 0.1]

    def train_at_once(self) -> list:
        """Updates in one call, where there is one: CD-1, SML-2, centred SML-1; the last batch is short.

        Each is compiled apart.
        """
        ways = (None, 1, False), (self.others, 2, False), (self.others, 1, True)
        return [x for way in ways for x in self._at_once(*way)]

    def _at_once(self, start: Rows | None, sweeps: int, centred: bool) -> list:
        k, host = self.k, self.host
        model = k.put(host)
        trees = k.zeros(model), k.zeros(model) if centred else None
        n = len(self.h)
        index, starts = np.arange(2 * n + 1) % n, np.array([0, n + 1, 2 * n + 1])
        batches = Batched(self.rows, k.put_index(index), starts)
        steps = Steps(np.array([0.1, 0.05]), 0.5, 0.01, np.array([1.0, 0.1]))
        negative = Negative(start, sweeps, _KEY)
        found = k.contrastive_updates(model, trees, batches, negative, steps)
        v = one_by_one(k, model, trees, batches, negative, steps) if found is None else found[0]
        after = k.get(model)
        chains = [] if v is None else [k.get_rows(v)]
        return [after.W, after.b, after.c, k.visible_input(model, self.h) * 0.1, *chains]

    def _anneal(self, temperatures: int, start: int | Rows) -> list:
        """A negative number of temperatures: from the model to the base."""
        betas = np.linspace(0.0, 1.0, abs(temperatures))[:: int(np.sign(temperatures))]
        annealed = self.k.anneal(self.model, self.base, betas, start, Key(4, Stream.ANNEALING))
        return [annealed.log_weights, self.k.get_rows(annealed.v)]

    def _trees(self, phases: tuple) -> list:
        trees = [self.k.get_tree(self.model, tree) for tree in phases]
        return [tree[name] for tree in trees for name in sorted(tree)]
