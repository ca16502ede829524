"""Every CUDA kernel goes through NVIDIA's own compilers, for compute capability 8.0 and 9.0."""

from importlib.util import find_spec

import ptx
import pytest
from ways import SIMULATED

if find_spec("numba_cuda") is None or SIMULATED:
    pytest.skip("numba-cuda is not installed, or is simulating", allow_module_level=True)

from ebmbench.kernels.cuda import tensor
from ebmbench.kernels.cuda import tiles as t

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


@pytest.mark.parametrize("capability", ptx.CAPABILITIES, ids=str)
def test_a_step_of_the_tensor_cores_is_written_once(capability):
    """The instructions of one step of a warp: neither repeated by the compiler nor replaced."""
    text = ptx.compile_ptx(tensor._draw, 0, capability)
    expected = {
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32": 2 * t.PRODUCTS * t.STRIPS * t.PAIRS,
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16": t.STRIPS,
        "ld.shared.v4.b32": t.PRODUCTS * t.PAIRS,
        "cp.async.cg.shared.global": t.STATE_CHUNKS + t.WEIGHT_CHUNKS,
        "bar.sync": 2,
        "ld.local": 0,
        "st.local": 0,
    }
    assert {word: text.count(word) for word in expected} == expected
