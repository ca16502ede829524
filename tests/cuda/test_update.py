"""Updates on the GPU: padding stays zero, Wt follows W, health is told late but is told."""

import numpy as np
import pytest
from conftest import random_rows
from test_boltzmann import random_machine

from ebmbench.harness.sources import random_model
from ebmbench.kernels.cuda import memory, update
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.sgd import SGD


def gradient_of(model, host, seed=0):
    """A random gradient on the device, its padding zero."""
    rng = np.random.default_rng(seed)
    tree = {}
    for name in ("W", "b", "c"):
        value = np.zeros(getattr(model, name).shape, np.float32)
        part = getattr(host, name)
        value[tuple(slice(n) for n in part.shape)] = rng.normal(size=part.shape)
        tree[name] = memory.upload(value)
    return tree


@pytest.mark.parametrize("size", [(1, 7), (31, 33), (65, 31)], ids=str)
def test_padding_stays_zero_and_the_transposed_copy_follows(cuda, size):
    n_visible, n_hidden = size
    host = random_model(*size, 1.0)
    model = cuda.put(host)
    velocity, gradient = cuda.zeros(model), gradient_of(model, host)
    given = {name: cuda.get_rows(value) for name, value in gradient.items()}
    before = {name: cuda.get_rows(getattr(model, name)) for name in given}
    for _ in range(2):
        assert cuda.update(model, velocity, gradient, 0.1, 0.5, 0.01)
    W, Wt, b, c = (cuda.get_rows(x) for x in (model.W, model.Wt, model.b, model.c))
    assert (Wt[:, :n_visible] == W[:, :n_hidden].T).all()
    for padding in (W[:, n_hidden:], Wt[:, n_visible:], b[n_visible:], c[n_hidden:]):
        assert (padding == 0).all()
    assert (cuda.get_rows(velocity["W"])[:, n_hidden:] == 0).all()
    for name, found in (("W", W), ("b", b), ("c", c)):
        v, x, decay = 0.0, before[name].astype(float), 0.01 if name == "W" else 0.0
        for _ in range(2):
            v = 0.5 * v + 0.1 * (given[name] - decay * x)
            x = x + v
        assert np.abs(found - x).max() < 1e-6  # a few roundings of numbers below 5


@pytest.mark.parametrize("named", [("W",), ("b", "c")], ids=str)
def test_what_the_gradient_does_not_name_stays(cuda, named):
    host = random_model(7, 5, 1.0)
    model = cuda.put(host)
    gradient = {name: value for name, value in gradient_of(model, host).items() if name in named}
    cuda.update(model, cuda.zeros(model), gradient, 0.1, 0.5, 0.01)
    after = cuda.get(model)
    for name in ("W", "b", "c"):
        same = np.array_equal(getattr(after, name), getattr(host, name).astype(np.float32))
        assert same == (name not in named)


def test_what_was_made_of_the_weights_is_made_anew(cuda):
    model = cuda.put(random_model(3, 2, 1.0))
    model.derived["a copy"] = None
    cuda.update(model, cuda.zeros(model), cuda.zeros(model), 0.1, 0.5, 0.0)
    assert model.derived == {}


@pytest.mark.long
@pytest.mark.parametrize(("bad", "patience"), [(1e7, 100), (np.nan, 4)])
def test_divergence_is_told_within_a_hundred_updates(cuda, monkeypatch, bad, patience):
    looks = []
    if patience < update._PATIENCE:
        monkeypatch.setattr(update, "_PATIENCE", patience)  # the simulator is slow
    monkeypatch.setattr(update, "download", lambda x: looks.append(x) or memory.download(x))
    model, other = cuda.put(random_model(2, 3, 1.0)), cuda.put(random_model(2, 3, 1.0))
    velocity, gradient = cuda.zeros(model), {"c": memory.zeros(model.c.shape)}
    gradient["c"] = memory.upload(np.array([0, bad] + [0] * 30, np.float32))
    healthy = [cuda.update(model, velocity, gradient, 1.0, 0.0, 0.0) for _ in range(patience)]
    assert healthy == [True] * (patience - 1) + [False]
    assert len(looks) == 1
    assert cuda.update(other, cuda.zeros(other), cuda.zeros(other), 1.0, 0.0, 0.0)


def test_a_model_that_diverged_is_not_handed_out(cuda):
    fit = Fit(cuda, random_model(3, 2, 1.0), random_rows(4, 3), "sml", {"chains": 2}, SGD(rate=1e30))
    fit.advance(1)
    with pytest.raises(Diverged):
        _ = fit.model


@pytest.mark.parametrize("estimator", ["sml", "cd"])
def test_a_centred_fit_is_that_of_the_cpu(cuda, cpu, estimator):
    """Six updates of rate 0.1 whose gradients are sums of 4 to 9 numbers below 1: errors below 1e-5.

    The chains are the same as long as no uniform lies within such an error of its probability, and with
    this seed none does.
    """
    host, rows = random_model(9, 7, 0.1), random_rows(12, 9)
    settings, found = {"chains": 4} if estimator == "sml" else {}, []
    for k in (cuda, cpu):
        fit = Fit(k, host, rows, estimator, settings, SGD(rate=0.1, decay=0.01, centred=True), 2, 5)
        fit.advance(6)
        found.append(fit.model)
    for name in ("W", "b", "c"):
        one, two = (getattr(model, name) for model in found)
        assert np.abs(one - two).max() < 1e-5
        assert np.abs(one - getattr(host, name)).max() > 1e-2


def test_a_machines_couplings_stay_their_own_transpose(cuda):
    """To the bits: a checkpoint keeps one half of them."""
    host, rows = random_machine(33, seed=2, scale=0.3), random_rows(9, 33, seed=1)
    model, grey = cuda.put(host), cuda.put_rows(0.9 * rows[:5].astype(np.float32))
    velocity, offsets = cuda.zeros(model), cuda.zeros(model)
    for step in range(3):
        gradient, means = cuda.moments(model, grey, cuda.put_rows(rows))
        cuda.centre(model, gradient, means, offsets, 0.3 if step else 1.0)
        assert cuda.update(model, velocity, gradient, 0.1, 0.5, 0.01)
    for square in (model.W, velocity["R"], gradient["R"]):
        found = cuda.get_rows(square)[:, :33]
        assert (found == found.T).all()
        assert np.diag(found).any() == 0
    assert np.abs(cuda.get(model).R - host.R).max() > 0.01
