"""Where the CUDA backend's tests run: on a GPU, in Numba's simulator, on an emulated GPU, or nowhere.

`NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda` runs the kernels' Python in the simulator, and
`EBMBENCH_EMULATED_GPU=1 pytest tests/cuda` their PTX in the emulator (see `emulator`), as
test_cuda_without_gpu.py does. A module of its own, since the emulator can be installed only once.
"""

import os

from ebmbench.kernels.api import READY, state

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
if SIMULATED:
    import simulator

    simulator.install()
ON_GPU = not SIMULATED and state("cuda") == READY
EMULATOR = None  # or the emulated GPU, which counts what its driver is asked for
if os.environ.get("EBMBENCH_EMULATED_GPU"):
    from emulator.driver import install

    EMULATOR, _installed = install()
CUDA_STATE = state("cuda")
OPAQUE = bool(os.environ.get("EBMBENCH_OPAQUE_GPU"))  # the cpu stands for a GPU, see `opaque`

# What every run of the tests goes through: each kernel by the gate's jobs in both ways, and of the rest
# what the one way shows and the other does not. All else in tests/cuda is marked `long`.
QUICK = (
    {"test_gate", "test_products", "test_chain", "test_cuda_fields"}
    if SIMULATED
    else {"test_gate", "test_tensor", "test_launches", "test_cuda_fields", "test_races"}
)
# Of the files that neither way goes through, the first case of every test that is not `long` itself, in
# the simulator, which compiles nothing: a test that no longer fits the code is seen here, before a GPU is
# there to run it.
SAMPLED = (
    {
        "test_cuda_enumerate",
        "test_cuda_flips",
        "test_cuda_gaussian",
        "test_deep",
        "test_dense",
        "test_update",
    }
    if SIMULATED
    else set()
)
