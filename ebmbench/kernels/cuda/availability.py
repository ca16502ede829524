"""Whether CUDA is to be had here, and if not why, in one sentence for a person."""

import os
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

INSTALL = "pip install 'ebmbench[cuda]'"


def simulated() -> bool:
    """Whether Numba's simulator was asked for, which runs kernels as Python threads on the host."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def obstacle() -> str | None:
    """None where kernels can run, on a GPU or in the simulator; else why not."""
    if find_spec("numba_cuda") is None:
        return f"backend cuda needs the package numba-cuda: {INSTALL}"
    if simulated():
        return None
    from numba import cuda
    from numba.cuda.cudadrv.driver import driver

    with suppress(ImportError):  # what Numba raises for a driver that does not start
        driver.ensure_initialized()
    return explain(driver.initialization_error, *_versions(), _devices(cuda))


def explain(
    error: str | None, driver: tuple[int, int] | None, packages: tuple[int, int] | None, devices: int
) -> str | None:
    """The obstacle from the facts.

    error: what the driver said when it was started, None for nothing; driver: the newest CUDA version
    it supports; packages: the CUDA version of the installed packages; devices: how many GPUs there are.
    """
    if error and "cannot be found" in error:
        return "backend cuda needs an NVIDIA driver, and none was found on this machine"
    if error and "NO_DEVICE" in error:
        return "backend cuda found an NVIDIA driver, but no GPU that it may use"
    if error:
        return f"backend cuda found an NVIDIA driver that does not start: {' '.join(error.split())}"
    if driver and packages and driver[0] < packages[0]:
        return (
            f"backend cuda needs a newer NVIDIA driver: this one supports CUDA {_dotted(driver)}, "
            f"but the installed packages are for CUDA {_dotted(packages)}"
        )
    if devices == 0:
        return "backend cuda found an NVIDIA driver, but no GPU that it may use"
    return None


def _dotted(parts: tuple[int, int]) -> str:
    return ".".join(map(str, parts))


def _versions() -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """The CUDA versions of the driver and of the installed packages, None where not known."""
    from cuda.bindings import driver

    try:
        status, number = driver.cuDriverGetVersion()
        found = (number // 1000, number % 1000 // 10) if int(status) == 0 else None
    except RuntimeError:  # no driver library
        found = None
    try:
        parts = version("cuda-bindings").split(".")
    except PackageNotFoundError:
        return found, None
    return found, (int(parts[0]), int(parts[1]))


def _devices(cuda) -> int:
    try:
        return len(cuda.gpus)
    except ImportError:
        return 0
