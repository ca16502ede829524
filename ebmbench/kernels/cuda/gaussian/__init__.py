"""The jobs of a Gaussian-Bernoulli RBM.

v -> h multiplies by precision * W, kept beside W; h -> v adds rows of the transposed W, as for binary
units. v is float32, or uint8 where the data happen to be binary. Every sum of a chain starts afresh at
each half-sweep and adds in the order of the cpu backend, but with two roundings a term where that may
have one, so that samples may differ by rounding.
"""

from ebmbench.kernels.cuda.gaussian import (
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
