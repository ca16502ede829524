"""Every CUDA kernel goes through NVIDIA's own compilers, for compute capability 8.0 and 9.0."""

from importlib.util import find_spec

import ptx
import pytest
from conftest import SIMULATED

if find_spec("numba_cuda") is None or SIMULATED:
    pytest.skip("numba-cuda is not installed, or is simulating", allow_module_level=True)

CASES = [(kernel, version) for kernel in ptx.kernels() for version in range(len(kernel.signatures))]


@pytest.mark.parametrize("capability", ptx.CAPABILITIES, ids=str)
@pytest.mark.parametrize(("kernel", "version"), CASES, ids=[f"{k.name}-{v}" for k, v in CASES])
def test_a_kernel_keeps_its_variables_in_registers(kernel, version, capability):
    if ptx.assembler() is None:
        assert ".entry" in ptx.compile_ptx(kernel, version, capability)
        pytest.skip("compiled to PTX; there is no ptxas here to say what it uses")
    used = ptx.usage(kernel, version, capability)
    print(used)
    assert used.spills == 0
    assert used.stack == 0
