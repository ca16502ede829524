"""What a training step asks of the GPU's driver: few launches, no copies, no memory."""

import pytest
from conftest import random_rows

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
