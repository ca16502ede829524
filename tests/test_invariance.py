"""Same seed, same chain: whatever the number of threads, the split of a batch, or the stops in between.

Equality is of every bit; but the reference's real numbers come from a library's matrix product, which
keeps them only to rounding, so there 1e-11 is allowed: states, being 0 or 1, must still be equal.
Sizes are ragged, so that padding and the loops' remainders take part.
"""

from itertools import pairwise

import numpy as np
import pytest
from conftest import flat, needs_two_threads, random_rbm, random_rows

from ebmbench.kernels.api import ARITHMETICS
from ebmbench.models.rbm import on_grid
from ebmbench.randomness import Key, Stream

MODEL = random_rbm(45, 37, seed=41, scale=0.5)
ROWS = random_rows(23, 45, seed=42)
KEY = Key(43, Stream.CHAINS, step=2**32 - 3, chain=6)
BETAS = np.linspace(0.0, 1.0, 40)
SPLITS = [(0, 23), (0, 1, 23), (0, 7, 8, 20, 23), tuple(range(24))]


@pytest.fixture(autouse=True)
def all_work_is_worth_all_threads(monkeypatch):
    """Small models would be left to one thread, and there would be nothing to compare."""
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)


@pytest.fixture(params=ARITHMETICS)
def model(request, k):
    return k.put(MODEL, request.param)


def walk(k, model, rows=ROWS, sweeps=20, key=KEY, beta=1.0):
    v, h = k.gibbs(model, k.put_rows(rows), sweeps, key, beta)
    return np.hstack([k.get_rows(v), k.get_rows(h)])


def annealed(k, model, rows=ROWS, key=KEY):
    """From the base as many chains as there are rows, and from these rows back to the base."""
    runs = [
        k.anneal(model, 0.5 * MODEL.b, betas, start, key)
        for betas, start in ((BETAS, len(rows)), (BETAS[::-1], k.put_rows(rows)))
    ]
    return np.hstack([x for run in runs for x in (run.log_weights[:, None], k.get_rows(run.v))])


def same(k, found, wanted):
    allowed = 1e-11 if k.name == "reference" else 0.0
    return np.shape(found) == np.shape(wanted) and np.abs(found - wanted).max() <= allowed


def later(key, chains):
    return key._replace(chain=key.chain + chains)


@needs_two_threads
def test_threads_do_not_change_a_chain(k, model, threads):
    found = []
    for count in (1, 2):
        threads(count)
        found.append((walk(k, model), annealed(k, model)))
    assert same(k, found[0][0], found[1][0])
    assert same(k, found[0][1], found[1][1])


@needs_two_threads
def test_threads_do_not_change_a_gradient(k, threads):
    """Nor the exact gradient, nor an update: learning curves can be told apart by their seeds alone."""
    found = []
    for count in (1, 2):
        threads(count)
        model, rows = k.put(random_rbm(33, 9, seed=44)), k.put_rows(random_rows(17, 33))
        phases, log_z = k.exact_gradient(model, rows)
        velocity = k.zeros(model)
        contrast = k.moments(model, rows, k.take(rows, np.arange(5)))
        for gradient in (phases.gradient, contrast.gradient):
            k.update(model, velocity, gradient, 0.1, 0.5, 0.01)
        found.append(np.append(flat(vars(k.get(model))), log_z))
    assert same(k, *found)


@needs_two_threads
@pytest.mark.parametrize("rows", ["binary", "grey"])
@pytest.mark.parametrize("size", [(30, 1061), (1061, 30)], ids=str)
def test_threads_share_the_columns_of_a_wide_layer_and_change_no_bit(k, threads, size, rows):
    """In sums, draws and updates; the last vector of columns is not whole."""
    states = random_rows(5, size[0], seed=45) * (1.0 if rows == "binary" else 0.5)
    found = []
    for count in (1, 2):
        threads(count)
        model, v = k.put(random_rbm(*size, seed=46, scale=0.2)), k.put_rows(states)
        contrast = k.moments(model, v, k.take(v, np.arange(2)))
        k.update(model, k.zeros(model), contrast.gradient, 0.1, 0.5, 0.01)
        walked = walk(k, model, states, 1) if rows == "binary" else np.empty(0)
        sums = k.hidden_input(model, v)
        found.append(np.concatenate([flat(vars(k.get(model))), walked.ravel(), sums.ravel()]))
    assert same(k, *found)


