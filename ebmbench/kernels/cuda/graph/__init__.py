"""The jobs of models whose units are joined among themselves, as `cpu.graph`."""

from ebmbench.kernels.cuda.graph import (
    annealing,
    blanket,
    device,
    directed,
    enumerate,
    flips,
    gibbs,
    nce,
    posterior,
    statistics,
)

DIRECTED = (device, gibbs, blanket, directed)
UNDIRECTED = (device, gibbs, posterior, statistics, flips, annealing, enumerate, nce)
