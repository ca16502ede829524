"""Training a classifier against plain NumPy loops, from random weights and from a DBN or a DBM."""

import dataclasses

import numpy as np
import pytest
from conftest import complaint, random_rbm, random_rows
from deep import bits, plain_mean_field, random_dbm, trained
from scipy.special import expit, log_softmax

from ebmbench import datasets
from ebmbench.evaluation.classification import Classified, classify, gains
from ebmbench.kernels.api import load
from ebmbench.models import dbm, dbn, mlp
from ebmbench.models.augmented import AugmentedMLP
from ebmbench.models.mlp import MLP
from ebmbench.randomness import Key, Stream, permutation
from ebmbench.samplers.meanfield import augmented
from ebmbench.training.adam import Adam
from ebmbench.training.ascent import Diverged
from ebmbench.training.initial import initial_network
from ebmbench.training.sgd import SGD
from ebmbench.training.supervised import Supervised

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = np.random.default_rng(4).normal(size=(11, 6)).astype(np.float32)
LABELS = np.random.default_rng(5).integers(0, 3, 11)
BATCH = 4
# Float32 beside float64 over ten updates of size 0.1; Adam divides by the root of a small number.
TOLERANCE = {"reference": 1e-10}
NETWORK = initial_network([6, 7, 5, 3], ["sigmoid", "relu", "linear"], 1)


def run(k, model=NETWORK, rows=ROWS, labels=LABELS, optimiser=None, epochs=4, seed=3):
    return Supervised(k, model, rows, labels, optimiser or SGD(0.1, 0.5), epochs, BATCH, seed)


