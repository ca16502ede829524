"""Speed of training: updates and an epoch by every principle."""

from benchmarks.surface import SGD, Fit, Gated, available, joint_of, model_of, rows_of

_SETTINGS = {
    "cd": {"k": 1},
    "sml": {"k": 1},
    "parallel_tempering": {"chains": 10},
    "pseudolikelihood": {},
    "ratio_matching": {},
    "nce": {},
}


class SmallUpdates(Gated):
    """A thousand updates of a small model, 64 x 64 at batch 20: what lies between kernels counts most."""

    timeout = 300
    number = 1
    rounds = 2
    params = [["cpu", "cuda"], ["cd", "sml"], ["plain", "centred"]]
    param_names = ["backend", "estimator", "gradient"]

    def setup(self, backend, estimator, gradient):
        k, rows = available(backend), rows_of(20_000, 64)
        optimiser, settings = SGD(rate=1e-6, centred=gradient == "centred"), _SETTINGS[estimator]
        self.fit = Fit(k, model_of(64, 64), rows, estimator, settings, optimiser, 10_000, 20)
        self.time_a_thousand_updates(backend, estimator, gradient)

    def time_a_thousand_updates(self, backend, estimator, gradient):
        self.fit.advance(1000)
        self.fit.k.synchronize()


class Updates(Gated):
    """An epoch of 1,000 rows by each training principle: ten updates, 784 x 500, batch 100."""

    timeout = 300
    number = 1
    rounds = 2
    params = [["cpu", "cuda"], list(_SETTINGS)]
    param_names = ["backend", "estimator"]

    def setup(self, backend, estimator):
        k, rows = available(backend), rows_of(1000, 784)
        optimiser, settings = SGD(rate=1e-6), _SETTINGS[estimator]
        self.fit = Fit(k, model_of(784, 500), rows, estimator, settings, optimiser, 10_000, 100)
        self.time_ten_updates(backend, estimator)

    def time_one_update(self, backend, estimator):
        self.fit.advance(1)
        self.fit.k.synchronize()

    def time_ten_updates(self, backend, estimator):
        self.fit.advance(10)
        self.fit.k.synchronize()


class Joint(Gated):
    """A hundred updates of a general Boltzmann machine of digits' 64 pixels and 32 hidden units."""

    timeout = 300
    number = 1
    rounds = 2
    params = ["cpu", "cuda"]
    param_names = ["backend"]

    def setup(self, backend):
        self.fit = joint_of(available(backend), rows_of(1000, 64), 32)
        self.time_a_hundred_updates(backend)

    def time_a_hundred_updates(self, backend):
        self.fit.advance(100)
        self.fit.k.synchronize()
