"""What the processor has that kernels are compiled for."""

import llvmlite.binding as llvm
import numba
from numba.core.codegen import get_host_cpu_features


def _features() -> set[str]:
    """What Numba compiles for, as LLVM calls it."""
    given = vars(numba.config)["CPU_FEATURES"]
    names = get_host_cpu_features() if given is None else given
    return {name[1:] for name in names.split(",") if name.startswith("+")}


FEATURES = _features()
ON_ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
AVX512 = "avx512f" in FEATURES  # vectors of 16 floats in 32 registers, and their compression
FUSED = ON_ARM or AVX512 or "fma" in FEATURES  # multiply-adds with one rounding
