"""Tests of the CUDA backend, on a GPU or in Numba's simulator; skipped where there is neither.

`NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda` runs them in the simulator, as test_cuda_simulator.py does.
"""

import pytest

from ebmbench.kernels.api import READY, load, state

STATE = state("cuda")


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/cuda/" in item.path.as_posix():
            item.add_marker(pytest.mark.gpu)
            if STATE != READY:
                item.add_marker(pytest.mark.skip(reason=STATE))


@pytest.fixture(scope="session")
def cuda():
    """The backend."""
    return load("cuda")


@pytest.fixture(scope="session")
def cpu():
    """What bits are compared with."""
    return load("cpu")
