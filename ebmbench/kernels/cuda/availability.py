"""Whether CUDA is to be had here, and if not why, in one sentence for a person.

The cheap questions come first: where there is no GPU nothing of Numba's is imported.
"""

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from ebmbench import nvidia

# How the packages for a major version of CUDA are installed, and the least compute capability that
# their compiler still knows.
_INSTALL = {12: "pip install 'ebmbench[cuda]'", 13: "pip install 'ebmbench[cuda13]'"}
_LEAST = {12: (5, 0), 13: (7, 5)}


def simulated() -> bool:
    """Whether Numba's simulator was asked for, which runs kernels as Python threads on the host."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


SIMULATED = simulated()


def obstacle() -> str | None:
    """None where kernels can run, on a GPU or in the simulator; else why not."""
    if find_spec("numba_cuda") is None:
        return f"backend cuda needs the package numba-cuda: {_install(nvidia.driver())}"
    if SIMULATED:
        return _missing(None)
    if os.environ.get("NUMBA_DISABLE_CUDA", "0") not in ("", "0"):
        return "backend cuda is switched off by NUMBA_DISABLE_CUDA in the environment"
    driver = nvidia.driver()
    return explain(driver, _packages()) or _missing(driver)


def explain(driver: nvidia.Driver | None, packages: int | None) -> str | None:
    """The obstacle that a driver is, with the packages for this major version of CUDA, None: unknown."""
    if driver is None:
        return "backend cuda needs an NVIDIA driver, and none was found on this machine"
    if (driver.error and "NO_DEVICE" in driver.error) or not (driver.error or driver.gpus):
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        allowed = f" (CUDA_VISIBLE_DEVICES is {visible!r})" if visible is not None else ""
        return f"backend cuda found an NVIDIA driver, but no GPU that it may use{allowed}"
    if driver.error:
        return (
            f"backend cuda found an NVIDIA driver that does not start: {' '.join(driver.error.split())}"
        )
    if packages and driver.cuda and driver.cuda[0] < packages:
        older = _INSTALL.get(driver.cuda[0])
        return (
            f"backend cuda needs a newer NVIDIA driver: this one supports CUDA {_dotted(driver.cuda)}, "
            f"but the installed packages are for CUDA {packages}"
            + (f"; or those for CUDA {driver.cuda[0]}: {older}" if older else "")
        )
    gpu, least = driver.gpus[0], _LEAST.get(packages or 0, (0, 0))
    if gpu.compute_capability < least:
        return (
            f"backend cuda needs a GPU of compute capability {_dotted(least)} or higher with packages "
            f"for CUDA {packages}, but {gpu.name} has {_dotted(gpu.compute_capability)}"
            + (
                f"; those for CUDA 12 know it: {_INSTALL[12]}"
                if gpu.compute_capability >= _LEAST[12]
                else ""
            )
        )
    return None


def _missing(driver: nvidia.Driver | None) -> str | None:
    """What numba-cuda itself lacks: it can be installed without the packages of CUDA that it needs."""
    try:
        from numba import cuda  # noqa: F401 (with it numba-cuda takes its place in numba)

        if not SIMULATED:
            from numba.cuda.cudadrv import nvrtc, nvvm
            from numba.cuda.descriptor import cuda_target

            nvvm.NVVM()
            # What compiling a first kernel loads, and which may be too old for this NumPy or Numba.
            cuda_target.typing_context.refresh()
            cuda_target.target_context.refresh()
            # Not every version has this, and one that has not may still be whole.
            getattr(nvrtc, "get_supported_ccs", lambda: None)()
    except Exception as error:  # ImportError, what its parts raise, and what old ones trip on
        said = f"{type(error).__name__}: {error}".strip().splitlines()[0].rstrip(".")
        return (
            f"backend cuda needs all of numba-cuda, which does not start ({said}): "
            f"{_install(driver)}, or CUDA_HOME where a CUDA toolkit is installed"
        )
    return None


def _install(driver: nvidia.Driver | None) -> str:
    """The command that brings the packages this driver can work with; the older ones where unknown."""
    newer = driver is not None and driver.cuda is not None and driver.cuda[0] >= 13
    return _INSTALL[13 if newer else 12]


def _packages() -> int | None:
    """The major version of CUDA that the installed packages are for; None where not known."""
    try:
        return int(version("cuda-bindings").split(".")[0])
    except (PackageNotFoundError, ValueError):
        return None


def _dotted(parts: tuple[int, int]) -> str:
    return ".".join(map(str, parts))
