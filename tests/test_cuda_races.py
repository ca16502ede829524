"""The CUDA kernels' PTX with the warps of a block in any order between two barriers.

A barrier that is missing shows where a warp reads what another has not written yet, or has written
again: then a job's results differ from the reference.
"""

from importlib.util import find_spec

import numpy as np
import pytest
from ways import EMULATOR, ON_GPU, SIMULATED

if find_spec("numba_cuda") is None or SIMULATED or EMULATOR or ON_GPU:
    pytest.skip("numba-cuda is not installed, or its driver's place is taken", allow_module_level=True)

from emulator.driver import install

from ebmbench.harness import gate
from ebmbench.kernels.api import load

# Blocks of several warps, and the shared memory of every kind of kernel.
SIZE = (70, 40, 2)
JOBS = [
    *(f"{job} (grid)" for job in ("gibbs", "temper", "anneal", "moments", "free_energy", "nce")),
    *(f"{job} (gaussian)" for job in ("gibbs", "temper", "anneal", "score_matching")),
    "ratio_matching (float)",
]


@pytest.fixture(scope="module")
def cuda():
    """The backend on an emulated GPU whose warps take turns at random."""
    _, installed = install(np.random.default_rng(0))
    with installed:
        yield load("cuda")


@pytest.mark.parametrize("job", JOBS)
def test_the_order_of_warps_does_not_matter(cuda, job):
    found = list(gate.findings(cuda, [SIZE], {job}))
    assert found
    assert [str(finding) for finding in found if finding.red] == []
