"""Networks on the GPU: products back in both tiles, losses beyond a block, trees, late news of health.

What rounding may do: a sum of 65 products of numbers below 4 is off by 65 * 16 * 2**-24 < 1e-4 at the
very most, and by a tenth of that where roundings go either way.
"""

import numpy as np
import pytest

from ebmbench.harness.gate_networks import network
from ebmbench.kernels.api import load
from ebmbench.kernels.cuda import gemm, memory, update
from ebmbench.models import mlp
from ebmbench.scalar import ACTIVATIONS, LINEAR

SIZES = [(1, 7, 3), (7, 1, 1), (31, 33, 7), (33, 65, 2), (65, 31, 33)]
TOLERANCE = 1e-5


def poisoned(*shape):
    return memory.upload(np.full(shape, np.nan, np.float32))


def passed(outputs):
    """What a pass leaves behind, as far as a loss looks at it."""
    return mlp.Activations([None, memory.upload(outputs)], [None], mlp.Dropout.none(1))


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("binary", [False, True], ids=["real", "binary"])
def test_the_gradient_of_a_layer(cuda, tile, size, binary):
    below, above, rows = size
    a, x = normal(rows, below), normal(rows, above, seed=1)
    a = (a > 0).astype(np.uint8) if binary else a
    W, c = poisoned(below, above), poisoned(above)
    gemm.gradient(memory.upload(a), memory.upload(x), W, c)
    assert np.abs(cuda.get_rows(W) - a.T.astype(float) @ x).max() < TOLERANCE
    assert np.abs(cuda.get_rows(c) - x.sum(axis=0, dtype=float)).max() < TOLERANCE


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("activation", [None, "tanh", "leaky_relu"])
def test_back_through_a_layer(cuda, tile, size, activation):
    below, above, rows = size
    x, W, a = normal(rows, above), normal(below, above, seed=1), np.tanh(normal(rows, below, seed=2))
    wanted = x.astype(float) @ W.T.astype(float)
    if activation:
        wanted *= mlp.slope(activation, a.astype(float))
    code = ACTIVATIONS.index(activation) if activation else LINEAR
    given = memory.upload(a) if activation else None
    found = cuda.get_rows(gemm.back(memory.upload(x), memory.upload(W), given, code))
    assert np.abs(found - wanted).max() < TOLERANCE


@pytest.mark.parametrize("rows", [1, 113, 230])
@pytest.mark.parametrize("classes", [1, 9, 33])
def test_cross_entropy_of_more_rows_and_classes_than_a_block_has_threads(cuda, rows, classes):
    """Targets that do not sum to one, and equals among outputs and targets: the first one counts."""
    outputs = np.round(normal(rows, classes))
    targets = np.round(3 * np.random.default_rng(1).random((rows, classes))) / 2
    host = network((classes, classes), ("linear",))
    for given in (targets, (targets > 0.5).astype(np.uint8)):
        found = cuda.cross_entropy(cuda.put(host), passed(outputs), cuda.put_rows(given))
        wanted = mlp.cross_entropy(outputs.astype(float), given.astype(float))
        assert np.abs(cuda.get_rows(found.delta) - wanted.delta).max() < 1e-6
        tally = cuda.get_rows(found.tally)
        assert tally[0] == pytest.approx(wanted.tally[0], rel=1e-6, abs=1e-6)
        assert tally[1] == wanted.tally[1]


def test_large_and_lost_outputs(cuda):
    """Of a size whose exponential no number holds; and NaN is told."""
    host = network((2, 2), ("linear",))
    outputs = np.array([[1e4, -1e4], [3e38, 3e38]], np.float32)
    targets = cuda.put_rows(np.array([[0.0, 1.0], [1.0, 0.0]]))
    found = cuda.cross_entropy(cuda.put(host), passed(outputs), targets)
    np.testing.assert_allclose(cuda.get_rows(found.tally), [-(2e4 + np.log(2)) / 2, 1])
    np.testing.assert_allclose(cuda.get_rows(found.delta), [[-0.5, 0.5], [0.25, -0.25]])
    outputs[0, 1] = np.nan
    found = cuda.cross_entropy(cuda.put(host), passed(outputs), targets)
    assert np.isnan(cuda.get_rows(found.tally)[0])
    one = cuda.put(network((2, 1), ("linear",)))
    found = cuda.logistic(one, passed(outputs[:, :1]), -1.0, -1.0)
    np.testing.assert_allclose(cuda.get_rows(found.tally), [0.0, 2.0], atol=1e-12)


@pytest.mark.parametrize("rows", [1, 33, 300])
def test_logistic_of_more_rows_than_threads(cuda, rows):
    x = 3 * normal(rows, 1)
    model = cuda.put(network((2, 1), ("linear",)))
    found = cuda.logistic(model, passed(x), 1.0, -1.0)
    wanted = mlp.logistic(x.astype(float), 1.0, -1.0)
    assert np.abs(cuda.get_rows(found.delta) - wanted.delta).max() < 1e-7
    np.testing.assert_allclose(cuda.get_rows(found.tally), wanted.tally, rtol=1e-6)


