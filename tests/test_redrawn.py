"""Training on binary rows that are drawn anew each epoch from rows of probabilities."""

import dataclasses

import numpy as np
import pytest
from conftest import complaint
from deep import BATCH, bits, stack, trained

from ebmbench.datasets import Dataset
from ebmbench.harness import recipes
from ebmbench.harness.judge import Judge
from ebmbench.kernels.api import load
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream, permutation, states, uniforms
from ebmbench.training.batches import Batches, Source, redrawn
from ebmbench.training.fit import Fit, initial_gaussian_model
from ebmbench.training.joint import Joint, Phases, initial_dbm
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.sgd import SGD

GREY = np.float32(np.random.default_rng(1).uniform(size=(11, 6)))
SEED = 3
DATA = Dataset("grey", GREY, (GREY > 0.5).astype(np.uint8), None, None, sampled=True)

pytestmark = pytest.mark.usefixtures("one_thread")


def trainers(k, rows, redraw):
    """One of each kind that sees rows of data, two epochs long."""
    start = RBM(np.zeros((6, 4)), np.zeros(6), np.zeros(4))
    dbm = initial_dbm(rows, (5, 4), SEED, 0.5)
    how = SGD(0.1, 0.5), 2, BATCH, SEED
    return {
        "fit": lambda: Fit(k, start, rows, "cd", {}, *how, redraw=redraw),
        "joint": lambda: Joint(k, dbm, rows, *how, Phases(7, 2), redraw),
        "stack": lambda: stack(k, rows, redraw=redraw),
        "pretrained": lambda: Pretrained(
            k, rows, (5, 4), {}, SGD(0.1), 2, *how, Phases(7, 2), redraw=redraw
        ),
    }


def spied(k):
    """The backend, and a list of all rows that batches are taken from."""
    seen = []

    def take(rows, index, first, count):
        seen.append(np.array(k.get_rows(rows), float))
        return k.device["take"](rows, index, first, count)

    return dataclasses.replace(k, device={**k.device, "take": take}, fused={}), seen


def drawn(epoch):
    return (uniforms(Key(SEED, Stream.DATA, epoch), *GREY.shape) < GREY).astype(float)


def test_rows_that_are_no_probabilities_are_not_drawn(k):
    assert redrawn(k, GREY, False, SEED) is None


@pytest.mark.parametrize("kind", ["fit", "joint", "stack", "pretrained"])
def test_each_epoch_sees_a_draw_of_its_own(k, kind):
    spy, seen = spied(k)
    trained(trainers(spy, GREY, redrawn(spy, GREY, True, SEED))[kind]())
    of_data = [rows for rows in seen if rows.shape == GREY.shape]
    for number, rows in enumerate(of_data[:6]):  # three batches an epoch
        np.testing.assert_array_equal(rows, drawn(number // 3))
    assert (of_data[0] != of_data[3]).any()
    if kind == "pretrained":  # the joint training of the layers is over the data again
        np.testing.assert_array_equal(of_data[-1], drawn(1))


def test_an_upper_layer_sees_what_those_below_make_of_that_epochs_draw(k):
    spy, seen = spied(k)
    layers = trained(stack(spy, GREY, (5, 4), redraw=redrawn(spy, GREY, True, SEED))).layers
    upper = [rows for rows in seen if rows.shape == (11, 5)]
    assert len(upper) == 6
    for number, rows in enumerate(upper):
        u = uniforms(Key(SEED, Stream.RECOGNITION, 2 * (2 + number // 3)), 11, 5, 1)
        p = 1 / (1 + np.exp(-(layers[0].c + drawn(number // 3) @ layers[0].W)))
        np.testing.assert_array_equal(rows, u < p)


LAYERS, JOINT = {"epochs": 2}, {"epochs": 2, "chains": 7}
RECIPES = {
    "dbn": ("dbn", {"layers": LAYERS}),
    "dbm": ("dbm", {"joint": JOINT}),
    "pretrained dbm": ("dbm", {"layers": LAYERS, "joint": JOINT}),
}


@pytest.mark.parametrize("name", RECIPES)
def test_each_epoch_of_a_suites_model_sees_a_draw_of_its_own(k, name):
    spy, seen = spied(k)
    kind, tables = RECIPES[name]
    (phase,) = recipes.of(kind, [5, 4], tables).phases
    trained(phase.make(recipes.Given(spy, DATA, BATCH, SEED), None))
    of_data = [rows for rows in seen if rows.shape == GREY.shape]
    for number, rows in enumerate(of_data[:6]):
        np.testing.assert_array_equal(rows, drawn(number // 3))
    assert (of_data[0] != of_data[3]).any()


def test_what_is_not_to_be_drawn_is_refused(k):
    binary = (GREY > 0.5).astype(np.uint8)
    for rows in (binary, 3.0 * GREY, -GREY):
        assert "grey rows" in complaint(redrawn, k, rows, True, SEED)
    gaussian = initial_gaussian_model(GREY, 4, SEED)
    redraw = redrawn(k, GREY, True, SEED)
    assert "Gaussian" in complaint(Fit, k, gaussian, GREY, "cd", redraw=redraw)
    (phase,) = recipes.of("gan", [], {"players": {"latent": 2}}).phases
    given = recipes.Given(k, DATA, BATCH, SEED)
    assert "draws its rows anew" in complaint(phase.make, given, None)


def test_training_rows_that_are_drawn_are_judged_as_a_draw():
    """Of greys as they are a free energy is no log-likelihood."""
    base = RBM(np.zeros((6, 4)), np.linspace(-1, 1, 6), np.zeros(4))
    fit = Fit(load("cpu"), base, GREY, "cd", redraw=redrawn(load("cpu"), GREY, True, SEED))
    found = Judge(DATA, "exact", {}, SEED)(fit, 0.0)
    p = 1 / (1 + np.exp(-base.b))
    x = drawn(0)
    wanted = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1).mean()
    assert found["log_likelihood_train"] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("kind", ["fit", "joint", "stack", "pretrained"])
@pytest.mark.parametrize("stop", [2, 4, 7])
def test_a_run_goes_on_in_the_midst_of_an_epoch_to_the_same_bits(k, kind, stop):
    make = trainers(k, GREY, redrawn(k, GREY, True, SEED))[kind]
    whole, first, second = make(), make(), make()
    stop = min(stop, whole.steps)
    first.advance(stop)
    second.restore(first.state())
    second.advance(whole.steps - stop)
    assert (bits(trained(whole)) == bits(second.model)).all()


def test_one_draw_is_kept_and_made_again_only_for_another_epoch(k):
    asked = []

    def redraw(epoch):
        asked.append(epoch)
        return k.put_rows(states(GREY, Key(SEED, Stream.DATA, epoch)))

    source, batches = Source(k, GREY, redraw), Batches(k, 11, BATCH, SEED)
    for number in (0, 1, 2, 3, 5, 2):
        epoch, place = divmod(number, 3)
        order = permutation(Key(SEED, Stream.SHUFFLING, epoch), 11)[place * BATCH :][:BATCH]
        np.testing.assert_array_equal(k.get_rows(batches.of(number, source)), drawn(epoch)[order])
    assert asked == [0, 1, 0]
