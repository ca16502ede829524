"""Networks on every backend: gradients by differences, updates by hand, bits, and what cannot be."""

import numpy as np
import pytest
from conftest import complaint, needs_two_threads
from scipy.special import logsumexp

from ebmbench.harness.gate_networks import network
from ebmbench.models.dropout import Dropout
from ebmbench.randomness import Key, Stream, normals
from ebmbench.scalar import ACTIVATIONS

SIZES = (7, 33, 4)
ROWS = 5
NAMES = ("W1", "c1", "W2", "c2")
UNITS = {  # the activations by their definition
    "linear": lambda x: x,
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: x * (x > 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
}


@pytest.fixture(autouse=True)
def all_work_is_worth_all_threads(monkeypatch):
    """As in `test_invariance`."""
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)


def rows(count, units, seed=1):
    return normals(Key(seed, Stream.SAMPLES), count, units)


def binary(count, units):
    return (rows(count, units, seed=2) > 0.5).astype(np.uint8)


def soft_targets(count, classes):
    odds = np.exp(rows(count, classes, seed=3))
    return odds / odds.sum(axis=1, keepdims=True)


def run(parameters, activations, x):
    """The outputs of a network by the definition, float64."""
    for n, name in enumerate(activations, 1):
        x = UNITS[name](parameters[f"c{n}"] + x @ parameters[f"W{n}"])
    return x


def likelihood(outputs, targets):
    return (targets * (outputs - logsumexp(outputs, axis=1, keepdims=True))).sum() / len(outputs)


def differences(objective, x, step=1e-5):
    """Central differences of objective() by the entries of x, which it reads; off by step**2 or so."""
    found = np.empty_like(x)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + step
        above = objective()
        x[place] = kept - step
        found[place] = (above - objective()) / (2 * step)
        x[place] = kept
    return found


def allowed(k):
    """Differences are off by 1e-9; sums of 33 terms of size 1 in float32 by 33 * 2**-24, twice over."""
    return 1e-6 if k.name == "reference" else 1e-5


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("last", ["linear", "same"])
def test_the_gradient_of_a_likelihood_is_its_differences(k, name, last):
    activations = (name, name if last == "same" else "linear")
    model = network(SIZES, activations)
    x, targets = rows(ROWS, SIZES[0]), soft_targets(ROWS, SIZES[-1])
    handle = k.put(model)
    through = k.forward(handle, k.put_rows(x))
    loss = k.cross_entropy(handle, through, k.put_rows(targets))
    found = k.get_tree(handle, k.backward(handle, through, loss.delta))
    parameters = {n: p.copy() for n, p in model.parameters.items()}

    def objective():
        return likelihood(run(parameters, activations, x), targets)

    assert abs(k.get_rows(loss.tally)[0] - objective()) < allowed(k)
    for n in NAMES:
        np.testing.assert_allclose(found[n], differences(objective, parameters[n]), atol=allowed(k))
    by_input = k.get_rows(k.input_delta(handle, through, loss.delta))
    np.testing.assert_allclose(by_input, differences(objective, x), atol=allowed(k))


@pytest.mark.parametrize("inner", [1.0, -1.0])
@pytest.mark.parametrize("outer", [1.0, -1.0])
def test_the_gradient_of_a_logistic_loss_is_its_differences(k, inner, outer):
    activations = ("leaky_relu", "linear")
    model = network((7, 33, 1), activations)
    x = rows(ROWS, 7)
    handle = k.put(model)
    through = k.forward(handle, k.put_rows(x))
    loss = k.logistic(handle, through, inner, outer)
    found = k.get_tree(handle, k.backward(handle, through, loss.delta))
    parameters = {n: p.copy() for n, p in model.parameters.items()}

    def objective():
        return outer * np.log1p(np.exp(inner * run(parameters, activations, x))).mean()

    value, above = k.get_rows(loss.tally)
    assert abs(value - objective()) < allowed(k)
    assert above == (run(parameters, activations, x) > 0).sum()
    for n in NAMES:
        np.testing.assert_allclose(found[n], differences(objective, parameters[n]), atol=allowed(k))


def test_rows_told_wrong_are_counted(k):
    """Ties go to the first of equals, on both sides."""
    model = network((2, 3), ("linear",))
    handle = k.put(type(model)((np.eye(2, 3),), (np.zeros(3),), ("linear",)))
    x = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0], [-1.0, -2.0]])  # 0, 1, 0 of a tie, 2
    targets = np.array([[1, 0, 0], [1, 0, 0], [0.4, 0.4, 0.2], [0, 0, 1]])
    loss = k.cross_entropy(handle, k.forward(handle, k.put_rows(x)), k.put_rows(targets))
    assert k.get_rows(loss.tally)[1] == 1


