"""A DBN, layer by layer, by any estimator that serves all layers."""

from ebmbench.cli.options import one_or_each
from ebmbench.cli.recipes._run import OF_FITS, Options, Run, facts_of_fit
from ebmbench.kernels.api import Backend
from ebmbench.models.mlp import dashed
from ebmbench.training.batches import redrawn
from ebmbench.training.stack import Stack

NAME = "dbn"
TAKES = OF_FITS


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""
    settings = options.settings("k", "chains", "denoising")
    hidden, epochs, rates = options.units(64, 64), options.passes(50), options.rates(0.05)
    data = options.data(options.visible == "gaussian")
    stack = Stack(
        k, data.train, hidden, options.estimator, settings, one_or_each(list(map(options.sgd, rates))),
        one_or_each(epochs), options.batch_size, options.seed, options.visible, options.precision,
        redraw=redrawn(k, data.train, data.sampled, options.seed),
    )  # fmt: skip
    facts = facts_of_fit(options, settings, hidden=hidden, epochs=epochs, rate=rates)
    told = f"{dashed([data.n_visible, *hidden])}, {{}} updates by {options.estimator}"
    return Run(stack, facts, {"data": data.digest}, told)
