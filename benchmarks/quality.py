"""Quality after a fixed budget: a faster but wronger commit shows here.

asv reads figures rightly only when they are not negative and lower is better, so log-likelihoods
stand as nats below a ceiling and log Z as an absolute error.
"""

from benchmarks.surface import (
    SGD,
    Fit,
    base_rates,
    evaluate,
    initial_model,
    load_backend,
    load_dataset,
    load_fixture,
    pass_the_gate,
)


class Quality:
    """Figures that depend on the seed and the code alone, not on the machine's speed."""

    unit = "nats"
    timeout = 300

    def setup_cache(self):
        pass_the_gate()

    def track_bars_and_stripes_below_ceiling(self, estimator, seed=0):
        """CD-1, CD-10 or SML for 2,000 updates; the exact log-likelihood below -log 30."""
        name, settings = {
            "cd-1": ("cd", {"k": 1}),
            "cd-10": ("cd", {"k": 10}),
            "sml": ("sml", {}),
        }[estimator]
        k, data = load_backend("cpu"), load_dataset("bars_and_stripes")
        optimiser = SGD(rate=0.1, momentum=0.5, schedule="linear")
        model = initial_model(data.train, 10, seed)
        fit = Fit(k, model, data.train, name, settings, optimiser, 2000, 30, seed)
        fit.advance(fit.steps)
        base = base_rates(data.train, "train")
        return data.ceiling - evaluate(k, fit.model, data.test, "exact", {}, base, 0).mean

    track_bars_and_stripes_below_ceiling.params = ["cd-1", "cd-10", "sml"]
    track_bars_and_stripes_below_ceiling.param_names = ["estimator"]

    def track_ais_error(self):
        """|log Z by AIS with 1,000 temperatures - exact log Z| of the digits fixture."""
        fixture = load_fixture("digits_rbm20")
        k, rows = load_backend("cpu"), load_dataset("digits").train
        base = base_rates(rows, "train")
        found = evaluate(k, fixture.model, rows[:1], "ais", {"betas": 1000}, base, 0)
        return abs(found.log_z.log_z - fixture.log_z)
