"""Peak memory of a process that samples, trains or anneals, the package and its imports included."""

from benchmarks.surface import (
    SGD,
    Fit,
    Gated,
    Key,
    available,
    base_rates,
    estimate_log_z,
    model_of,
    rows_of,
)


class Peak(Gated):
    """At 784 x 500 and at 4096 x 4096, where W alone is 64 MiB; 100 chains or rows a batch."""

    timeout = 300
    params = [["784x500", "4096x4096"]]
    param_names = ["size"]

    def setup(self, size):
        n_visible, n_hidden = map(int, size.split("x"))
        self.k, self.model = available("cpu"), model_of(n_visible, n_hidden)
        self.rows = rows_of(200, n_visible)

    def peakmem_gibbs(self, size):
        self.k.gibbs(self.k.put(self.model), self.k.put_rows(self.rows[:100]), 10, Key(0, 0))

    def peakmem_sml(self, size):
        Fit(self.k, self.model, self.rows, "sml", {}, SGD(rate=1e-6), 10, 100).advance(4)

    def peakmem_ais(self, size):
        estimate_log_z(self.k, self.model, "ais", {"betas": 10}, base_rates(self.rows, "rows"), 0)
