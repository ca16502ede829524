"""Speed of the kernels: each primitive at two sizes, and annealing, on the processor and on a GPU."""

import numpy as np

from benchmarks.surface import (
    SGD,
    Fit,
    Gated,
    Key,
    available,
    gaussian_of,
    graph_of,
    model_of,
    rows_of,
)

_BACKENDS = ["cpu", "cuda"]


class Primitives(Gated):
    """One call of each job, 100 rows or chains."""

    timeout = 300
    # A setup makes asv time one call at a time, so each benchmark repeats its work inside.
    number = 1
    rounds = 2
    params = [_BACKENDS, ["64x32", "784x500"]]
    param_names = ["backend", "size"]

    def setup(self, backend, size):
        self.k = available(backend)
        n_visible, n_hidden = map(int, size.split("x"))
        self.repeats = 1 if n_visible > 100 else 50
        self.handle = self.k.put(model_of(n_visible, n_hidden))
        self.rows = self.k.put_rows(rows_of(100, n_visible))
        self.ladders = self.k.put_rows(rows_of(10 * 10, n_visible))
        self.bias = np.full(n_visible, -1.9)
        self.betas = np.linspace(0.0, 1.0, 10)
        self.offset = np.zeros(100)
        for name in dir(self):
            if name.startswith("time_"):
                getattr(self, name)(backend, size)

    def _repeat(self, call):
        for _ in range(self.repeats):
            call()
        self.k.synchronize()

    def time_gibbs_10_sweeps(self, backend, size):
        self._repeat(lambda: self.k.gibbs(self.handle, self.rows, 10, Key(0, 0)))

    def time_moments(self, backend, size):
        self._repeat(lambda: self.k.moments(self.handle, self.rows, self.ladders))

    def time_free_energy(self, backend, size):
        self._repeat(lambda: self.k.free_energy(self.handle, self.rows))

    def time_pseudolikelihood(self, backend, size):
        self._repeat(lambda: self.k.pseudolikelihood(self.handle, self.rows))

    def time_ratio_matching(self, backend, size):
        self._repeat(lambda: self.k.ratio_matching(self.handle, self.rows))

    def time_nce(self, backend, size):
        self._repeat(lambda: self.k.nce(self.handle, self.rows, self.ladders, self.offset, self.offset))

    def time_anneal_10_temperatures(self, backend, size):
        self._repeat(lambda: self.k.anneal(self.handle, self.bias, self.betas, 100, Key(0, 0)))

    def time_temper_10_sweeps(self, backend, size):
        self._repeat(
            lambda: self.k.temper(self.handle, self.bias, self.betas, self.ladders, 10, Key(0, 0))
        )


class Posterior(Gated):
    """Ten sweeps of 100 rows of 784 pixels, of which half are missing, by each kind of model."""

    timeout = 300
    number = 1
    rounds = 2
    params = [_BACKENDS, ["rbm", "gaussian_rbm", "boltzmann_machine", "markov_field", "bayes_net"]]
    param_names = ["backend", "model"]

    def setup(self, backend, model):
        self.k = available(backend)
        if not hasattr(self.k, "posterior"):
            raise NotImplementedError("this version restores by other means")
        rows, rng = rows_of(100, 784), np.random.default_rng(2)
        self.handle, self.rows = self.k.put(graph_of(model, 784)), self.k.put_rows(rows)
        if ("posterior", self.handle.kind) not in self.k.jobs:
            raise NotImplementedError("this version restores bits only")
        lost = rng.random(rows.shape) < 0.5
        evidence = np.where(lost, 0.0, np.where(rows == 1, np.inf, -np.inf))
        if model == "gaussian_rbm":
            evidence = np.hstack([rows, np.abs(evidence)])
        self.evidence = self.k.put_evidence(evidence)
        self.time_10_sweeps(backend, model)

    def time_10_sweeps(self, backend, model):
        self.k.posterior(self.handle, self.rows, self.evidence, 10, 5, Key(0, 0))
        self.k.synchronize()


class Gaussian(Gated):
    """100 chains of 784 Gaussian visible and 500 hidden units, ten sweeps each."""

    timeout = 300
    number = 1
    rounds = 2
    params = [_BACKENDS]
    param_names = ["backend"]

    def setup(self, backend):
        self.k = available(backend)
        model, noise = gaussian_of(784, 500), np.random.default_rng(3).normal(0.0, 0.1, (100, 784))
        self.handle, self.rows = self.k.put(model), self.k.put_rows(rows_of(100, 784) + noise)
        self.base, self.betas = np.stack([model.b, model.precision]), np.linspace(0.0, 1.0, 10)
        for name in dir(self):
            if name.startswith("time_"):
                getattr(self, name)(backend)

    def time_gibbs(self, backend):
        self.k.gibbs(self.handle, self.rows, 10, Key(0, 0))
        self.k.synchronize()

    def time_anneal(self, backend):
        self.k.anneal(self.handle, self.base, self.betas, 100, Key(0, 0))
        self.k.synchronize()

    def time_temper(self, backend):
        self.k.temper(self.handle, self.base, self.betas, self.rows, 10, Key(0, 0))
        self.k.synchronize()


class Mnist(Gated):
    """784 visible and 500 hidden units, 100 chains or rows a batch: what the regression gate looks at."""

    timeout = 300
    number = 1
    rounds = 2

    def setup(self):
        self.k = available("cpu")
        model, rows = model_of(784, 500), rows_of(1000, 784)
        self.handle = self.k.put(model)
        self.start = self.k.put_rows(rows[:100])
        self.fit = Fit(self.k, model, rows, "sml", {}, SGD(rate=1e-4), 10_000, 100)
        self.bias, self.betas = np.full(784, -1.9), np.linspace(0.0, 1.0, 200)
        self.time_gibbs_50_sweeps()
        self.time_sml_epoch_of_1000_rows()
        self.time_ais_200_temperatures()

    def time_gibbs_50_sweeps(self):
        self.k.gibbs(self.handle, self.start, 50, Key(0, 0))
        self.k.synchronize()

    def time_sml_epoch_of_1000_rows(self):
        self.fit.advance(10)
        self.k.synchronize()

    def time_ais_200_temperatures(self):
        self.k.anneal(self.handle, self.bias, self.betas, 100, Key(0, 0))
        self.k.synchronize()
