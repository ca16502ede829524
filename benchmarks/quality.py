"""Quality after a fixed budget: a faster but wronger commit shows here.

asv reads figures rightly only when they are not negative and lower is better, so log-likelihoods
stand as nats below a ceiling, and gradients as their distance from the exact one.
"""

import numpy as np

from benchmarks.surface import (
    SGD,
    Fit,
    Gated,
    Key,
    available,
    base_rates,
    find_estimator,
    initial_model,
    load_dataset,
    load_fixture,
)


class Quality(Gated):
    """Figures that depend on the seed and the code alone, not on the machine's speed."""

    unit = "nats"
    timeout = 300

    def track_bars_and_stripes_below_ceiling(self, estimator, seed=0):
        """CD-1, CD-10 or SML for 2,000 updates; the exact log-likelihood below -log 30."""
        name, settings = {
            "cd-1": ("cd", {"k": 1}),
            "cd-10": ("cd", {"k": 10}),
            "sml": ("sml", {}),
        }[estimator]
        k, data = available("cpu"), load_dataset("bars_and_stripes")
        optimiser = SGD(rate=0.1, momentum=0.5, schedule="linear")
        model = initial_model(data.train, 10, seed)
        fit = Fit(k, model, data.train, name, settings, optimiser, 2000, 30, seed)
        fit.advance(fit.steps)
        trained = fit.model
        free_energy = k.free_energy(k.put(trained), k.put_rows(data.test)).mean()
        return data.ceiling + free_energy + k.log_z(trained)

    track_bars_and_stripes_below_ceiling.params = ["cd-1", "cd-10", "sml"]
    track_bars_and_stripes_below_ceiling.param_names = ["estimator"]


class GradientBias(Gated):
    """The mean of 50 gradients of W against the exact one, at the digits fixture from the same 100 rows.

    Their distance over the exact one's length: rounding of `exact`, the bias of CD, and for chains what
    50 gradients leave of their noise.
    """

    unit = "share"
    timeout = 300
    params = ["exact", "cd", "sml", "parallel_tempering"]
    param_names = ["estimator"]

    def track_distance(self, estimator):
        k, model = available("cpu"), load_fixture("digits_rbm20").model
        rows = load_dataset("digits").train[:100]
        handle, batch = k.put(model), k.put_rows(rows)
        base = base_rates(rows, "rows").bias
        exact = k.get_tree(handle, k.exact_gradient(handle, batch)[0].gradient)["W"]
        module, config = find_estimator(estimator, {})
        state, total = module.init(k, model, config, Key(0, 0), base), np.zeros_like(exact)
        for step in range(50):
            gradient, state, _ = module.step(k, handle, config, state, batch, Key(0, 0, step))
            total += k.get_tree(handle, gradient)["W"]
        return float(np.linalg.norm(total / 50 - exact) / np.linalg.norm(exact))
