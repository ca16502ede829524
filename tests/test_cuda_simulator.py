"""The CUDA backend's portable kernels, run in Numba's simulator: a process of its own."""

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


def test_the_backend_in_the_simulator():
    folder = Path(__file__).parent / "cuda"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--durations=5", str(folder)],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-4000:], done.stderr[-2000:])
    assert done.returncode == 0
    assert "skipped" not in done.stdout.splitlines()[-1]
