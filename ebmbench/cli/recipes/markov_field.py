"""A Markov field whose units are pixels that hear those near them, by any estimator that serves it."""

from dataclasses import replace

from ebmbench.cli.recipes import _graph
from ebmbench.cli.recipes._run import Options, Run
from ebmbench.datasets import Dataset
from ebmbench.harness.sources import picture_graph
from ebmbench.kernels.api import Backend
from ebmbench.models.markov_field import MarkovField
from ebmbench.training.initial import initial_markov_field

NAME = "markov_field"
TAKES = _graph.TAKES | {"reach"}


def make(options: Options, k: Backend) -> Run:
    """See the package's docstring."""

    def start(data: Dataset) -> MarkovField:
        return initial_markov_field(data.train, picture_graph(data, options.reach))

    def size(field: MarkovField) -> str:
        return f"{field.n_visible} units, {len(field.R):,} edges"

    run = _graph.run_of(options, k, start, "pseudolikelihood", size)
    return replace(run, facts=run.facts | {"reach": options.reach})
