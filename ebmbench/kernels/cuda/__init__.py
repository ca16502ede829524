"""Numba kernels for NVIDIA GPUs; also run, slowly, in Numba's simulator (NUMBA_ENABLE_CUDASIM=1)."""

from functools import cache
from typing import Any

import numpy as np

from ebmbench.errors import Unavailable
from ebmbench.kernels.api import Backend, assemble
from ebmbench.kernels.cuda.availability import SIMULATED, obstacle
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.mlp import MLP
from ebmbench.models.rbm import RBM

# NumPy 2.5 dropped this name, which numba-cuda's compiler asks for, and will go on to ask for (its issue
# 907, version 0.30.4). It is put back for the whole process, which the compiler shares.
vars(np).setdefault("row_stack", np.vstack)


@cache
def _backend() -> Backend:
    from ebmbench.kernels.cuda import (
        annealing,
        dense,
        device,
        enumerate,
        field,
        flips,
        gaussian,
        gibbs,
        graph,
        meanfield,
        nce,
        noise,
        posterior,
        statistics,
        tempering,
        update,
    )

    return assemble(
        "cuda-simulator" if SIMULATED else "cuda",
        device.FUNCTIONS | noise.FUNCTIONS,
        {
            RBM.kind: (
                device,
                gibbs,
                posterior,
                statistics,
                flips,
                enumerate,
                annealing,
                tempering,
                nce,
                update,
                meanfield,
            ),
            GaussianRBM.kind: gaussian.FILES,
            MLP.kind: (dense,),
            BoltzmannMachine.kind: graph.UNDIRECTED,
            BayesNet.kind: graph.DIRECTED,
            MarkovField.kind: field.FILES,
        },
    )


def __getattr__(name: str) -> Any:
    """BACKEND, once there is something to run it on: the kernels' files themselves need no GPU."""
    if name != "BACKEND":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    reason = obstacle()
    if reason:
        raise Unavailable(reason)
    return _backend()
