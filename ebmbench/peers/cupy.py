"""Plain CuPy in float32, as NumPy code that runs on the GPU."""

import importlib
from typing import Any

import numpy as np

from ebmbench.peers import Place, _arrays

NAME = "cupy"
PACKAGE = "cupy"
DEVICES = ("cuda",)
PRECISIONS = ("float32",)


def missing(place: Place) -> str | None:
    """Why CuPy cannot run, or None."""
    cupy = importlib.import_module(PACKAGE)
    try:
        return None if cupy.cuda.runtime.getDeviceCount() else "finds no GPU"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"finds no GPU ({' '.join(str(error).split())})"


def _wait() -> None:
    importlib.import_module(PACKAGE).cuda.runtime.deviceSynchronize()


def _host(array: Any) -> np.ndarray:
    return importlib.import_module(PACKAGE).asnumpy(array)


JOBS = _arrays.jobs(PACKAGE, _wait, _host)
