"""What a training step asks of the GPU's driver: few launches, no copies, no memory."""

import numpy as np
import pytest
from conftest import random_rows

from ebmbench.harness.gate_networks import network
from ebmbench.harness.sources import random_model
from ebmbench.kernels.cuda import launch
from ebmbench.training.fit import Fit
from ebmbench.training.sgd import SGD

# take, gibbs, p(h|v) of both phases, the gradient, the update; centring takes two more.
PLAIN, CENTRED = 5, 7
UPDATES = 3


@pytest.fixture
def launched(monkeypatch):
    """Names of the kernels launched from now on."""
    names = []

    class Counted(launch.Kernel):
        def __call__(self, *arguments, **options):
            names.append(self.name)
            return super().__call__(*arguments, **options)

    for kernel in launch.KERNELS:
        monkeypatch.setattr(kernel, "__class__", Counted)
    return names


@pytest.mark.parametrize("estimator", ["sml", "cd"])
@pytest.mark.parametrize(("centred", "most"), [(False, PLAIN), (True, CENTRED)])
def test_an_update_takes_few_launches(cuda, emulator, launched, estimator, centred, most):
    settings = {"chains": 3} if estimator == "sml" else {}
    rows = random_rows(20, 6)
    fit = Fit(cuda, random_model(6, 5, 1.0), rows, estimator, settings, SGD(centred=centred), 3, 3)
    fit.advance(2)  # what the first updates make is handed out again
    launched.clear()
    if emulator:
        before = emulator.copies, emulator.allocations
    fit.advance(UPDATES)
    assert len(launched) <= most * UPDATES, launched
    if emulator:
        assert (emulator.copies, emulator.allocations) == before


def test_a_step_of_a_network_takes_few_launches(cuda, emulator, launched):
    """Two takes, and for L layers L forward, one loss, 2 L - 1 back, one update: 3 L + 1."""
    layers = 3
    model = cuda.put(network((6, 5, 4, 3), ("tanh", "sigmoid", "linear")))
    rows, targets = cuda.put_rows(random_rows(8, 6)), cuda.put_rows(np.eye(3)[np.arange(8) % 3])
    order, first, second = cuda.put_index(np.arange(8)), cuda.zeros(model), cuda.zeros(model)

    def step(number):
        x, t = (cuda.take(given, order, 2, 4) for given in (rows, targets))
        activations = cuda.forward(model, x)
        loss = cuda.cross_entropy(model, activations, t)
        gradient = cuda.backward(model, activations, loss.delta)
        assert cuda.adam(model, first, second, gradient, number, 0.1, 0.9, 0.99, 1e-8)

    step(1)
    step(2)
    launched.clear()
    before = emulator and (emulator.copies, emulator.allocations)
    step(3)
    assert len(launched) == 2 + 3 * layers + 1, launched
    if emulator:
        assert (emulator.copies, emulator.allocations) == before


@pytest.mark.parametrize(("tolerance", "copies"), [(0.0, 0), (1e-30, 1)])
def test_mean_field_waits_for_nothing_but_its_tolerance(cuda, emulator, launched, tolerance, copies):
    """Two launches, and two a sweep; the marks of sweeps are fetched at every fifth but the last."""
    model = cuda.put(random_model(9, 5, 1.0))
    v, even = cuda.put_rows(random_rows(4, 6)), cuda.put_rows(np.full((4, 3), 0.5))
    sweeps, before = 10, emulator and emulator.copies
    cuda.mean_field(model, v, even, sweeps, tolerance)
    assert len(launched) == 2 + 2 * sweeps
    if emulator:
        assert emulator.copies - before == copies
