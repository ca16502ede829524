"""The jobs of a Gaussian-Bernoulli RBM."""

from ebmbench.kernels.reference.gaussian import (
    annealing,
    device,
    gibbs,
    score,
    statistics,
    tempering,
    update,
)

FILES = (device, gibbs, statistics, score, annealing, tempering, update)
