"""A GAN: a generator and a discriminator that play against each other, by Adam."""

from ebmbench.cli.recipes._run import Options, Run, facts_of
from ebmbench.kernels.api import Backend
from ebmbench.models.mlp import dashed
from ebmbench.options import require
from ebmbench.training.adam import Adam
from ebmbench.training.adversarial import DEFAULT, Adversarial
from ebmbench.training.initial import initial_gan

NAME = "gan"
TAKES = frozenset({"hidden", "latent", "form", "dropout", "noise", "averaging"})


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring. The discriminator has the generator's layers the other way about."""
    options.refuse("--model gan, which Adam trains", "momentum", "decay")
    rate = options.single("rate", options.rates(DEFAULT.rate))
    epochs = options.single("epochs", options.passes(50))
    hidden, latent = options.units(256, 256), options.latent
    require(latent >= 1, f"the number of latent units must be at least 1, but is {latent}")
    data = options.data(False)
    data.require_fixed()
    left_out = options.left_out
    facts = facts_of(options, "latent", "form")
    facts |= {"hidden": hidden, "epochs": epochs, "rate": rate, "dropout": left_out}
    more = {"noise": options.noise, "averaging": options.averaging}
    facts |= {name: value for name, value in more.items() if value}
    del facts["momentum"], facts["decay"]
    start = initial_gan(data.n_visible, latent, hidden, hidden[::-1], options.seed)
    optimiser = Adam(rate, DEFAULT.beta1, schedule=options.schedule)
    trainer = Adversarial(
        k, start, data.train, options.form, optimiser, epochs=epochs, batch_size=options.batch_size,
        seed=options.seed, dropout=left_out, noise=options.noise, averaging=options.averaging,
    )  # fmt: skip
    told = f"generator {dashed(start.generator.sizes)}, {{}} updates"
    return Run(trainer, facts, {"data": data.digest}, told)
