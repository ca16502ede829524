"""The gate's jobs one by one, on ragged sizes, beside the float64 reference."""

import pytest

from ebmbench.harness import gate
from ebmbench.harness.gate_gaussian import GaussianJobs

JOBS = [
    *(f"{job} ({arithmetic})" for arithmetic in ("float", "grid") for job in gate._Jobs.tolerances),
    *(f"{job} (gaussian)" for job in GaussianJobs.tolerances),
]


@pytest.mark.parametrize("size", [(1, 7, 3), (7, 1, 1), (31, 33, 7), (65, 31, 2)], ids=str)
@pytest.mark.parametrize("job", JOBS)
def test_agrees_with_the_reference(cuda, job, size):
    red = [str(finding) for finding in gate.findings(cuda, [size], {job}) if finding.red]
    assert red == []
