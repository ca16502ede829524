"""The threads of compiled code: how long they spin, and whose settings count."""

import json
import os
import subprocess
import sys

import pytest
from conftest import needs_two_threads

SCRIPT = """
import json, os, statistics, time
import numpy as np
from ebmbench.kernels.api import load
from ebmbench.models.rbm import RBM
import numba
k = load("cpu")
n = 600
model, rows = k.put(RBM(np.zeros((n, n)), np.zeros(n), np.zeros(n))), k.put_rows(np.eye(n))
spent = []
for _ in range(21):
    k.hidden_probability(model, rows)
    before = time.process_time()
    time.sleep(0.02)
    spent.append(time.process_time() - before)
setting = os.environ.get("GOMP_SPINCOUNT")
print(json.dumps([statistics.median(spent), setting, numba.threading_layer()]))
"""


def spent(**settings):
    """Processor seconds within 20 ms after a region, the variable as it stands then, and the pool."""
    clean = {n: x for n, x in os.environ.items() if n not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=clean | settings, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@needs_two_threads
def test_threads_soon_stop_spinning():
    """libgomp's own choice would be 5 ms; what they spend is theirs, however busy the machine is."""
    seconds, setting, layer = spent()
    if layer != "omp":
        pytest.skip(f"Numba's threads are those of {layer}")
    assert seconds < 1e-3
    assert setting is None  # other processes and libraries do as they like


@needs_two_threads
def test_what_the_user_has_chosen_stays():
    seconds, setting, layer = spent(GOMP_SPINCOUNT="1000000000")
    assert setting == "1000000000"
    if layer == "omp":
        assert seconds > 1e-3