def plain(model, optimiser, updates, seed=3, epochs=4):
    """Softmax regression through layers, by the chain rule; SGD with momentum, or Adam's algorithm 1."""
    p = {name: x.copy() for name, x in model.parameters.items()}
    one, two = ({name: np.zeros_like(x) for name, x in p.items()} for _ in range(2))
    batches = -(-len(ROWS) // BATCH)
    for t in range(updates):
        epoch, number = divmod(t, batches)
        here = permutation(Key(seed, Stream.SHUFFLING, epoch), len(ROWS))[number * BATCH :][:BATCH]
        layers = mlp.forward(MLP.of(p, model.activations), ROWS[here].astype(float))
        wanted = np.eye(3)[LABELS[here]]
        delta = (wanted - np.exp(log_softmax(layers.outputs, axis=1))) / len(here)
        gradient, _ = mlp.backward(MLP.of(p, model.activations), layers, delta)
        rate = optimiser.rate * (1 - t / (epochs * batches) if optimiser.schedule == "linear" else 1)
        for name, g in gradient.items():
            if isinstance(optimiser, Adam):
                o = optimiser
                one[name] = o.beta1 * one[name] + (1 - o.beta1) * g
                two[name] = o.beta2 * two[name] + (1 - o.beta2) * g**2
                m, s = one[name] / (1 - o.beta1 ** (t + 1)), two[name] / (1 - o.beta2 ** (t + 1))
                p[name] = p[name] + rate * m / (np.sqrt(s) + o.epsilon)
            else:
                decay = optimiser.decay * p[name] if name.startswith("W") else 0.0
                one[name] = optimiser.momentum * one[name] + rate * (g - decay)
                p[name] = p[name] + one[name]
    return MLP.of(p, model.activations)


@pytest.mark.parametrize(
    "optimiser",
    [
        SGD(0.1, 0.0), SGD(0.1, 0.9, 0.1), SGD(0.1, 0.5, schedule="linear"), Adam(0.01),
        Adam(0.01, 0.5, 0.9, 1e-3, "linear"),
    ],
)  # fmt: skip
def test_training_is_the_plain_loop(k, optimiser):
    found, wanted = trained(run(k, optimiser=optimiser), 10), plain(NETWORK, optimiser, 10)
    np.testing.assert_allclose(bits(found), bits(wanted), rtol=0, atol=TOLERANCE.get(k.name, 5e-5))
    assert np.abs(bits(found) - bits(NETWORK)).max() > 0.02


def test_every_optimiser_goes_its_own_way():
    optimisers = SGD(0.1, 0.0), SGD(0.1, 0.9, 0.1), SGD(0.1, 0.5, schedule="linear"), Adam(0.01)
    found = [bits(plain(NETWORK, one, 10)) for one in optimisers]
    for number, first in enumerate(found):
        for second in found[:number]:
            assert np.abs(first - second).max() > 0.01


def test_updates_add_up_and_the_seed_decides(k):
    whole, split = run(k, optimiser=Adam(0.01)), run(k, optimiser=Adam(0.01))
    assert (bits(trained(whole, 11)) == bits(trained(split, 5, 1, 5))).all()
    assert (bits(trained(run(k, seed=4), 11)) != bits(whole.model)).any()


def test_what_is_said_of_the_last_batch(k):
    one = run(k)
    assert one.info == {}
    one.advance(4)
    before = one.model
    one.advance(1)  # the second batch of the second epoch
    here = permutation(Key(3, Stream.SHUFFLING, 1), 11)[4:8]
    outputs = mlp.forward(before, ROWS[here]).outputs
    wanted = log_softmax(outputs, axis=1)[np.arange(4), LABELS[here]].mean()
    assert one.info["objective"] == pytest.approx(wanted, abs=1e-5)
    assert one.info["wrong"] == (outputs.argmax(axis=1) != LABELS[here]).sum()


def test_nothing_is_fetched_while_it_trains(k):
    """A fetch would wait for the device at every step."""
    fetched = []

    def get_rows(rows):
        fetched.append(rows.shape)
        return k.device["get_rows"](rows)

    one = run(dataclasses.replace(k, device={**k.device, "get_rows": get_rows}))
    one.advance(12)
    assert fetched == []
    assert one.info["wrong"] >= 0
    assert len(fetched) == 1


@pytest.mark.parametrize("optimiser", [SGD(0.5, 0.9), Adam(0.02)], ids=["sgd", "adam"])
def test_it_learns_what_no_single_layer_could(k, optimiser):
    """Parity of two bits among five, which no linear classifier tells."""
    rows = (np.arange(32)[:, None] >> np.arange(5)) & 1
    labels = rows[:, 0] ^ rows[:, 3]
    network = initial_network([5, 16, 2], ["tanh", "linear"], 3)
    one = Supervised(k, network, rows, labels, optimiser, 300, 8, 1)
    assert classify(k, network, rows, labels).error > 0.2
    assert classify(k, trained(one), rows, labels).error == 0.0


# --- from a DBN or a DBM ------------------------------------------------------------------------


def test_a_classifier_starts_with_the_recognition_weights():
    layers = random_rbm(6, 5), random_rbm(5, 4, seed=1)
    network = dbn.classifier(layers, 3)
    assert network.sizes == (6, 5, 4, 3)
    found = mlp.forward(network, ROWS).given
    wanted = expit(layers[1].c + expit(layers[0].c + ROWS @ layers[0].W) @ layers[1].W)
    np.testing.assert_allclose(found[2], wanted, atol=1e-12)
    assert (found[3] == 0.0).all()


@pytest.mark.parametrize("sizes", [(6, 5), (6, 5, 4), (6, 5, 4, 3), (6, 5, 4, 3, 2), (6, 1, 7, 2, 3, 4)])
def test_a_dbm_classifier_starts_as_its_mean_field(k, sizes):
    """The second layer gives the even layers' means, and the last one those of the uppermost layer.

    The means of the input have converged within 1e-6 a unit; a layer adds up to 7 of them with weights of
    up to 2, and the slope of a sigmoid is 1/4.
    """
    model, rows = random_dbm(*sizes, scale=0.7), random_rows(9, 6)
    given = augmented(k, model, rows, tolerance=1e-6)
    network = dbm.classifier(model, 3)
    found = mlp.forward(network, given).given
    means = plain_mean_field(model, rows)
    assert given.shape == (9, sum(sizes[::2]))
    np.testing.assert_allclose(given, np.concatenate(means[::2], axis=1), atol=1e-5)
    np.testing.assert_allclose(found[1], np.concatenate(means[1::2], axis=1), atol=1e-5)
    if len(sizes) > 2:
        np.testing.assert_allclose(found[2], given[:, 6:], atol=1e-5)
    np.testing.assert_allclose(found[-2][:, -sizes[-1] :], means[-1], atol=1e-5)
    assert (found[-1] == 0.0).all()


@pytest.mark.parametrize("sizes", [(64, 30, 20), (64, 20, 10, 15)], ids=str)
def test_fine_tuning_from_a_dbm_learns(k, sizes):
    data = datasets.load("digits")
    rows, labels = data.train[:300], data.labels_train[:300]
    model = random_dbm(*sizes, scale=0.8)
    given = augmented(k, model, rows)
    one = Supervised(k, dbm.classifier(model, 10), given, labels, Adam(0.03), 30, 50, 1)
    tuned = trained(one)
    whole = AugmentedMLP(model, tuned)
    found = classify(k, whole, rows, labels)
    assert found.error < 0.05
    assert found == classify(k, tuned, given, labels)
    outputs = log_softmax(mlp.forward(tuned, given).outputs, axis=1)
    assert found.wrong == (outputs.argmax(axis=1) != labels).sum()
    assert found.mean == pytest.approx(outputs[np.arange(300), labels].mean(), abs=1e-4)
    assert found.n_rows == 300


def test_an_augmented_network_must_fit_its_dbm():
    words = complaint(AugmentedMLP, random_dbm(6, 5, 4), NETWORK)
    assert "takes 6 numbers, but v and the DBM's means are 10" in words


def test_backends_train_the_same_network(computed):
    for optimiser in (SGD(0.1, 0.5), Adam(0.01)):
        found, wanted = (trained(run(k, optimiser=optimiser)) for k in (computed, load("reference")))
        np.testing.assert_allclose(bits(found), bits(wanted), rtol=0, atol=5e-5)


def test_a_network_that_diverges_says_so(k):
    one = run(k, optimiser=SGD(1e30), epochs=100)
    with pytest.raises(Diverged, match=r"after \d+ updates"):
        one.advance(300)


BAD_RUNS = {
    "6 visible units": {"rows": ROWS[:, :5]},
    "not finite": {"rows": np.full((11, 6), np.inf)},
    "11 rows need as many labels": {"labels": LABELS[:10]},
    "from 0 to 2, but one is 3": {"labels": LABELS + 1},
    "from 0 to 2, but one is -1": {"labels": LABELS - 1},
    "whole numbers": {"labels": LABELS + 0.5},
    "ends in a linear layer": {"model": dataclasses.replace(NETWORK, activations=("relu",) * 3)},
    "centring": {"optimiser": SGD(centred=True)},
    "number of epochs": {"epochs": 0},
    "the seed": {"seed": -1},
}


@pytest.mark.parametrize(("words", "wrong"), BAD_RUNS.items(), ids=BAD_RUNS)
def test_a_run_that_cannot_be_is_named(k, words, wrong):
    assert words in complaint(run, k, **wrong)


def test_rows_to_classify_are_checked(k):
    assert "6 visible units" in complaint(classify, k, NETWORK, ROWS[:, :5], LABELS)
    assert "from 0 to 2" in complaint(classify, k, NETWORK, ROWS, LABELS + 1)
    whole = AugmentedMLP(random_dbm(6, 5, 4), dbm.classifier(random_dbm(6, 5, 4), 3))
    assert "outside [0, 1]" in complaint(classify, k, whole, ROWS, LABELS)


def test_a_few_rows_without_an_error_leave_a_doubt():
    """Who guesses is right on both of two rows one time in four."""
    few, many = Classified(0, 2, 0.0, 0.5), Classified(140, 10_000, 0.0, 0.9)
    assert few.std_error > 0.15
    assert not gains(few.error, few.std_error, few.of_one_class)
    assert many.std_error == pytest.approx(np.sqrt(0.014 * 0.986 / 10_000), rel=0.01)
    assert gains(many.error, many.std_error, many.of_one_class)
