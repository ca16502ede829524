"""The threads of compiled code: how many, how long they spin, whose settings count; aligned arrays."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, files

import numba
import numpy as np
import pytest
from conftest import needs_two_threads

from ebmbench import pool
from ebmbench.errors import UserError
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros
from ebmbench.kernels.cpu.threads import count_threads, launch, launch_shared, layer_work

try:
    TBB = any(file.name.startswith("libtbb.so") for file in files("tbb") or [])
except PackageNotFoundError:
    TBB = False
try:
    import numba.np.ufunc.omppool

    OMP = True
except ImportError:  # the leanest systems are without libgomp
    OMP = False
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

COMPUTE = """
n = 600  # so many units are worth two threads
p = k.hidden_probability(k.put(RBM(np.zeros((n, n)), np.zeros(n), np.zeros(n))), k.put_rows(np.eye(n)))
assert (k.get_rows(p) == 0.5).all()"""
FORKED = f"""
import os
import numpy as np
from ebmbench.kernels.api import load
from ebmbench.models.rbm import RBM
k = load("cpu")
child = os.fork()
{COMPUTE}
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_both_halves_of_a_fork_compute():
    """As a process that only imports has no pool yet, whose threads a fork would lose."""
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=300)


@needs_two_threads
def test_little_work_is_one_threads(threads):
    """And what was set before is set after it, whatever happens there."""
    threads(2)
    work = layer_work(1, 3, 3)
    assert launch(numba.get_num_threads, work) == launch_shared(lambda n: n, work) == 1
    assert launch(numba.get_num_threads, 1e9) == launch_shared(lambda n: n, 1e9) == 2
    with pytest.raises(ZeroDivisionError):
        launch(lambda: 1 // 0, work)
    assert count_threads() == numba.get_num_threads() == 2


@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (1,), (3, 7), (2, 3, 4)])
def test_arrays_start_on_a_cache_line(shape):
    for make in (aligned_empty, aligned_zeros):
        for found in [make(*shape) for _ in range(20)]:
            assert (found.shape, found.dtype) == (shape, np.float32)
            assert found.ctypes.data % 64 == 0 or found.size == 0
    assert not aligned_zeros(*shape).any()


def spent(**settings):
    """Processor seconds within 20 ms after a region, the variable as it stands then, and the pool."""
    chosen = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "NUMBA_THREADING_LAYER"
    clean = {n: x for n, x in os.environ.items() if n not in chosen}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=clean | settings, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@needs_two_threads
@pytest.mark.parametrize(("layer", "limit"), [("tbb", 2.5e-3), ("omp", 1e-3)])
def test_threads_soon_stop_spinning(layer, limit):
    """libgomp's own choice would be 5 ms; what they spend is theirs, however busy the machine is."""
    if not {"tbb": TBB, "omp": OMP}[layer]:
        pytest.skip("its library is not installed")
    seconds, setting, taken = spent(**{} if layer == "tbb" else {"NUMBA_THREADING_LAYER": layer})
    assert taken == layer
    assert seconds < limit
    assert setting is None  # other processes and libraries do as they like


@needs_two_threads
@pytest.mark.skipif(not OMP, reason="libgomp is not installed")
def test_what_the_user_has_chosen_stays():
    seconds, setting, _ = spent(GOMP_SPINCOUNT="1000000000", NUMBA_THREADING_LAYER="omp")
    assert setting == "1000000000"
    assert seconds > 1e-3


@pytest.mark.parametrize(
    ("layer", "broken", "said"),
    [
        ("threads", "", "NUMBA_THREADING_LAYER is 'threads'; Numba knows tbb, omp, workqueue, default, "),
        ("omp", "omppool", "NUMBA_THREADING_LAYER asks for omp, which cannot be had here ("),
        ("tbb", "tbbpool", "NUMBA_THREADING_LAYER asks for tbb, which cannot be had here ("),
    ],
)
def test_threads_that_are_not_to_be_had(monkeypatch, layer, broken, said):
    monkeypatch.setenv("NUMBA_THREADING_LAYER", layer)
    monkeypatch.setitem(sys.modules, f"numba.np.ufunc.{broken}", None)
    with pytest.raises(UserError, match=re.escape(said)):
        pool.load()


@pytest.mark.parametrize("layer", ["", "WorkQueue", "Safe"])
def test_threads_in_any_letters(monkeypatch, layer):
    monkeypatch.setenv("NUMBA_THREADING_LAYER", layer)
    pool.load()


@pytest.mark.skipif(not TBB, reason="oneTBB is not installed")
def test_a_process_that_has_computed_may_fork():
    computed = FORKED.replace("child = os.fork()", f"{COMPUTE}\nchild = os.fork()")
    subprocess.run([sys.executable, "-c", computed], check=True, timeout=300)
