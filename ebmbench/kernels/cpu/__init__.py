"""Numba kernels for the processor: parallel over chains, sparse in the states that are off."""

from ebmbench.kernels.api import assemble
from ebmbench.kernels.cpu import (
    annealing,
    device,
    enumerate,
    flips,
    gaussian,
    gibbs,
    nce,
    statistics,
    tempering,
    update,
)
from ebmbench.kernels.cpu.room import explained
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.rbm import RBM

BACKEND = explained(
    assemble(
        "cpu",
        device.FUNCTIONS,
        {
            RBM.kind: (device, gibbs, statistics, flips, enumerate, annealing, tempering, nce, update),
            GaussianRBM.kind: gaussian.FILES,
        },
    )
)
