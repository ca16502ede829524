"""A DBM: layers one upon the other for --epochs, then together for --joint-epochs, or one of the two."""

from typing import Any

from ebmbench.cli.options import one_or_each
from ebmbench.cli.recipes._run import OF_ENERGIES, Options, Run, facts_of, started
from ebmbench.kernels.api import Backend
from ebmbench.models.dbm import composed
from ebmbench.models.mlp import dashed
from ebmbench.options import require
from ebmbench.training.batches import redrawn
from ebmbench.training.joint import Joint, Phases, initial_dbm
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.stack import Stack

NAME = "dbm"
_JOINT = ("joint_epochs", "joint_rate", "sweeps", "mean_field")
TAKES = OF_ENERGIES | {*_JOINT, "start"}


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring. A DBM to --start with takes the place of the layers' own training."""
    chains = 100 if options.chains is None else options.chains
    phases = Phases(chains, options.sweeps, options.mean_field)
    together = options.sgd(options.joint_rate)
    data = options.data(False)
    redraw = redrawn(k, data.train, data.sampled, options.seed)
    facts = facts_of(options, "centred")
    of_joint = facts_of(options, *_JOINT) | {"chains": chains}
    of_run = options.joint_epochs, options.batch_size, options.seed

    def run(trainer: Any, sizes: Any, finished: Any = lambda model: model) -> Run:
        return Run(trainer, facts, {"data": data.digest}, f"{dashed(sizes)}, {{}} updates", finished)

    if options.start is not None:
        options.refuse("--start", "hidden", "epochs", "rate", "k")
        start, which = started(options.start, "dbm")
        facts |= which | of_joint
        return run(Joint(k, start, data.train, together, *of_run, phases, redraw), start.sizes)
    hidden, epochs, rates = options.units(64, 64), options.passes(50), options.rates(0.05)
    sizes = data.n_visible, *hidden
    facts |= {"hidden": hidden, "epochs": epochs}
    if epochs == [0]:
        options.refuse("--epochs 0", "rate", "k")
        facts |= of_joint
        start = initial_dbm(data.train, hidden, options.seed)
        return run(Joint(k, start, data.train, together, *of_run, phases, redraw), sizes)
    settings = {} if options.k is None else {"k": options.k}
    facts |= {"rate": rates} | settings
    optimisers, epochs = one_or_each(list(map(options.sgd, rates))), one_or_each(epochs)
    if options.joint_epochs == 0:
        options.refuse("--joint-epochs 0", *_JOINT[1:], "chains")
        stack = Stack(
            k, data.train, hidden, "cd", settings, optimisers, epochs, options.batch_size, options.seed,
            doubled=True, redraw=redraw,
        )  # fmt: skip
        facts["joint_epochs"] = 0
        return run(stack, sizes, lambda model: composed(model.layers))
    require(options.joint_epochs > 0, f"--joint-epochs must not be {options.joint_epochs}")
    stacked = settings, optimisers, epochs
    return run(Pretrained(k, data.train, hidden, *stacked, together, *of_run, phases, redraw), sizes)
