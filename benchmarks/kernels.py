"""Speed of the kernels: Gibbs sweeps, annealing, and a training step by every principle."""

from benchmarks.surface import (
    SGD,
    Fit,
    Key,
    base_rates,
    evaluate,
    load_backend,
    mnist_sized_model,
    mnist_sized_rows,
    pass_the_gate,
)


class Mnist:
    """784 visible and 500 hidden units, 100 chains or rows a batch."""

    timeout = 300
    # A setup makes asv time one call at a time, so each benchmark repeats its work inside.
    number = 1
    rounds = 2

    def setup_cache(self):
        pass_the_gate()

    def setup(self):
        self.k = load_backend("cpu")
        self.model = mnist_sized_model()
        self.rows = mnist_sized_rows(1000)
        self.handle = self.k.put(self.model)
        self.start = self.k.put_rows(self.rows[:100])
        self.fit = Fit(self.k, self.model, self.rows, "sml", {}, SGD(rate=1e-4), 10_000, 100)
        self.base = base_rates(self.rows, "rows")
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
        evaluate(self.k, self.model, self.rows[:1], "ais", {"betas": 200}, self.base, 0)


class Estimators:
    """Ten updates by each training principle, 784 x 500, batch 100."""

    timeout = 300
    number = 1
    rounds = 2
    params = ["cd", "parallel_tempering", "pseudolikelihood", "ratio_matching", "nce"]
    param_names = ["estimator"]

    def setup_cache(self):
        pass_the_gate()

    def setup(self, estimator):
        settings = {"chains": 10} if estimator == "parallel_tempering" else {}
        rows = mnist_sized_rows(1000)
        k = load_backend("cpu")
        self.fit = Fit(k, mnist_sized_model(), rows, estimator, settings, SGD(rate=1e-6), 10_000, 100)
        self.time_ten_updates(estimator)

    def time_ten_updates(self, estimator):
        self.fit.advance(10)
        self.fit.k.synchronize()
