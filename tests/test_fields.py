"""Markov fields: graphs, exact inference by elimination, coloured sweeps, log Z, and what cannot be.

Backends agree with the oracle in the gate; here stand what the oracle itself must be, and whatever every
backend owes to the law.
"""

import numpy as np
import pytest
from conftest import (
    FAMILY_ALPHA,
    all_states,
    complaint,
    needs_two_threads,
    numbers_of,
    random_rows,
)
from test_boltzmann import sweep_matrix
from test_gibbs import g_test

from ebmbench import partition
from ebmbench.errors import Unavailable
from ebmbench.evaluation.sandwich import default_methods, sandwich
from ebmbench.harness import sources
from ebmbench.kernels.api import load
from ebmbench.models import boltzmann, elimination, markov_field
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.graph import Graph, lattice
from ebmbench.models.markov_field import MarkovField, dense, ising, ising_offset
from ebmbench.randomness import Key, Stream
from ebmbench.samplers import tempering
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.initial import initial_markov_field
from ebmbench.training.sgd import SGD

GRAPHS = {
    "grid": lattice(3, 4),
    "torus": lattice(3, 3, wrapped=True),
    "far": lattice(4, 3, 2.3, order="F"),
    "forest": Graph(7, [[0, 1], [1, 2], [1, 6], [4, 5]]),
    "ring": Graph(8, [[i, i + 1] for i in range(7)] + [[0, 7]]),
    "star": Graph(9, [[i, 8] for i in range(8)]),
    "all": Graph(5, list(zip(*np.triu_indices(5, 1), strict=True))),
}


def random_field(graph, seed=0, scale=1.0):
    rng = np.random.default_rng([seed, graph.n])
    return MarkovField(graph, rng.normal(0, scale, len(graph.edges)), rng.normal(0, scale, graph.n))


# Its colours are 0 1 1 2 0: no two neighbours' alike, and their order is not the units' own.
SMALL = random_field(Graph(5, [[0, 1], [0, 2], [1, 3], [2, 3], [0, 3], [3, 4]]), seed=4)
STATES, START = all_states(5), (0, 31, 5, 18, 27)


# --- graphs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "edges"),
    [
        ((3, 4), 17),
        ((3, 4, 1.5), 29),
        ((1, 5), 4),
        ((5, 1, 2.0), 7),
        ((3, 4, 1.0, True), 24),
        ((2, 2, 1.0, True), 4),  # both ways round lead to the same unit
        ((2, 2, 9.0), 6),
    ],
)
def test_a_lattice_joins_what_is_near(arguments, edges):
    graph = lattice(*arguments)
    assert len(graph.edges) == edges
    height, width, reach, wrapped = (*arguments, *(1.0, False)[len(arguments) - 2 :])
    wanted = set()
    for i in range(height * width):
        for j in range(i + 1, height * width):
            away = [abs(a - b) for a, b in zip(divmod(i, width), divmod(j, width), strict=True)]
            if wrapped:
                away = [min(a, size - a) for a, size in zip(away, (height, width), strict=True)]
            if np.hypot(*away) <= reach:
                wanted.add((i, j))
    assert set(map(tuple, graph.edges.tolist())) == wanted


def test_a_lattice_by_columns_is_the_one_by_rows_turned_over():
    tall, wide = lattice(4, 3, 1.5, order="F"), lattice(3, 4, 1.5)
    np.testing.assert_array_equal(tall.edges, wide.edges)


@pytest.mark.parametrize("name", GRAPHS)
def test_neighbours_have_other_colours_and_each_its_edge(name):
    graph = GRAPHS[name]
    starts, units, edges = graph.neighbours
    assert (graph.colours[graph.edges[:, 0]] != graph.colours[graph.edges[:, 1]]).all()
    assert sorted(graph.order) == list(range(graph.n))
    for colour, (first, last) in enumerate(zip(graph.classes, graph.classes[1:], strict=False)):
        assert (graph.colours[graph.order[first:last]] == colour).all()
    for i in range(graph.n):
        for place in range(starts[i], starts[i + 1]):
            assert set(graph.edges[edges[place]]) == {i, units[place]}
    assert starts[-1] == 2 * len(graph.edges)


