"""The jobs of models whose units are joined among themselves, as `cpu.graph`."""

from ebmbench.kernels.cuda.graph import (
    annealing,
    blanket,
    centring,
    device,
    directed,
    enumerate,
    flips,
    gibbs,
    meanfield,
    nce,
    posterior,
    statistics,
)

DIRECTED = (device, gibbs, blanket, directed)
UNDIRECTED = (
    device, gibbs, posterior, statistics, centring, flips, annealing, enumerate, nce, meanfield,
)  # fmt: skip