@pytest.mark.parametrize(("data", "fakes"), [(1, 1), (33, 7), (1, 300), (300, 65)])
def test_the_payoff_is_two_logistic_losses(cuda, data, fakes):
    x = 3 * normal(data + fakes, 1)
    model = cuda.put(network((2, 1), ("linear",)))
    found = cuda.jobs["payoff", "mlp"](model, passed(x), data)
    ours, theirs = mlp.logistic(x[:data], -1.0, -1.0), mlp.logistic(x[data:], 1.0, -1.0)
    delta = np.concatenate([ours.delta, theirs.delta])
    assert np.abs(cuda.get_rows(found.delta) - delta).max() < 1e-6
    wanted = [ours.tally[0] + theirs.tally[0], ours.tally[1], theirs.tally[1]]
    np.testing.assert_allclose(cuda.get_rows(found.tally), wanted, rtol=1e-6)


@pytest.mark.parametrize("counts", [(3, 1), (0, 2), (33, 7)], ids=str)
@pytest.mark.parametrize("binary", [(True, True), (True, False), (False, False)], ids=str)
def test_rows_are_stacked(cuda, counts, binary):
    given = [
        (normal(count, 5) > 0).astype(np.uint8) if bits else normal(count, 5)
        for count, bits in zip(counts, binary, strict=True)
    ]
    found = cuda.device["stack"](*map(memory.upload, given))
    assert found.dtype == (np.uint8 if all(binary) else np.float32)
    assert (cuda.get_rows(found) == np.concatenate(given)).all()


def test_a_delta_of_zeros_and_ones_is_a_number_too(cuda):
    """Such rows are bytes on the device."""
    host, rows = network((5, 3), ("linear",)), normal(4, 5)
    delta = np.eye(4, 3)
    tree = cuda.put(host), cuda.put_rows(rows)
    found = cuda.get_tree(tree[0], cuda.backward(tree[0], cuda.forward(*tree), cuda.put_rows(delta)))
    assert np.abs(found["W1"] - rows.T.astype(float) @ delta).max() < TOLERANCE
    assert (found["c1"] == delta.sum(axis=0)).all()


def put_tree(k, model, tree):
    """A tree on the device, which the reference has on the host."""
    job = k.jobs.get(("put_tree", model.kind))
    return job(model, tree) if job else dict(tree)


def trained(k, host, named, mixed, steps=3):
    """Parameters and means after steps of Adam and of momentum along trees with only these names.

    mixed: the first name's array is of another tree, so that it lies alike but not beside the others.
    """
    rng, found = np.random.default_rng(5), []
    gradients = [
        {name: rng.normal(size=x.shape) for name, x in host.parameters.items()} for _ in range(steps)
    ]
    for job in ("adam", "update"):
        model = k.put(host)
        first, second = k.zeros(model), k.zeros(model)
        for step, gradient in enumerate(gradients, 1):
            one, other = (put_tree(k, model, gradient) for _ in range(2))
            tree = {name: one[name] for name in named}
            if mixed:
                tree[named[0]] = other[named[0]]
            if job == "adam":
                assert k.adam(model, first, second, tree, step, 0.1, 0.9, 0.99, 0.1)
            else:
                assert k.update(model, first, tree, 0.1, 0.5, 0.01)
        found += [k.get(model).parameters, k.get_tree(model, first), k.get_tree(model, second)]
    return found


@pytest.mark.parametrize(
    "named", [("W1", "c1", "W2", "c2"), ("W1",), ("c1", "c2"), ("W1", "c2")], ids=str
)
@pytest.mark.parametrize("mixed", [False, True], ids=["one tree", "two trees"])
def test_updates_go_through_what_the_gradient_names(cuda, named, mixed):
    host = network((7, 33, 5), ("tanh", "linear"))
    both = (trained(k, host, named, mixed) for k in (cuda, load("reference")))
    for found, wanted in zip(*both, strict=True):
        for name, value in wanted.items():
            assert np.abs(found[name] - value).max() < 1e-6
            if name not in named:
                assert (found[name] == value.astype(np.float32)).all()


@pytest.mark.parametrize("job", ["adam", "update"])
@pytest.mark.parametrize(("bad", "name"), [(np.nan, "W1"), (1e8, "c2")])
def test_divergence_is_told_within_a_hundred_updates(cuda, monkeypatch, job, bad, name):
    patience, looks = 4, []
    monkeypatch.setattr(update, "_PATIENCE", patience)  # the simulator is slow
    monkeypatch.setattr(update, "download", lambda x: looks.append(x) or memory.download(x))
    host = network((3, 2, 2), ("relu", "linear"))
    model, other = cuda.put(host), cuda.put(host)
    trees = [cuda.zeros(model) for _ in range(3)]
    value = np.zeros(host.parameters[name].shape)
    value.flat[-1] = bad
    gradient = put_tree(cuda, model, {name: value})

    def go(model, gradient):
        if job == "adam":
            # With this epsilon a step is rate / epsilon times the gradient, or nearly so.
            return cuda.adam(model, *trees[:2], gradient, 1, 1e9, 0.9, 0.99, 1.0)
        return cuda.update(model, trees[0], gradient, 1.0, 0.0, 0.0)

    assert [go(model, gradient) for _ in range(patience)] == [True] * (patience - 1) + [False]
    assert len(looks) == 1
    if job == "update":
        assert go(other, cuda.zeros(other))


def test_a_tree_is_fetched_and_put_back(cuda):
    host = network((7, 5, 3), ("tanh", "linear"))
    model = cuda.put(host)
    tree = put_tree(cuda, model, host.parameters)
    again = cuda.get_tree(model, tree)
    assert again.keys() == host.parameters.keys()
    for name, value in host.parameters.items():
        assert (again[name] == value.astype(np.float32)).all()
    assert cuda.get(model).activations == host.activations
