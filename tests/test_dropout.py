"""Units left out of a pass: gradients by differences under the contract's masks, and what cannot be."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import complaint, with_job
from test_network_kernels import (
    NAMES,
    ROWS,
    SIZES,
    UNITS,
    allowed,
    binary,
    differences,
    likelihood,
    rows,
    soft_targets,
)  # fmt: skip

from ebmbench.evaluation.classification import classify
from ebmbench.harness import recipes
from ebmbench.harness.gate_networks import network
from ebmbench.models import dbm
from ebmbench.models.dbm import DBM
from ebmbench.models.dropout import Dropout, rates_of
from ebmbench.randomness import Key, Stream, uniforms
from ebmbench.scalar import ACTIVATIONS
from ebmbench.training.adam import Adam
from ebmbench.training.adversarial import Adversarial
from ebmbench.training.initial import initial_gan, initial_network
from ebmbench.training.supervised import Supervised

RATES = (0.25, 0.5)


def kept(key, rates, sizes, count):
    """By layer what each unit's number is multiplied by, by the contract's words."""
    return [
        (uniforms(key, count, units, n) < np.float32(1.0 - rate)) / np.float64(np.float32(1.0 - rate))
        for n, (rate, units) in enumerate(zip(rates, sizes, strict=False))
    ]


@pytest.mark.parametrize("kind", ["real", "binary"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gradient_with_units_left_out_is_its_differences(k, name, kind):
    """A unit that gave 0 exactly, as those of a row of zeros, is not one that is left out."""
    activations = (name, "linear")
    model = network(SIZES, activations)
    x = rows(ROWS, SIZES[0]) if kind == "real" else binary(ROWS, SIZES[0]).astype(float)
    targets = soft_targets(ROWS, SIZES[-1])
    key = Key(3, Stream.DROPOUT, 2**33 + 5, 7)
    times = kept(key, RATES, SIZES, ROWS)
    assert all(0 < (m == 0).sum() < m.size for m in times)
    handle = k.put(model)
    through = k.forward(handle, k.put_rows(x), Dropout(RATES, key))
    loss = k.cross_entropy(handle, through, k.put_rows(targets))
    found = k.get_tree(handle, k.backward(handle, through, loss.delta))
    p = {n: w.copy() for n, w in model.parameters.items()}

    def objective():
        h = UNITS[name](p["c1"] + (x * times[0]) @ p["W1"])
        return likelihood(p["c2"] + (h * times[1]) @ p["W2"], targets)

    assert abs(k.get_rows(loss.tally)[0] - objective()) < 2 * allowed(k)
    for n in NAMES:
        np.testing.assert_allclose(found[n], differences(objective, p[n]), atol=2 * allowed(k))
    by_input = k.get_rows(k.input_delta(handle, through, loss.delta))
    np.testing.assert_allclose(by_input, differences(objective, x), atol=2 * allowed(k))


def test_a_unit_that_gives_zero_still_learns(k):
    """Its slope is 1 where the unit is kept and 0 where it is left out."""
    model = network((1, 64, 1), ("tanh", "linear"))
    model = type(model)(model.weights, (np.zeros(64), np.zeros(1)), model.activations)
    handle, key = k.put(model), Key(1, Stream.DROPOUT)
    through = k.forward(handle, k.put_rows(np.zeros((1, 1))), Dropout((0.0, 0.5), key))
    found = k.get_tree(handle, k.backward(handle, through, k.put_rows(np.array([[0.5]]))))
    wanted = 0.5 * kept(key, (0.0, 0.5), (1, 64), 1)[1][0] * model.weights[1][:, 0]
    np.testing.assert_allclose(found["c1"], wanted, rtol=1e-6)


def test_rates_of_zero_leave_nothing_out(k):
    handle, x = k.put(network(SIZES, ("relu", "linear"))), k.put_rows(rows(ROWS, SIZES[0]))
    dropout = Dropout((0.0, 0.0), Key(1, Stream.DROPOUT))
    found = [k.get_rows(k.outputs(handle, k.forward(handle, x, how))) for how in (None, dropout)]
    np.testing.assert_array_equal(*found)


def test_dropout_that_cannot_be_is_named(k):
    handle, x = k.put(network(SIZES, ("relu", "linear"))), k.put_rows(rows(ROWS, SIZES[0]))
    key = Key(0, Stream.DROPOUT)
    for rates, words in (
        ((0.5,), "2 layers of weights take 2 dropout rates"),
        ((0.0, 1.0), "at least 0 and below 1"),
        ((-0.1, 0.5), "at least 0 and below 1"),
        ((0.0, float("nan")), "at least 0 and below 1"),
        (7.0, "at least 0 and below 1"),
    ):
        assert words in complaint(k.forward, handle, x, Dropout(rates, key))
    assert "seed" in complaint(k.forward, handle, x, Dropout((0.0, 0.5), Key(-1, 0)))
    assert "without hidden layers" in complaint(rates_of, 0.5, 1)


X, LABELS = rows(20, 6), np.arange(20) % 3
RUNS = {
    "classifier": lambda k: Supervised(
        k, initial_network([6, 8, 5, 3], ["relu", "relu", "linear"], 1), X, LABELS, Adam(0.01), 4, 8, 3,
        (0.2, 0.5, 0.5),
    ),
    "gan": lambda k: Adversarial(
        k, initial_gan(6, 2, [7], [8, 5], 1), binary(20, 6), epochs=4, batch_size=8, seed=3, dropout=0.5
    ),
}  # fmt: skip


def watched(k, name):
    """A trainer after its epochs, and what it left out of each pass through a network."""
    seen = []

    def forward(original, model, x, dropout):
        seen.append(dropout)
        return original(model, x, dropout)

    run = RUNS[name](with_job(k, "forward", forward))
    run.advance(run.steps)
    return run, [one for one in seen if any(one.rates)]


def test_a_classifier_leaves_out_other_units_in_each_update(k):
    run, seen = watched(k, "classifier")
    assert [one.rates for one in seen] == [(0.2, 0.5, 0.5)] * run.steps
    assert [one.key for one in seen] == [Key(3, Stream.DROPOUT, n) for n in range(run.steps)]


def test_a_discriminator_leaves_out_other_units_in_each_step_of_both_players(k):
    """One rate is that of the hidden layers; the generator's own passes are whole."""
    run, seen = watched(k, "gan")
    assert [one.rates for one in seen] == [(0.0, 0.5, 0.5)] * (2 * run.steps)
    assert [one.key for one in seen] == [Key(3, Stream.DROPOUT, n) for n in range(2 * run.steps)]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_with_units_left_out_goes_on_to_the_same_bits(k, name):
    whole, first, second = (RUNS[name](k) for _ in range(3))
    whole.advance(whole.steps)
    first.advance(5)
    second.restore(first.state())
    second.advance(second.steps - 5)
    for key, values in whole.model.parameters.items():
        np.testing.assert_array_equal(second.model.parameters[key], values)


