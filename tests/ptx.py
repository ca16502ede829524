"""Every CUDA kernel compiled without a GPU: PTX by NVVM, registers and spills by NVIDIA's assembler.

`python -m tests.ptx` prints the table; `python -m tests.ptx NAME` the PTX of one kernel.
"""

import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from unittest import mock

CAPABILITIES = ((8, 0), (9, 0))


class Usage(NamedTuple):
    """What the assembler says of one version of a kernel on one compute capability."""

    kernel: str
    version: int
    capability: tuple[int, int]
    registers: int
    stack: int  # bytes of local memory, ...
    spills: int  # ... and of it what did not fit into registers
    shared: int  # bytes of static shared memory


def kernels():
    """Every kernel of the backend."""
    from ebmbench.kernels import cuda
    from ebmbench.kernels.cuda.launch import KERNELS

    for module in pkgutil.walk_packages(cuda.__path__, f"{cuda.__name__}."):
        importlib.import_module(module.name)
    return list(KERNELS)


@contextmanager
def pretended(capability):
    """Device functions ask the current device for its compute capability: there is none here."""
    import numba.cuda.dispatcher

    device = mock.Mock(compute_capability=capability)
    with mock.patch.object(numba.cuda.dispatcher, "get_current_device", return_value=device):
        yield


@cache
def _library(kernel, version):
    """A version of a kernel as far as it does not depend on the capability: types and LLVM's code."""
    from numba.cuda import compiler

    with pretended(CAPABILITIES[0]):
        library, _ = compiler._compile_pyfunc_with_fixup(
            kernel.body,
            kernel.signatures[version],
            cc=CAPABILITIES[0],
            device=False,
            abi="numba",
            launch_bounds=kernel.threads,
        )
    return library


def compile_ptx(kernel, version, capability):
    """The PTX of one version of a kernel."""
    with pretended(capability):
        return _library(kernel, version).get_asm_str(cc=capability)


def assembler():
    """The path of ptxas, from its Python package or the PATH; None where there is none."""
    package = find_spec("nvidia.cuda_nvcc") if find_spec("nvidia") else None
    for folder in package.submodule_search_locations if package else ():
        found = Path(folder) / "bin" / "ptxas"
        if found.exists():
            return str(found)
    return shutil.which("ptxas")


def assemble(text, capability):
    """What ptxas says about a kernel's PTX."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(text)
        command = [
            assembler(),
            "-v",
            "-arch=sm_{}{}".format(*capability),
            str(source),
            "-o",
            f"{folder}/kernel.cubin",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def usage(kernel, version, capability):
    """Registers, stack, spills and shared memory of one version of a kernel."""
    said = assemble(compile_ptx(kernel, version, capability), capability)
    numbers = [
        sum(map(int, re.findall(pattern, said)))
        for pattern in (
            r"Used (\d+) registers",
            r"(\d+) bytes stack frame",
            r"(\d+) bytes spill",
            r"(\d+) bytes smem",
        )
    ]  # fmt: skip
    return Usage(kernel.name, version, capability, *numbers)


def main(names):
    """Print the table, or the PTX of the kernels named."""
    found = kernels()
    if not names:
        print("kernel", "", *Usage._fields[2:], sep="\t")
    for kernel in found:
        if names and kernel.name not in names:
            continue
        for version in range(len(kernel.signatures)):
            if names:
                print(compile_ptx(kernel, version, CAPABILITIES[-1]))
                continue
            for capability in CAPABILITIES:
                used = usage(kernel, version, capability)
                label = f"version {version}, {kernel.threads} threads"
                print(used.kernel, label, *used[2:], sep="\t", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