def test_a_grid_of_next_neighbours_is_a_chequerboard():
    for graph in (lattice(5, 7), lattice(4, 6, wrapped=True)):
        assert set(graph.colours) == {0, 1}


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([], "at least one edge"),
        ([[0, 1, 2]], "two units each"),
        ([[0.5, 1]], "whole numbers"),
        ([["a", "b"]], "whole numbers"),
        ([[0, np.nan]], "whole numbers"),
        ([[1, 0]], "the smaller one first"),
        ([[2, 2]], "the smaller one first"),
        ([[0, 5]], "from 0 to 4"),
        ([[-1, 2]], "from 0 to 4"),
        ([[0, 1], [1, 2], [0, 1]], "stands twice"),
    ],
)
def test_edges_that_are_none_are_one_sentence(edges, words):
    assert words in complaint(Graph, 5, edges)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 3), "height must be at least 1"),
        ((3, 2.0), "width must be at least 1"),
        ((1, 1), "single unit"),
        ((3, 3, 0.9), "reach of a unit"),
        ((3, 3, np.inf), "reach of a unit"),
    ],
)
def test_a_lattice_that_is_none_is_one_sentence(arguments, words):
    assert words in complaint(lattice, *arguments)


@pytest.mark.parametrize(
    ("R", "b", "words"),
    [
        ([1.0], np.zeros(5), "R must have shape (6,)"),
        (np.zeros(6), np.zeros((5, 1)), "b must have shape (5,)"),
        (np.zeros(6), [1.0, np.inf, 0, 0, 0], "not finite"),
        (["x"] * 6, np.zeros(5), "real numbers"),
    ],
)
def test_parameters_that_do_not_fit_are_one_sentence(R, b, words):
    assert words in complaint(MarkovField, SMALL.graph, R, b)


# --- the law ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_a_field_is_the_machine_that_lacks_its_other_couplings(name):
    field = random_field(GRAPHS[name])
    machine, rows = dense(field), random_rows(6, field.n_visible, seed=3)
    weights = np.random.default_rng(1).random((6, field.n_visible))
    pairs = tuple(field.graph.edges.T)
    close = {"rtol": 0.0, "atol": 1e-12}
    for part in ("energy", "unit_input", "differences", "unit_probability"):
        found, wanted = (
            getattr(module, part)(model, rows)
            for module, model in ((markov_field, field), (boltzmann, machine))
        )
        np.testing.assert_allclose(found, wanted, **close)
    found, wanted = (
        markov_field.gradient(field, rows, weights),
        boltzmann.gradient(machine, rows, weights),
    )
    np.testing.assert_allclose(found["R"], wanted["R"][pairs], **close)
    np.testing.assert_allclose(found["b"], wanted["b"], **close)
    found = markov_field.statistics(field, rows, weights[:, 0])
    wanted = boltzmann.statistics(machine, rows, weights[:, 0])
    np.testing.assert_allclose(found.vv, wanted.vv[pairs], **close)
    np.testing.assert_allclose(found.v, wanted.v, **close)


def test_spins_and_bits_have_the_same_law():
    """log Z of the spins by their own definition, J and h of every size and sign."""
    graph, rng = lattice(2, 4), np.random.default_rng(5)
    J, h = rng.normal(size=len(graph.edges)), rng.normal(size=8)
    s = 2.0 * all_states(8) - 1.0
    i, j = graph.edges.T
    log_p = (s[:, i] * s[:, j]) @ J + s @ h
    field = ising(graph, J, h)
    assert elimination.log_z(field) + ising_offset(field) == pytest.approx(
        np.logaddexp.reduce(log_p), abs=1e-10
    )
    wanted = np.exp(log_p - np.logaddexp.reduce(log_p))
    np.testing.assert_allclose(markov_field.distribution(field), wanted, rtol=0, atol=1e-13)


# --- exact inference ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_elimination_is_the_sum_over_all_states(name):
    field = random_field(GRAPHS[name], seed=2, scale=1.5)
    log_z, expected = boltzmann.moments(dense(field))
    found, moments = elimination.moments(field)
    assert found == pytest.approx(log_z, abs=1e-10)
    assert elimination.log_z(field) == found
    np.testing.assert_allclose(moments.vv, expected.vv[tuple(field.graph.edges.T)], rtol=0, atol=1e-12)
    np.testing.assert_allclose(moments.v, expected.v, rtol=0, atol=1e-12)


@pytest.mark.parametrize("graph", [SMALL.graph, lattice(1, 5), lattice(1, 5, wrapped=True)])
def test_draws_follow_the_law(graph):
    field = random_field(graph, seed=4)
    rows = elimination.draws(field, 20_000, Key(5, Stream.EXACT))
    law = boltzmann.distribution(dense(field))
    assert g_test(np.bincount(numbers_of(rows), minlength=32), law) > FAMILY_ALPHA


