"""Numba kernels for the processor: parallel over chains, sparse in the states that are off."""

from ebmbench.kernels.api import Backend
from ebmbench.kernels.cpu import annealing, device, enumerate, gibbs, statistics, update

BACKEND = Backend(
    name="cpu",
    device=device.FUNCTIONS,
    jobs={
        (job, "bernoulli_rbm"): function
        for file in (device, gibbs, statistics, enumerate, annealing, update)
        for job, function in file.JOBS.items()
    },
)
