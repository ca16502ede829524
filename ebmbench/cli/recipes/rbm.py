"""An RBM, by any estimator."""

from ebmbench.cli.recipes._run import OF_FITS, Options, Run, facts_of_fit
from ebmbench.kernels.api import Backend
from ebmbench.training.batches import redrawn
from ebmbench.training.fit import PRECISIONS, STARTS, Fit, check_units

NAME = "rbm"
TAKES = OF_FITS


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""
    check_units(options.visible, options.precision, options.centred)
    gaussian = options.visible == "gaussian"
    settings = options.settings("k", "chains", "denoising")
    hidden = options.single("hidden", options.units(64))
    epochs = options.single("epochs", options.passes(50))
    rate = options.single("rate", options.rates(0.05))
    data = options.data(gaussian)
    start = STARTS[options.visible](data.train, hidden, options.seed)
    fit = Fit(
        k, start, data.train, options.estimator, settings, options.sgd(rate), epochs,
        options.batch_size, options.seed, PRECISIONS[options.precision],
        redraw=redrawn(k, data.train, data.sampled, options.seed),
    )  # fmt: skip
    facts = facts_of_fit(options, settings, hidden=hidden, epochs=epochs, rate=rate)
    told = f"{data.n_visible}x{hidden}, {{}} updates by {options.estimator}"
    return Run(fit, facts, {"data": data.digest}, told)
