"""Ways to log Z: their speed at 784 x 500, and their error where log Z is known."""

from benchmarks.surface import (
    Gated,
    available,
    base_rates,
    estimate_log_z,
    load_dataset,
    load_fixture,
    model_of,
    rows_of,
)

_METHODS = ["ais", "reverse_ais", "bridge"]
_CHAIN = {"start": "chain", "sweeps": 10}
_START = {"ais": {}, "reverse_ais": _CHAIN, "bridge": _CHAIN}


class Speed(Gated):
    """200 temperatures, 100 chains."""

    timeout = 300
    number = 1
    rounds = 2
    params = [["cpu", "cuda"], _METHODS]
    param_names = ["backend", "method"]

    def setup(self, backend, method):
        self.k, self.model = available(backend), model_of(784, 500)
        self.base = base_rates(rows_of(1000, 784), "rows")
        self.time_log_z(backend, method)

    def time_log_z(self, backend, method):
        settings = {"betas": 200} | _START[method]
        estimate_log_z(self.k, self.model, method, settings, self.base, 0)
        self.k.synchronize()


class Error(Gated):
    """|log Z - exact log Z| of the digits fixture, 1,000 temperatures."""

    unit = "nats"
    timeout = 300
    params = _METHODS
    param_names = ["method"]

    def track_error(self, method):
        fixture = load_fixture("digits_rbm20")
        base = base_rates(load_dataset("digits").train, "train")
        settings = {"betas": 1000} | ({} if method == "ais" else {"start": "exact"})
        found = estimate_log_z(available("cpu"), fixture.model, method, settings, base, 0)
        return abs(found.log_z - fixture.log_z)