def test_a_classifier_that_leaves_out_half_learns(k):
    run = Supervised(
        k, initial_network([6, 64, 3], ["relu", "linear"], 1), X, LABELS, Adam(0.03), 200, 20, 3, 0.5
    )
    run.advance(run.steps)
    assert classify(k, run.model, X, LABELS).wrong == 0


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ("mlp", "1", "at least 0 and below 1"),
        ("mlp", "0.1,0.2,0.3,0.4", "3 layers of weights take 3 dropout rates"),
        ("gan", "half", "--dropout must be a number"),
        ("gan", "-0.5", "at least 0 and below 1"),
        ("rbm", "0.5", "--dropout has a meaning only where"),
    ],
)
def test_the_command_line_says_which_dropout_cannot_be(ebmbench, tmp_path, model, given, words):
    status, _, err = ebmbench(
        "train",
        "--model",
        model,
        "--dataset",
        "digits",
        f"--dropout={given}",
        "--out",
        tmp_path / "m.npz",
    )
    assert status == 2
    assert words in err


def test_a_suite_says_which_dropout_cannot_be():
    for kind, table, words in (
        ("mlp", {"classifier": {"dropout": [0.5]}}, "2 layers of weights take 2"),
        ("gan", {"players": {"discriminator_dropout": 1.5}}, "below 1"),
        ("mlp", {"classifier": {"dropout": "half"}}, "must be of type"),
    ):
        assert words in complaint(recipes.of, kind, [4] if kind == "mlp" else [], table)
    assert "dropout" in recipes.of("mlp", [4], {"classifier": {"dropout": 0.5}}).label
    assert "dropout" not in recipes.of("mlp", [4], {"classifier": {"dropout": [0.0, 0.0]}}).label


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_a_dbms_classifier_takes_a_rate_for_each_of_its_layers(depth):
    """Which are fewer than the DBM's, as its even layers are an input (see `dbm.classifier`)."""
    sizes = range(7, 7 - depth - 1, -1)
    weights = tuple(np.zeros(pair) for pair in pairwise(sizes))
    model = DBM(weights, tuple(np.zeros(n) for n in sizes))
    layers = len(dbm.classifier(model, 3).weights)
    assert dbm.classifier_layers(depth) == layers
    for count in (layers, layers + 1):
        tables = {"joint": {"epochs": 1}, "classifier": {"dropout": [0.5] * count}}
        call = recipes.of, "dbm", list(sizes)[1:], tables
        if count == layers:
            call[0](*call[1:])
        else:
            assert f"take {layers} dropout rates" in complaint(*call)
