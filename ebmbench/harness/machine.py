"""What a measurement stands on: the machine, the libraries, the version of the code."""

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import cpuinfo
import numba
import psutil
import threadpoolctl

from ebmbench import nvidia
from ebmbench.compile import source_hash

_LIBRARIES = ("ebmbench", "numba", "llvmlite", "numpy", "scipy", "numba-cuda", "cuda-bindings")
_UNITS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8", "neon", "sve"}


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def facts() -> dict[str, Any]:
    """A description of this machine that JSON can hold; no names of hosts or users."""
    cpu = cpuinfo.get_cpu_info()
    flags = set(cpu.get("flags", []))
    return {
        "cpu": cpu.get("brand_raw", platform.processor() or "unknown"),
        "cores": cores(),
        "vector_units": sorted(flags & _UNITS),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        **_gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "blas": _blas(),
    }


@cache
def machine_id() -> str:
    """12 hex digits that change with the machine's processor, cores, system or GPUs."""
    names = ("cpu", "cores", "vector_units", "memory_gib", "system", "gpus")
    relevant = {name: facts()[name] for name in names if name in facts()}
    return hashlib.sha256(repr(relevant).encode()).hexdigest()[:12]


@cache
def code_version() -> str:
    """16 hex digits that change with whatever decides a result but the case, its data and the machine."""
    parts = (
        source_hash(),
        *(_version(name) for name in ("numba", "llvmlite", "numpy", "scipy", "numba-cuda")),
        # Rows of Numba's simulator must not be taken for those of a GPU.
        os.environ.get("NUMBA_ENABLE_CUDASIM"),
        repr(_blas()),
        str(numba.get_num_threads()),
    )
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def _gpus() -> dict[str, Any]:
    """The GPUs that this process may use; nothing where there is none.

    Whether the backend cuda works or is used plays no part, so that a folder has one machine.
    """
    driver = nvidia.driver()
    if driver is None or not driver.gpus:
        return {}
    gpus = [
        {
            "name": gpu.name,
            "memory_gib": round(gpu.memory / 2**30, 1),
            "compute_capability": "{}.{}".format(*gpu.compute_capability),
            "multiprocessors": gpu.multiprocessors,
            "clock_mhz": gpu.clock,
            "memory_clock_mhz": gpu.memory_clock,
        }
        for gpu in driver.gpus
    ]
    cuda = "{}.{}".format(*driver.cuda) if driver.cuda else "unknown"
    return {"gpus": gpus, "nvidia_driver": driver.release or "unknown", "cuda_of_driver": cuda}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _blas() -> list[dict[str, Any]]:
    kept = ("internal_api", "version", "num_threads", "threading_layer", "architecture")
    found = [
        {name: library.get(name) for name in kept}
        for library in threadpoolctl.threadpool_info()
        if library.get("user_api") == "blas"
    ]
    return sorted(found, key=repr)  # the loader's order differs from start to start
