"""Tests of the CUDA backend: on a GPU, in Numba's simulator, or on an emulated GPU; else skipped.

`NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda` runs the kernels' Python in the simulator, and
`EBMBENCH_EMULATED_GPU=1 pytest tests/cuda` their PTX in the emulator (see tests/emulator), as
test_cuda_without_gpu.py does.
"""

import os

import pytest

from ebmbench.kernels.api import READY, load, state

EMULATED = bool(os.environ.get("EBMBENCH_EMULATED_GPU"))
if EMULATED:
    from emulator.driver import install

    EMULATOR, _installed = install()

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


@pytest.fixture(scope="session")
def emulator():
    """The emulated GPU, which counts what its driver is asked for; None elsewhere."""
    return EMULATOR if EMULATED else None