@needs_two_threads
def test_grid_walks_a_thousand_sweeps_alike(k, threads):
    model = k.put(MODEL, "grid")
    found = []
    for count, parts in ((1, (23,)), (2, (23,)), (2, (11, 12))):
        threads(count)
        firsts = np.cumsum((0, *parts))
        rows = [ROWS[a:b] for a, b in pairwise(firsts)]
        keys = [later(KEY, int(a)) for a in firsts]
        walks = [walk(k, model, r, 1000, key) for r, key in zip(rows, keys, strict=False)]
        found.append(np.vstack(walks))
    assert same(k, found[0], found[1])
    assert same(k, found[0], found[2])


@pytest.mark.parametrize("split", SPLITS, ids=lambda s: f"{len(s) - 1} parts")
def test_a_split_batch_is_the_same_batch(k, model, split):
    whole = walk(k, model), annealed(k, model)
    parts = list(pairwise(split))
    walks = [walk(k, model, ROWS[a:b], key=later(KEY, a)) for a, b in parts]
    runs = [annealed(k, model, ROWS[a:b], later(KEY, a)) for a, b in parts]
    assert same(k, np.vstack(walks), whole[0])
    assert same(k, np.vstack(runs), whole[1])


@pytest.mark.parametrize("stops", [(1, 19), (10, 10), (1,) * 20], ids=lambda s: f"{len(s)} runs")
def test_runs_that_follow_each_other_are_one_run(k, model, stops):
    state, key = ROWS, KEY
    for sweeps in stops:
        layers = walk(k, model, state, sweeps, key, beta=0.9)
        state, key = layers[:, :45], key.advance(sweeps)
    assert same(k, layers, walk(k, model, beta=0.9))


def test_a_chain_does_not_see_the_others(k, model):
    other = np.vstack([1 - ROWS[:5], ROWS[5:6], 1 - ROWS[6:]])
    assert same(k, walk(k, model, other)[5], walk(k, model)[5])


def test_two_chains_are_not_alike(k, model):
    """23 chains from the same state: 82 units each, so no two can agree by chance."""
    same_rows = np.tile(ROWS[:1], (23, 1))
    walks, runs = walk(k, model, same_rows, sweeps=3), annealed(k, model, same_rows)
    assert len(np.unique(walks, axis=0)) == 23
    assert len(np.unique(runs[:, 1:46], axis=0)) == 23
    assert len(np.unique(runs[:, 47:], axis=0)) == 23


def test_binary_states_give_the_same_bits_as_integers_and_as_reals(k, model):
    """A backend keeps binary rows as integers; one grey row makes reals of all of them."""
    grey = np.vstack([ROWS, np.full((1, 45), 0.5)]).astype(np.float32)
    binary, real = k.put_rows(ROWS), k.put_rows(grey)
    calls = {
        "hidden_input": lambda rows: k.hidden_input(model, rows),
        "hidden_probability": lambda rows: k.get_rows(k.hidden_probability(model, rows, 0.7)),
        "free_energy": lambda rows: k.free_energy(model, rows),
        "gibbs": lambda rows: k.get_rows(k.gibbs(model, rows, 4, KEY)[0]),
    }
    for job, call in calls.items():
        assert same(k, call(binary).astype(float), call(real)[:23].astype(float)), job


def test_a_row_alone_gives_the_same_bits_as_in_a_batch(k, model):
    rows = k.put_rows(ROWS)
    wanted = k.hidden_input(model, rows), k.free_energy(model, rows)
    for number in (0, 11, 22):
        one = k.put_rows(ROWS[number : number + 1])
        assert same(k, k.hidden_input(model, one)[0], wanted[0][number])
        assert same(k, k.free_energy(model, one), wanted[1][number : number + 1])


def test_grid_inputs_are_exact_on_every_backend(k):
    """Sums of multiples of 2**-16 below 2**8: float32 in any order gives float64's result."""
    host = on_grid(MODEL)
    v, h = ROWS.astype(float), random_rows(23, 37, seed=45).astype(float)
    model = k.put(MODEL, "grid")
    assert (k.hidden_input(model, k.put_rows(ROWS)) == host.c + v @ host.W).all()
    assert (k.visible_input(model, k.put_rows(h)) == host.b + h @ host.W.T).all()
