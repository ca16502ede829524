"""Models without hidden units: they begin with independent units, and any estimator may train them."""

from collections.abc import Callable
from typing import Any

from ebmbench.cli.recipes._run import Options, Run, facts_of_fit
from ebmbench.datasets import Dataset
from ebmbench.kernels.api import Backend
from ebmbench.training.batches import redrawn
from ebmbench.training.fit import Fit

TAKES = frozenset({"k", "chains", "estimator", "setting"})


def _units(model: Any) -> str:
    return f"{model.n_visible} units"


def run_of(
    options: Options,
    k: Backend,
    start: Callable[[Dataset], Any],
    estimator: str,
    size: Callable[[Any], str] = _units,
) -> Run:
    """The run of a model that begins as start(data set), whose size is told so.

    estimator: where none is given.
    """
    name = options.estimator if "estimator" in options.given else estimator
    settings = options.settings("k", "chains")
    epochs = options.single("epochs", options.passes(50))
    rate = options.single("rate", options.rates(0.05))
    data = options.data(False)
    first = start(data)
    fit = Fit(
        k, first, data.train, name, settings, options.sgd(rate), epochs, options.batch_size,
        options.seed, redraw=redrawn(k, data.train, data.sampled, options.seed),
    )  # fmt: skip
    facts = facts_of_fit(options, settings, epochs=epochs, rate=rate) | {"estimator": name}
    told = f"{size(first)}, {{}} updates by {name}"
    return Run(fit, facts, {"data": data.digest}, told)