def kaufman(rows, columns, K):
    """Log Z of the Ising model without a field on a torus (Kaufman 1949, eq. 11)."""
    turns = np.arange(2 * columns)
    gamma = np.arccosh(np.cosh(2 * K) / np.tanh(2 * K) - np.cos(np.pi * turns / columns))
    gamma[0] = 2 * K + np.log(np.tanh(K))
    odd, even = rows * gamma[1::2] / 2, rows * gamma[0::2] / 2
    parts = [np.prod(2 * f(half)) for half in (odd, even) for f in (np.cosh, np.sinh)]
    return rows * columns / 2 * np.log(2 * np.sinh(2 * K)) + np.log(sum(parts) / 2)


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (4, 4), (5, 20), (30, 5)])
@pytest.mark.parametrize("K", [0.2, 0.44, 0.9])
def test_the_ising_model_on_a_torus_is_onsagers(rows, columns, K):
    field = ising(lattice(rows, columns, wrapped=True), K)
    found = elimination.log_z(field) + ising_offset(field)
    assert found == pytest.approx(kaufman(rows, columns, K), abs=1e-9)


@pytest.mark.parametrize(
    ("graph", "most"),
    [
        (lattice(8, 8), 14),
        (lattice(8, 8, 1.5), 16),
        (lattice(6, 500), 19),
        (lattice(500, 6, order="F"), 19),
        (Graph(2000, [[i // 2, i] for i in range(2, 2000)]), 13),
    ],
)
def test_narrow_graphs_and_trees_are_cheap_whatever_their_size(graph, most):
    assert graph.states_bits <= most


def test_a_reach_beyond_the_grid_joins_all():
    """And does not look for a billion neighbours."""
    assert len(lattice(3, 4, 1e9).edges) == 66


def test_a_graph_too_wide_says_so():
    field = ising(lattice(30, 30), 0.1)
    assert field.summed_units > 25
    with pytest.raises(Unavailable, match="exact enumeration"):
        elimination.log_z(field)
    assert default_methods(field) == ["ais", "bridge", "reverse_ais"]
    assert "exact" in default_methods(ising(lattice(8, 30), 0.1))


# --- on every backend ---------------------------------------------------------------------------


def transition(field, beta):
    """Of a sweep in the order of the colours: that of the machine whose units stand in this order."""
    order, machine = field.graph.order, dense(field)
    square = machine.square[np.ix_(order, order)]
    turned = sweep_matrix(BoltzmannMachine(np.triu(square, 1), machine.b[order]), beta)
    numbers = numbers_of(STATES[:, order])
    return turned[np.ix_(numbers, numbers)]


@pytest.mark.parametrize(("sweeps", "beta"), [(1, 1.0), (2, 1.0), (1, 0.5)])
def test_a_sweep_follows_its_transition_matrix(k, sweeps, beta):
    assert list(SMALL.graph.order) != [0, 1, 2, 3, 4]
    wanted = np.linalg.matrix_power(transition(SMALL, beta), sweeps)
    p = []
    for number in START:
        rows = k.put_rows(np.tile(STATES[number], (4000, 1)))
        v, h = k.gibbs(k.put(SMALL), rows, sweeps, Key(21, Stream.CHAINS, sweeps, 4000 * number), beta)
        assert k.get_rows(h).shape == (4000, 0)
        p.append(g_test(np.bincount(numbers_of(k.get_rows(v)), minlength=32), wanted[number]))
    assert len(START) * min(p) > FAMILY_ALPHA


def test_the_law_stays(k):
    law = boltzmann.distribution(dense(SMALL))
    start = elimination.draws(SMALL, 20_000, Key(8, Stream.EXACT))
    v, _ = k.gibbs(k.put(SMALL), k.put_rows(start), 30, Key(9, Stream.CHAINS))
    assert g_test(np.bincount(numbers_of(k.get_rows(v)), minlength=32), law) > FAMILY_ALPHA


def test_tempering_keeps_the_law_at_the_cold_end(k):
    """Twenty temperatures: more than lie side by side."""
    law, base = boltzmann.distribution(dense(SMALL)), np.linspace(-1.0, 1.0, 5)
    ladders = tempering.start(k, SMALL, 1500, tempering.spaced(20), base, Key(10, Stream.CHAINS))
    ladders = tempering.advance(k, k.put(SMALL), ladders, 40)
    counts = np.bincount(numbers_of(k.get_rows(tempering.coldest(k, ladders))), minlength=32)
    assert g_test(counts, law) > FAMILY_ALPHA
    assert (tempering.swap_rates(ladders) > 0.5).all()


def test_annealing_brackets_log_z(k):
    """So badly that there is a gap, and so well that there is none, on a spin glass of 64 units."""
    field = random_field(lattice(8, 8), seed=1, scale=2.0)
    rows, truth = random_rows(20, 64), elimination.log_z(field)
    badly = sandwich(k, field, rows, settings={"betas": 4, "chains": 100, "start": "exact"})
    low, _, high, exact = (found.log_z for found in badly.estimates)
    assert exact.log_z == pytest.approx(truth, abs=1e-9)
    assert np.mean(low.log_weights) < truth - 0.3  # nats: the mean log weight errs low, ...
    assert np.mean(high.log_weights) > truth + 0.3  # ... and back from exact draws high
    well = sandwich(k, field, rows, settings={"betas": 500, "chains": 100, "start": "exact"})
    for found in well.estimates:
        assert found.log_z.log_z == pytest.approx(truth, abs=4 * max(found.log_z.std_error, 1e-6))
        assert found.log_z.std_error < 0.15


def test_learning_comes_near_the_truth(k):
    """Exactly, by pseudolikelihood and by chains; the law determines the parameters."""
    rows = elimination.draws(SMALL, 5000, Key(6, Stream.EXACT))
    for name, rate, settings in (
        ("exact", 0.5, None), ("pseudolikelihood", 0.5, None), ("sml", 0.2, {"chains": 5000}),
    ):  # fmt: skip
        start = initial_markov_field(rows, SMALL.graph)
        fit = Fit(k, start, rows, name, settings, SGD(rate, 0.9), 200, 5000)
        fit.advance(200)
        found = fit.model
        assert found.graph is SMALL.graph
        error = np.concatenate([found.R - SMALL.R, found.b - SMALL.b])
        assert np.abs(error).max() < 0.35, name
        before = np.concatenate([SMALL.R, SMALL.b - initial_markov_field(rows, SMALL.graph).b])
        assert np.abs(error).max() < 0.4 * np.abs(before).max(), name


def test_decay_is_of_couplings_alone(k):
    handle, rows = k.put(SMALL), k.put_rows(random_rows(6, 5))
    velocity = k.zeros(handle)
    nothing = k.moments(handle, rows, rows).gradient
    assert k.update(handle, velocity, nothing, 0.5, 0.0, 0.2)
    found = k.get(handle)
    np.testing.assert_allclose(found.R, 0.9 * SMALL.R, rtol=1e-6)
    np.testing.assert_allclose(found.b, SMALL.b, rtol=1e-6)
    # What is heard from now on follows the couplings.
    cooled = MarkovField(SMALL.graph, 0.9 * SMALL.R, SMALL.b)
    np.testing.assert_allclose(
        k.free_energy(handle, rows), markov_field.energy(cooled, random_rows(6, 5)), rtol=1e-5
    )


@pytest.mark.parametrize("part", ["R", "b"])
def test_what_leaves_all_bounds_stops_the_run(k, part):
    handle = k.put(SMALL)
    far = {"R": np.zeros(6), "b": np.zeros(5)}
    far[part][3] = np.nan
    assert not k.update(handle, k.zeros(handle), k.put_tree(handle, far), 1.0, 0.0, 0.0)


def test_a_run_that_leaves_all_bounds_says_so(k):
    fit = Fit(k, SMALL, random_rows(50, 5), "pseudolikelihood", None, SGD(1e9), 5, 50)
    with pytest.raises(Diverged):
        fit.advance(5)


@pytest.mark.parametrize("chains", [1, 16, 17, 40])
def test_a_chain_does_not_know_how_many_there_are(k, chains):
    field, key = random_field(lattice(5, 5, 1.5), seed=6), Key(3, Stream.CHAINS, 2**32 - 2, 2**32 - 3)
    rows = random_rows(40, 25, seed=2)
    handle = k.put(field)
    every = k.get_rows(k.gibbs(handle, k.put_rows(rows), 7, key)[0])
    some = k.get_rows(k.gibbs(handle, k.put_rows(rows[:chains]), 7, key)[0])
    np.testing.assert_array_equal(some, every[:chains])
    last = key._replace(chain=key.chain + 39)
    alone = k.get_rows(k.gibbs(handle, k.put_rows(rows[39:]), 7, last)[0])
    np.testing.assert_array_equal(alone, every[39:])
    there = k.gibbs(handle, k.put_rows(rows), 3, key)[0]
    np.testing.assert_array_equal(k.get_rows(k.gibbs(handle, there, 4, key.advance(3))[0]), every)


@needs_two_threads
def test_threads_do_not_change_anything(threads, monkeypatch):
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)
    k, field, found = load("cpu"), random_field(lattice(9, 9, 1.5), seed=8), []
    rows, base = random_rows(70, 81), np.linspace(-1.0, 1.0, 81)
    for count in (1, 2):
        threads(count)
        handle, v, key = k.put(field), k.put_rows(rows), Key(1, Stream.CHAINS)
        annealed = k.anneal(handle, base, np.linspace(0.0, 1.0, 20), 70, key)
        tempered = k.temper(handle, base, np.linspace(0.0, 1.0, 35), v, 5, key)
        phases = k.moments(handle, v, v[:33]).gradient
        found.append([k.gibbs(handle, v, 5, key)[0], *annealed, *tempered[:2], phases["R"], phases["b"]])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_is_too_close_to_tell_quickly_is_told_exactly():
    """Uniforms next to their probabilities, which a comparison to four digits could not place."""
    from ebmbench.kernels.cpu.field.drawing import draw
    from ebmbench.scalar import sigmoid

    rng, ones = np.random.default_rng(2), np.ones(16, np.float32)
    for _ in range(50):
        x, state = rng.normal(0.0, 3.0, 16).astype(np.float32), np.empty(16, np.float32)
        p = np.array([sigmoid(value) for value in x], np.float32)
        up = rng.random(16) < 0.5
        u = np.where(up, p, np.nextafter(p, np.float32(0.0)))
        draw(u, 0 * ones, np.float32(7.0), ones, x, state)
        np.testing.assert_array_equal(state, (~up).astype(np.float32))


# --- what suites call a lattice -----------------------------------------------------------------


def test_a_lattice_by_its_recipe():
    glass = sources.load_model(
        {"lattice": [3, 4], "coupling": 0.5, "disorder": 2.0, "field": 0.1, "wrapped": True, "seed": 9}
    )
    J = glass.R / 4
    assert J.shape == (24,)
    assert 1.0 < J.std() < 3.0
    even = sources.load_model({"lattice": [3, 4], "coupling": 0.5, "field": 0.1})
    np.testing.assert_array_equal(even.R, 2.0)
    warm = sources.load_model({"lattice": [3, 4], "coupling": 0.5, "field": 0.1}, 2.0)
    np.testing.assert_allclose(warm.b, even.b / 2)
    digests = {
        sources.model_digest(sources.load_model(recipe))
        for recipe in (
            {"lattice": [3, 4], "coupling": 0.5}, {"lattice": [4, 3], "coupling": 0.5},
            {"lattice": [3, 4], "coupling": 1.0},
        )
    }  # fmt: skip
    assert len(digests) == 3
    assert sources.model_name({"lattice": [3, 4], "coupling": 0.5}) == "3x4 grid, J 0.5"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"lattice": [3]}, "height and a width"),
        ({"lattice": [[3], 4], "coupling": 1.0}, "height and a width, whole numbers"),
        ({"lattice": [3, 4.5], "coupling": 1.0}, "height and a width, whole numbers"),
        ({"lattice": [3, 0]}, "width must be at least 1"),
        ({"lattice": [3, 3], "coupling": float("nan")}, "must be finite"),
        ({"lattice": [3, 3], "disorder": -1.0}, "disorder must be at least 0"),
        ({"lattice": [3, 3]}, "needs a coupling, or a disorder"),
        ({"lattice": [3, 3], "coupling": 1.0, "seed": 2}, "seed of a lattice is of its disorder"),
        ({"lattice": [3, 3], "coupling": 1e9}, "numbers up to 10000"),
        ({"lattice": [100_000, 100_000], "coupling": 1.0}, "has more than"),
        ({"lattice": [3, 3], "colour": 1}, "colour"),
        ({"grid": [3, 3]}, "lattice = [8, 8]"),
    ],
)
def test_a_recipe_that_is_none_is_one_sentence(recipe, words):
    assert words in complaint(sources.check_model, recipe)


def test_annealing_is_held_against_elimination(k):
    """The task's own truth, at a size that nobody could enumerate."""
    field = sources.load_model({"lattice": [6, 20], "disorder": 0.7, "field": 0.1})
    base = partition.BaseRates(np.zeros(120), "fair coins")
    module, config = partition.find("ais", {"betas": 500, "chains": 100})
    found = module.estimate(k, field, config, base, 1)
    assert found.log_z == pytest.approx(elimination.log_z(field), abs=4 * found.std_error)
    assert found.std_error < 0.2
