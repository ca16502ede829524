"""What a backend can do, and how one is loaded.

A backend is a folder that registers functions by (job, kind of model). Jobs are whole pieces of work
(k sweeps, a complete annealing run, an update), not layers, so that a backend may fuse inside them.
What a job takes and returns stays on the device unless its docstring says host. A file's JOBS are what
every backend has, its FUSED what several of them are in one call, where a backend has that.

Shapes: B rows, samples are rows. A binary state is uint8 with values 0 and 1; rows of probabilities
are float32 in [0, 1], states of Gaussian units float32. A tree is a dict of device arrays named like
the model's parameters, such as W, b and c; for Gaussian visible units with log_precision; for a network
W1, c1, W2, ...
"""

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ebmbench.errors import Unavailable, UserError
from ebmbench.kernels.api.deep import Deep
from ebmbench.kernels.api.device import Handle, Rows, Tree
from ebmbench.kernels.api.layers import Activations, Layers
from ebmbench.kernels.api.sampling import Annealed, Sampling, Tempered
from ebmbench.kernels.api.training import Batched, Negative, NoiseContrast, Phases, Steps, Training
from ebmbench.models.arithmetic import ARITHMETICS
from ebmbench.models.mlp import Loss

__all__ = [
    "ARITHMETICS", "BACKENDS", "READY", "Activations", "Annealed", "Backend", "Batched", "Handle", "Loss",
    "Negative", "NoiseContrast", "Phases", "Rows", "Steps", "Tempered", "Tree", "Unavailable", "assemble",
    "load", "state",
]  # fmt: skip

BACKENDS = ("reference", "cpu", "cuda")
READY = "ready"


class Backend(Sampling, Training, Deep, Layers):
    """A loaded backend; passed explicitly to whoever computes."""


def assemble(
    name: str,
    device: Mapping[str, Callable[..., Any]],
    files: Mapping[str, tuple[ModuleType, ...]],
) -> Backend:
    """A backend from its files: for each kind of model those whose JOBS, and FUSED jobs, serve it."""
    jobs, fused = (
        {
            (job, kind): function
            for kind, modules in files.items()
            for module in modules
            for job, function in getattr(module, table, {}).items()
        }
        for table in ("JOBS", "FUSED")
    )
    return Backend(name, jobs, device, fused)


def load(name: str) -> Backend:
    """Import a backend by name; `UserError` for an unknown one, `Unavailable` with its reason."""
    if name not in BACKENDS:
        raise UserError(f"unknown backend {name!r}; known are {', '.join(BACKENDS)}")
    try:
        return importlib.import_module(f"ebmbench.kernels.{name}").BACKEND
    except ModuleNotFoundError as error:
        if error.name == f"ebmbench.kernels.{name}":
            raise Unavailable(f"backend {name} is not part of this version") from None
        raise Unavailable(f"backend {name} needs the package {error.name}") from None


def state(name: str) -> str:
    """`READY`, or in one sentence why the backend is not to be had here."""
    try:
        load(name)
    except Unavailable as error:
        return str(error)
    return READY
