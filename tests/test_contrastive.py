"""Many updates in one call beside the same updates one after another, to the bits."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import complaint, needs_two_threads, random_rbm, random_rows

from ebmbench.kernels.api import Batched, Negative, Steps, load
from ebmbench.kernels.cpu import contrastive, tiles
from ebmbench.kernels.cpu.threads import count_threads
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream
from ebmbench.training.batches import Batches, Source, redrawn
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.sgd import SGD

CPU = load("cpu")
PLAIN = replace(CPU, fused={})  # the same backend without a call for many updates
WAYS = {
    "CD-1": ("cd", {}, {}),
    "CD-3": ("cd", {"k": 3}, {"decay": 1e-3}),
    "SML-1, fewer chains than rows": ("sml", {"chains": 3}, {"schedule": "linear"}),
    "SML-2, more chains than rows": ("sml", {"k": 2, "chains": 40}, {}),
    "SML-1, centred": ("sml", {"chains": 9}, {"centred": True, "decay": 1e-3}),
    "CD-2, centred": ("cd", {"k": 2}, {"centred": True, "momentum": 0.9}),
    "CD-1, cold": ("cd", {"visible_beta": 2.0, "hidden_beta": 2.0}, {}),
}
LARGE = (400, 130, 130, 64)  # each parallel loop of it is worth all threads
SHAPES = ((1, 1, 3, 2), (7, 33, 25, 6), (65, 31, 40, 13), LARGE)


def fit(k, shape=(7, 33, 25, 6), estimator="cd", settings=None, epochs=3, grey=False, **more):
    """A fit of rows of which the last batch is short."""
    n_visible, n_hidden, n, batch = shape
    rows = random_rows(n, n_visible, seed=3)
    if grey:
        rows = np.random.default_rng(1).random((n, n_visible)).astype(np.float32)
    fixed, mask = more.pop("fixed", ()), more.pop("mask", None)
    optimiser = SGD(**{"rate": 0.1, "momentum": 0.5} | more)
    model = random_rbm(n_visible, n_hidden, seed=2, scale=0.1)
    return Fit(k, model, rows, estimator, settings or {}, optimiser, epochs, batch, 5, fixed, mask)


def bits(trainer):
    """Everything that decides how a run goes on."""
    return {name: np.asarray(x).tobytes() for name, x in trainer.state().items()}


def calls(result="as it is"):
    """A backend that counts how often it is asked for many updates, and the list of what it did."""
    done = []

    def counted(*given):
        found = contrastive.contrastive_updates(*given) if result == "as it is" else result
        done.append(found and found[1])
        return found

    return replace(CPU, fused={("contrastive_updates", RBM.kind): counted}), done


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_one_call_is_as_good_as_many(way, shape, monkeypatch):
    monkeypatch.setattr(tiles, "allowed", lambda: False)  # else integers serve, one by one
    estimator, settings, optimiser = WAYS[way]
    one, other = (fit(k, shape, estimator, settings, **optimiser) for k in (CPU, PLAIN))
    for trainer in (one, other):
        trainer.advance(trainer.steps)
    assert bits(one) == bits(other)


@needs_two_threads
@pytest.mark.parametrize("way", ["CD-3", "SML-1, centred"])
def test_threads_change_no_bit_and_are_as_many_as_before(way, threads, monkeypatch):
    monkeypatch.setattr(tiles, "allowed", lambda: False)
    estimator, settings, optimiser = WAYS[way]
    found = []
    for count in (1, 2):
        threads(count)
        for shape in (LARGE, SHAPES[1]):  # the small one leaves its loops to one thread
            trainer = fit(CPU, shape, estimator, settings, **optimiser)
            trainer.advance(trainer.steps)
            found.append(bits(trainer))
            assert count_threads() == count
    assert found[:2] == found[2:]


def test_rows_that_are_drawn_anew_each_epoch():
    grey = np.random.default_rng(1).random((25, 7)).astype(np.float32)
    k, done = calls()
    one, other = (
        Fit(k, random_rbm(7, 33), grey, "sml", {}, SGD(), 3, 6, redraw=redrawn(k, grey, True, 4))
        for k in (k, PLAIN)
    )
    for trainer in (one, other):
        trainer.advance(trainer.steps)
    assert bits(one) == bits(other)
    assert done == [5, 5, 5]


@pytest.mark.parametrize("batch", [1, 25, 40])
def test_an_epoch_of_many_batches_and_of_one(batch):
    k, done = calls()
    one, other = (fit(k, (7, 33, 25, batch), epochs=30) for k in (k, PLAIN))
    for trainer in (one, other):
        trainer.advance(trainer.steps)
    assert bits(one) == bits(other)
    assert done == ([256, 256, 238] if batch == 1 else [30])


def test_several_batches_are_those_that_come_one_by_one():
    rows = random_rows(10, 3, seed=4)
    source = Source(CPU, rows)
    for size in (1, 3, 5, 10):
        one, many = (Batches(CPU, 10, size, 7) for _ in range(2))
        for number, most in ((0, 1), (1, 9), (2, 25), (0, 40)):
            index, starts = many.several(number, most, source)[1:]
            for n in range(most):
                found = rows[index[starts[n] : starts[n + 1]]]
                np.testing.assert_array_equal(found, one.of(number + n, source))
            assert len(starts) == most + 1


@pytest.mark.parametrize("grey", [False, True])
def test_it_is_the_way_that_is_taken(grey):
    k, done = calls()
    trainer = fit(k, grey=grey)
    trainer.advance(trainer.steps)
    assert done == [15]  # three epochs, each in an order of its own
    assert bits(trainer) == bits(fitted(PLAIN, grey=grey))


def fitted(k, **settings):
    trainer = fit(k, **settings)
    trainer.advance(trainer.steps)
    return trainer


def test_where_it_is_stopped_plays_no_part():
    whole, parts, restored = (fit(CPU, estimator="sml", centred=True) for _ in range(3))
    whole.advance(13)
    for count in (1, 2, 4, 6):
        parts.advance(count)
    assert bits(parts) == bits(whole)
    restored.restore(parts.state())
    for trainer in (whole, restored):
        trainer.advance(2)
    assert bits(restored) == bits(whole)


def test_a_call_ends_before_long(monkeypatch):
    k, done = calls()
    monkeypatch.setattr(contrastive, "_WORK", 0)
    trainer = fit(k, epochs=1)
    trainer.advance(5)
    assert done == [1] * 5


@pytest.mark.parametrize(
    "settings",
    [
        {"fixed": ("b",)},
        {"mask": np.ones((7, 33))},
        {"estimator": "pseudolikelihood"},
        {"settings": {"visible_beta": 2.0}},
    ],
    ids=["a fixed parameter", "a mask", "another principle", "two temperatures"],
)
def test_what_it_does_not_know_goes_one_by_one(settings):
    k, done = calls()
    assert bits(fitted(k, **settings)) == bits(fitted(PLAIN, **settings))
    assert done == []


def test_a_device_that_gains_nothing_is_asked_once():
    k, done = calls(result=None)
    assert bits(fitted(k)) == bits(fitted(PLAIN))
    assert done == [None]


@pytest.mark.parametrize(("rate", "last"), [(1e30, 1), (5e5, 3), (2e5, 7)])
def test_both_ways_diverge_at_the_same_update(rate, last):
    reasons = []
    for k in (CPU, PLAIN):
        trainer = fit(k, estimator="sml", settings={"chains": 4}, rate=rate, momentum=0.9)
        with pytest.raises(Diverged) as error:
            trainer.advance(trainer.steps)
        reasons.append((str(error.value), trainer.done))
    assert reasons[0] == reasons[1]
    assert reasons[0][1] == last


def updates(index, starts=(0, 2, 3), rates=2, v=None, sweeps=1, beta=1.0):
    """One call on three rows of seven units."""
    model = CPU.put(random_rbm(7, 3))
    rows, index = CPU.put_rows(random_rows(3, 7)), CPU.put_index(np.array(index))
    batches = Batched(rows, index, np.array(starts))
    negative = Negative(v, sweeps, Key(1, Stream.CHAINS), beta)
    steps = Steps(np.full(rates, 0.1), 0.5, 0.0, np.ones(rates))
    return CPU.contrastive_updates(model, (CPU.zeros(model), None), batches, negative, steps)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"index": [0, 1, 3]}, "number the 3 rows"),
        ({"index": [0, -1, 2]}, "number the 3 rows"),
        ({"index": [0, 1, 2], "rates": 3}, "2 batches need as many rates, not 3"),
        ({"index": [0, 1, 2], "rates": 0}, "2 batches need as many rates, not 0"),
        ({"index": [0, 1, 2], "starts": (0, 3, 4)}, "parts of an index of 3"),
        ({"index": [0, 1, 2], "starts": (-1, 2, 3)}, "parts of an index of 3"),
        ({"index": [0, 1, 2], "starts": (-5, 2, 3)}, "parts of an index of 3"),
        ({"index": [0, 1, 2], "starts": (0, 2, 2)}, "none without rows"),
        ({"index": [0, 1, 2], "starts": (2, 0, 3)}, "none without rows"),
        ({"index": [0, 1, 2], "sweeps": 0}, "sweeps must be at least 1"),
        ({"index": [0, 1, 2], "beta": np.nan}, "inverse temperature must be finite"),
        ({"index": [0, 1, 2], "v": np.zeros((0, 7), np.uint8)}, "without rows"),
        ({"index": [0, 1, 2], "v": np.zeros((2, 6), np.uint8)}, "the shape [rows, 7]"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(given, sentence):
    assert sentence in complaint(updates, **given)


def test_the_chains_that_are_given_stay_as_they_are():
    v = random_rows(4, 7, seed=8)
    before = v.copy()
    reached, done, healthy = updates([0, 1, 2], v=v)
    assert (v == before).all()
    assert (done, healthy) == (2, True)
    assert reached.shape == v.shape
    assert (reached != v).any()
