"""A Boltzmann machine without hidden units, by any estimator that serves it."""

from ebmbench.cli.recipes import _graph
from ebmbench.cli.recipes._run import Options, Run
from ebmbench.datasets import Dataset
from ebmbench.kernels.api import Backend
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.training.initial import initial_boltzmann_machine

NAME = "boltzmann_machine"
TAKES = _graph.TAKES | {"centred"}


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""

    def start(data: Dataset) -> BoltzmannMachine:
        return initial_boltzmann_machine(data.train)

    return _graph.run_of(options, k, start, "pseudolikelihood")
