"""A general Boltzmann machine: hidden units, and every pair of units joined; mean field and chains."""

from ebmbench.cli.recipes._run import Options, Run, facts_of
from ebmbench.kernels.api import Backend
from ebmbench.training.batches import redrawn
from ebmbench.training.initial import initial_general_boltzmann_machine
from ebmbench.training.joint import Joint, Phases

NAME = "general_boltzmann_machine"
TAKES = frozenset({"hidden", "chains", "centred", "sweeps", "mean_field"})


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""
    chains = 100 if options.chains is None else options.chains
    hidden = options.single("hidden", options.units(64))
    epochs = options.single("epochs", options.passes(50))
    rate = options.single("rate", options.rates(0.02))
    phases = Phases(chains, options.sweeps, options.mean_field)
    data = options.data(False)
    start = initial_general_boltzmann_machine(data.train, hidden, options.seed)
    redraw = redrawn(k, data.train, data.sampled, options.seed)
    of_run = options.sgd(rate), epochs, options.batch_size, options.seed
    facts = facts_of(options, "centred", "sweeps", "mean_field")
    facts |= {"hidden": hidden, "epochs": epochs, "rate": rate, "chains": chains}
    told = f"{data.n_visible} visible and {hidden} hidden units, {{}} updates"
    return Run(Joint(k, start, data.train, *of_run, phases, redraw), facts, {"data": data.digest}, told)
