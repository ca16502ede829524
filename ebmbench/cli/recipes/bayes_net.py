"""A Bayesian network without hidden units, by its exact gradient or any estimator that serves it."""

from ebmbench.cli.recipes._graph import TAKES, run_of
from ebmbench.cli.recipes._run import Options, Run
from ebmbench.kernels.api import Backend
from ebmbench.training.initial import initial_bayes_net

__all__ = ["NAME", "TAKES", "make"]

NAME = "bayes_net"


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""
    return run_of(options, k, lambda data: initial_bayes_net(data.train), "exact")
