"""Every job of the Markov field: units of one colour, none of which hears another, are drawn at once."""

import numpy as np

from ebmbench.kernels.reference.undirected import jobs
from ebmbench.models import elimination, markov_field


def by_colours(model) -> list[np.ndarray]:
    """The units of each colour in turn."""
    return np.split(model.graph.order, model.graph.classes[1:-1])


JOBS = jobs(markov_field, elimination, by_colours)
