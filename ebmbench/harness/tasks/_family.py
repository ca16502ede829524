"""The families without hidden units that a case may train, and what each begins with."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ebmbench.datasets import Dataset
from ebmbench.discovery import unknown
from ebmbench.errors import UserError
from ebmbench.harness import recipes
from ebmbench.harness.sources import picture_graph
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.markov_field import MarkovField
from ebmbench.options import require
from ebmbench.partition import exact
from ebmbench.training.initial import (
    initial_bayes_net,
    initial_boltzmann_machine,
    initial_markov_field,
)

REACH = 1.5  # of a Markov field: eight neighbours


class Family(NamedTuple):
    """Its name on a page, and the first model for a data set and, of a field, a reach."""

    title: str
    initial: Callable[[Dataset, float], Any]


GRAPHS = {
    BoltzmannMachine.kind: Family(
        "Boltzmann machine", lambda data, reach: initial_boltzmann_machine(data.train)
    ),
    BayesNet.kind: Family("Bayes net", lambda data, reach: initial_bayes_net(data.train)),
    MarkovField.kind: Family(
        "Markov field", lambda data, reach: initial_markov_field(data.train, picture_graph(data, reach))
    ),
}


def check_graph(family: str, hidden: int, visible: str, evaluate: str) -> None:
    """`UserError` for a family that is none of `GRAPHS`, or what it cannot have."""
    if family in recipes.KINDS:
        raise UserError(f"a {family} is trained by a table [[deep]], not by [[train]]")
    if family not in GRAPHS:
        raise unknown("family", family, ["rbm", *GRAPHS])
    require(hidden == 0, f"a {family} has no hidden units")
    require(visible == "binary", f"the units of a {family} are binary")
    if family == BayesNet.kind:
        normalised = evaluate == exact.NAME
        require(normalised, f"a {family} comes normalised: write evaluate = 'exact'")
