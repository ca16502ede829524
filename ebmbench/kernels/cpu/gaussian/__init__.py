"""The jobs of a Gaussian-Bernoulli RBM.

v -> h adds rows of precision * W, kept beside W, weighted by v; h -> v adds rows of the transposed W,
as for binary units. v is float32, or uint8 where the data happen to be binary.
"""

from ebmbench.kernels.cpu.gaussian import (
    annealing,
    device,
    enumerate,
    gibbs,
    posterior,
    score,
    statistics,
    tempering,
    update,
)

FILES = (device, gibbs, posterior, statistics, score, enumerate, annealing, tempering, update)
