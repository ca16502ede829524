"""A Markov field whose colours are drawn by launches of their own, as are large graphs of few chains."""

import numpy as np
import pytest
from conftest import random_rows

from ebmbench.kernels.cuda.field import gibbs
from ebmbench.models.graph import lattice
from ebmbench.models.markov_field import MarkovField
from ebmbench.randomness import Key, Stream


@pytest.mark.parametrize(("height", "reach"), [(5, 1.0), (4, 1.5)])
def test_a_launch_a_colour_has_the_bits_of_a_block_a_chain(cuda, monkeypatch, height, reach):
    graph, rng = lattice(height, 7, reach), np.random.default_rng(3)
    field = MarkovField(graph, rng.normal(size=len(graph.edges)), rng.normal(size=graph.n))
    handle, rows = cuda.put(field), cuda.put_rows(random_rows(3, graph.n))
    key, found, launched = Key(5, Stream.CHAINS, 2**32 - 1, 7), [], []
    for name in ("_sweeps", "_one_colour"):
        kernel = getattr(gibbs, name)

        def launch(*arguments, kernel=kernel, name=name, **options):
            launched.append(name)
            return kernel(*arguments, **options)

        launch.threads = 2  # so that a colour is shared by several blocks
        monkeypatch.setattr(gibbs, name, launch)
    for few, large in ((0, 1), (64, graph.n + 1), (3, graph.n)):
        monkeypatch.setattr(gibbs, "_FEW", few)
        monkeypatch.setattr(gibbs, "_LARGE", large)
        found.append(cuda.get_rows(cuda.gibbs(handle, rows, 4, key, 0.7)[0]))
    colours = len(graph.classes) - 1
    assert launched == ["_sweeps", "_sweeps", *["_one_colour"] * 4 * colours]
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    assert 0 < found[0].mean() < 1
