"""The CUDA kernels' PTX with the warps of a block in any order between two barriers.

A barrier that is missing shows where a warp reads what another has not written yet, or has written
again: then a job's results differ from the reference. On the emulated GPU alone, beside the tests that
have compiled the same kernels.
"""

import numpy as np
import pytest

from ebmbench.harness import gate
from ebmbench.harness.gate_networks import network
from ebmbench.kernels.api import load

# Blocks of several warps, and the shared memory of every kind of kernel.
SIZE = (70, 40, 2)
SMALLER = {"posterior (directed)": (34, 8, 1)}  # whose softplus of all pairs take long
JOBS = [
    *(f"{job} (grid)" for job in ("gibbs", "temper", "anneal", "moments", "free_energy", "nce")),
    "mean_field (grid)",
    *(f"{job} (gaussian)" for job in ("gibbs", "temper", "anneal", "score_matching")),
    "ratio_matching (float)",
    *(f"{job} (undirected)" for job in ("gibbs", "temper", "anneal", "nce", "pseudolikelihood")),
    *(f"{job} (undirected)" for job in ("mean_field", "train_centred")),
    *(f"{job} (field)" for job in ("gibbs", "temper", "anneal")),
    *(f"posterior ({label})" for label in ("directed", "undirected", "field")),
]


@pytest.fixture
def shuffled(cuda, emulator):
    """The backend on an emulated GPU whose warps take turns at random."""
    if emulator is None:
        pytest.skip("only the emulated GPU lets its warps run in any order")
    before, emulator.order = emulator.order, np.random.default_rng(0)
    yield cuda
    emulator.order = before


@pytest.mark.parametrize("job", JOBS)
def test_the_order_of_warps_does_not_matter(shuffled, job):
    found = list(gate.findings(shuffled, [SMALLER.get(job, SIZE)], {job}))
    assert found
    assert [str(finding) for finding in found if finding.red] == []


def test_the_order_of_warps_does_not_matter_to_a_network(shuffled):
    """One step of a classifier, beside the reference; tolerances are the gate's."""
    host, found = network((70, 40, 10), ("tanh", "linear")), []
    rng = np.random.default_rng(1)
    rows, targets = rng.normal(size=(3, 70)), np.eye(10)[[3, 7, 0]]
    for k in (load("reference"), shuffled):
        model = k.put(host)
        through = k.forward(model, k.put_rows(rows))
        loss = k.cross_entropy(model, through, k.put_rows(targets))
        down = k.input_delta(model, through, loss.delta)
        tree = k.get_tree(model, k.backward(model, through, loss.delta))
        found.append([*map(k.get_rows, (*loss, down)), *(tree[name] for name in sorted(tree))])
    for wanted, given in zip(*found, strict=True):
        assert np.abs(given - wanted).max() < 4e-5
