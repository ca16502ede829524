"""The CUDA backend's tests without a GPU: its Python in Numba's simulator, its PTX on an emulated GPU.

Each in a process of its own, since either takes the driver's place.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import SIMULATED

pytestmark = pytest.mark.skipif(
    find_spec("numba_cuda") is None or SIMULATED, reason="numba-cuda is not installed, or is simulating"
)


@pytest.mark.parametrize("variable", ["NUMBA_ENABLE_CUDASIM", "EBMBENCH_EMULATED_GPU"])
def test_the_backend(variable):
    folder = Path(__file__).parent / "cuda"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--durations=5", str(folder)],
        env={**os.environ, variable: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-4000:], done.stderr[-2000:])
    assert done.returncode == 0
