"""A Boltzmann machine without hidden units, by any estimator that serves it."""

from ebmbench.cli.recipes._graph import TAKES, run_of
from ebmbench.cli.recipes._run import Options, Run
from ebmbench.kernels.api import Backend
from ebmbench.training.initial import initial_boltzmann_machine

__all__ = ["NAME", "TAKES", "make"]

NAME = "boltzmann_machine"


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""
    return run_of(options, k, lambda data: initial_boltzmann_machine(data.train), "pseudolikelihood")