def test_large_outputs_neither_overflow_nor_vanish(k):
    """Softmax of outputs 1,000 apart, and softplus of 1,000."""
    model = type(network((1, 1), ("linear",)))
    handle = k.put(model((np.array([[1000.0, 0.0]]),), (np.zeros(2),), ("linear",)))
    through = k.forward(handle, k.put_rows(np.array([[1.0], [-1.0]])))
    loss = k.cross_entropy(handle, through, k.put_rows(np.array([[0, 1], [0, 1]])))
    np.testing.assert_allclose(k.get_rows(loss.tally), [-500.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(k.get_rows(loss.delta), [[-0.5, 0.5], [0.0, 0.0]], atol=1e-6)
    handle = k.put(model((np.array([[1000.0]]),), (np.zeros(1),), ("linear",)))
    through = k.forward(handle, k.put_rows(np.array([[1.0], [-1.0]])))
    for inner in (1.0, -1.0):
        loss = k.logistic(handle, through, inner, -1.0)
        np.testing.assert_allclose(k.get_rows(loss.tally), [-500.0, 1.0], rtol=1e-6)


def test_adam_by_hand(k):
    """Two steps of Kingma & Ba's algorithm 1 on chosen gradients, without a network's help."""
    model = network((3, 2), ("linear",))
    handle = k.put(model)
    first, second = k.zeros(handle), k.zeros(handle)
    w = {n: x.copy() for n, x in model.parameters.items()}
    m = {n: np.zeros_like(x) for n, x in w.items()}
    s = {n: np.zeros_like(x) for n, x in w.items()}
    for step in (1, 2):
        g = {
            n: normals(Key(step, 0, len(n)), *np.atleast_2d(x).shape).reshape(x.shape)
            for n, x in w.items()
        }
        assert k.adam(handle, first, second, k.put_tree(handle, g), step, 0.1, 0.8, 0.9, 1e-3)
        for n, x in w.items():
            m[n] = 0.8 * m[n] + 0.2 * g[n]
            s[n] = 0.9 * s[n] + 0.1 * g[n] ** 2
            x += 0.1 * (m[n] / (1 - 0.8**step)) / (np.sqrt(s[n] / (1 - 0.9**step)) + 1e-3)
    for n, x in k.get(handle).parameters.items():
        np.testing.assert_allclose(x, w[n], atol=1e-6)  # float32 numbers of size 1
    for tree, wanted in ((first, m), (second, s)):
        for n, x in k.get_tree(handle, tree).items():
            np.testing.assert_allclose(x, wanted[n], atol=1e-6)


@pytest.mark.parametrize("bad", [np.inf, np.nan, 2e6])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_has_left_all_bounds_is_told(k, bad, name):
    handle = k.put(network(SIZES, ("sigmoid", "linear")))
    gradient = {n: np.zeros_like(x) for n, x in k.get(handle).parameters.items()}
    gradient[name].flat[-1] = bad
    tree = k.put_tree(handle, gradient)
    zeros = [k.zeros(handle) for _ in range(3)]
    assert not k.update(handle, zeros[0], tree, 1.0, 0.0, 0.0)
    other = k.put(network(SIZES, ("sigmoid", "linear")))
    with np.errstate(invalid="ignore"):  # infinity by infinity
        assert not k.adam(other, *zeros[1:], tree, 1, 1e7, 0.0, 0.0, 1e-8)


def test_an_update_is_of_what_the_gradient_names(k):
    """And weight decay of matrices alone."""
    model = network(SIZES, ("sigmoid", "linear"))
    handle = k.put(model)
    gradient = k.put_tree(handle, {n: np.zeros_like(model.parameters[n]) for n in ("W2", "c1")})
    k.update(handle, k.zeros(handle), gradient, 0.5, 0.0, 0.5)
    after = k.get(handle).parameters
    np.testing.assert_allclose(after["W2"], 0.75 * model.parameters["W2"], rtol=1e-6)
    for n in ("W1", "c1", "c2"):
        np.testing.assert_allclose(after[n], model.parameters[n], rtol=1e-6)


def test_activations_of_two_forwards_live_side_by_side(k):
    """What the one says is what it says alone, though its gradient is asked for after the other."""
    handle = k.put(network(SIZES, ("tanh", "linear")))
    one, two = (k.put_rows(rows(ROWS, SIZES[0], seed)) for seed in (4, 5))
    delta = k.put_rows(rows(ROWS, SIZES[-1], 6))
    wanted = k.get_tree(handle, k.backward(handle, k.forward(handle, one), delta))
    kept = k.forward(handle, one)
    gradient = k.backward(handle, kept, delta)
    k.backward(handle, k.forward(handle, two), delta)
    for found in (gradient, k.backward(handle, kept, delta)):
        for n, x in k.get_tree(handle, found).items():
            np.testing.assert_array_equal(x, wanted[n])


def test_outputs_are_a_copy(k):
    if k.name == "cuda":
        pytest.skip("arrays on a GPU are written by its kernels alone")
    handle = k.put(network((3, 16), ("linear",)))
    through = k.forward(handle, k.put_rows(rows(2, 3)))
    k.outputs(handle, through)[...] = 0.0
    assert k.get_rows(k.outputs(handle, through)).any()


WIDE = (300, 150, 70, 10)  # more than one tile of everything, and ragged


def bits_after_training(k, x, rates=None):
    """Outputs, all parameters and what Adam keeps after three updates, as one vector."""
    handle = k.put(network(WIDE, ("relu", "sigmoid", "linear")))
    first, second, velocity = (k.zeros(handle) for _ in range(3))
    targets = k.put_rows(soft_targets(len(x), WIDE[-1]))
    data = k.put_rows(x)
    for step in (1, 2, 3):
        through = k.forward(handle, data, rates and Dropout(rates, Key(2, Stream.DROPOUT, step)))
        delta = k.cross_entropy(handle, through, targets).delta
        gradient = k.backward(handle, through, delta)
        k.adam(handle, first, second, gradient, step, 1e-3, 0.9, 0.99, 1e-8)
        k.update(handle, velocity, gradient, 1e-2, 0.5, 1e-3)
    trees = [k.get_tree(handle, tree) for tree in (first, second, velocity)]
    found = [k.get(handle).parameters, *trees, {"a": k.get_rows(k.outputs(handle, through))}]
    return np.concatenate([np.ravel(x) for tree in found for x in tree.values()])


KINDS = {
    "binary": lambda: binary(37, WIDE[0]),
    "dense": lambda: rows(37, WIDE[0]),
    "sparse": lambda: rows(37, WIDE[0]) * binary(37, WIDE[0]),
}


@needs_two_threads
@pytest.mark.parametrize("rates", [None, (0.1, 0.5, 0.2)])
@pytest.mark.parametrize("kind", KINDS)
def test_threads_do_not_change_a_network(computed, kind, rates, threads):
    found = []
    for count in (1, 2):
        threads(count)
        found.append(bits_after_training(computed, KINDS[kind](), rates))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_gives_the_same_bits_as_in_a_batch(computed, kind):
    """Also in a batch of rows that are denser than it is."""
    handle = computed.put(network(WIDE, ("relu", "sigmoid", "linear")))
    x = KINDS[kind]()
    mixed = np.concatenate([x, rows(60, WIDE[0], seed=9)])

    def outputs(given):
        return computed.get_rows(
            computed.outputs(handle, computed.forward(handle, computed.put_rows(given)))
        )

    wanted = outputs(x)
    np.testing.assert_array_equal(outputs(mixed)[: len(x)], wanted)
    np.testing.assert_array_equal(outputs(x[11:12])[0], wanted[11])
    np.testing.assert_array_equal(np.concatenate([outputs(x[:7]), outputs(x[7:])]), wanted)


def test_what_does_not_fit_a_network_is_named(k):
    handle = k.put(network(SIZES, ("sigmoid", "linear")))
    x = k.put_rows(rows(ROWS, SIZES[0]))
    through = k.forward(handle, x)
    wide = k.put_rows(rows(ROWS, 5))
    assert "[rows, 7]" in complaint(k.forward, handle, wide)
    assert "at least one row" in complaint(k.forward, handle, x[:0])
    assert "[rows, 4]" in complaint(k.cross_entropy, handle, through, wide)
    assert "needs one output" in complaint(k.logistic, handle, through, 1.0, 1.0)
    assert "[rows, 4]" in complaint(k.backward, handle, through, wide)
    tree = k.zeros(handle)
    assert "step from 1" in complaint(k.adam, handle, tree, tree, tree, 0, 0.1, 0.9, 0.9, 1e-8)
    assert "does not apply" in complaint(k.put, network(SIZES, ("sigmoid", "linear")), "grid")
