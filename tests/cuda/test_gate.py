"""The gate's jobs one by one, on ragged sizes, beside the float64 reference."""

import itertools

import pytest

from ebmbench.harness import gate
from ebmbench.harness.gate_gaussian import GaussianJobs

JOBS = [
    *(f"{job} ({arithmetic})" for arithmetic in ("float", "grid") for job in gate._Jobs.tolerances),
    *(f"{job} (gaussian)" for job in GaussianJobs.tolerances),
]
PRODUCTS = [
    f"{job} ({arithmetic})" for arithmetic in ("bfloat16", "bfloat16x2") for job in gate._PRODUCTS
]
SIZES = [(1, 7, 3), (7, 1, 1), (31, 33, 7), (65, 31, 2)]


@pytest.mark.parametrize(
    ("job", "size"),
    [*itertools.product(JOBS, SIZES), *((job, (31, 33, 7)) for job in PRODUCTS)],
    ids=str,
)
def test_agrees_with_the_reference(cuda, job, size):
    found = list(gate.findings(cuda, [size], {job}))
    assert [str(finding) for finding in found if finding.red] == []
