"""The CUDA backend's tests without a GPU: its Python in Numba's simulator, its PTX on an emulated GPU.

Each in a process of its own, since either takes the driver's place, and both at once. What takes long
is left to a run of the folder itself, such as CI's job of that name.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from ways import ON_GPU, SIMULATED

pytestmark = pytest.mark.skipif(
    find_spec("numba_cuda") is None or SIMULATED or ON_GPU,
    reason="numba-cuda is not installed, or runs in a simulator or on a GPU already",
)
WAYS = ("NUMBA_ENABLE_CUDASIM", "EBMBENCH_EMULATED_GPU")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The running tests by the variable that says how."""
    folder = Path(__file__).parent / "cuda"
    started = {}
    for way in WAYS:
        log = tmp_path_factory.mktemp("cuda") / "log.txt"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            "not long",
            "-p",
            "no:cacheprovider",
            str(folder),
        ]
        environment = {**os.environ, way: "1", "NUMBA_NUM_THREADS": "1"}
        with log.open("w") as out:
            started[way] = (
                subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT),
                log,
            )
    yield started
    for process, _ in started.values():
        process.kill()


@pytest.mark.parametrize("way", WAYS)
def test_the_backend(runs, way):
    process, log = runs[way]
    code = process.wait()
    print(log.read_text()[-6000:])
    assert code == 0
