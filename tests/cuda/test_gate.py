"""The gate's jobs one by one, on ragged sizes, beside the float64 reference."""

import pytest
from ways import ON_GPU, SIMULATED

from ebmbench.harness import gate
from ebmbench.harness.gate_binary import PRODUCTS, BinaryJobs
from ebmbench.harness.gate_gaussian import GaussianJobs
from ebmbench.harness.gate_networks import NetworkJobs

JOBS = [
    *(f"{job} ({arithmetic})" for arithmetic in ("float", "grid") for job in BinaryJobs.tolerances),
    *(f"{job} (gaussian)" for job in GaussianJobs.tolerances),
    *(f"{job} (network)" for job in NetworkJobs.tolerances),
    *(f"{job} ({label})" for label, jobs in gate.GRAPHS.items() for job in jobs.tolerances),
]
ROUNDED = [f"{job} ({arithmetic})" for arithmetic in ("bfloat16", "bfloat16x2") for job in PRODUCTS]
SIZES = [(1, 7, 3), (7, 1, 1), (31, 33, 7), (65, 31, 2)]
# Walks of 66 sweeps or 300 temperatures; without a GPU some would take a minute at the larger sizes.
LONG = ("anneal_slowly", "anneal_back", "gibbs_long", "temper_long")
# Drawn unit after unit, with a barrier at each that changes.
GRAPHS = ("gibbs (directed)", "gibbs (undirected)", "temper (undirected)", "anneal (undirected)")
LONG_SIZES = SIZES if ON_GPU else [(7, 1, 1)]


def sizes_of(job):
    """Where a job is tried."""
    if job.startswith("gibbs_large"):
        return [(31, 33, 7)]
    if "bfloat16" in job:
        # 130 chains fill a tile of the tensor cores, which the simulator has not.
        return [(31, 33, 7)] if SIMULATED else [(31, 33, 7), (37, 21, 130)]
    return LONG_SIZES if job.startswith(LONG) else SIZES


# What takes seconds in the simulator at a larger size, as each thread of a block is one of Python's.
SLOW = ("train", "moments", "pseudolikelihood", "ratio_matching", "score_matching")


# Softplus of every pair of units take as long on the emulated GPU.
SMALL = {"posterior (directed)": (7, 1, 1)}


def cases():
    """Every job at its sizes; where there is no GPU, one size of each is enough for most runs."""
    for job in (*JOBS, *ROUNDED):
        slow = SIMULATED and (job.startswith(SLOW) or job in GRAPHS or "network" in job)
        for size in sizes_of(job):
            usual = (1, 7, 3) if slow else (31, 33, 7)
            long = "bfloat16" in job or size != SMALL.get(job, usual)
            # The emulated GPU shows both arithmetics, whose code is the same.
            long |= SIMULATED and job.endswith("(float)")
            long |= SIMULATED and job.startswith("gibbs_large")
            yield pytest.param(job, size, id=f"{job}-{size}", marks=pytest.mark.long if long else ())


@pytest.mark.parametrize(("job", "size"), list(cases()))
def test_agrees_with_the_reference(cuda, job, size):
    found = list(gate.findings(cuda, [size], {job}))
    assert [str(finding) for finding in found if finding.red] == []
