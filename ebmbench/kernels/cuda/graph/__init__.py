"""The jobs of models whose units are joined among themselves, as `cpu.graph`."""

from ebmbench.kernels.cuda.graph import (
    annealing,
    device,
    directed,
    enumerate,
    flips,
    gibbs,
    nce,
    statistics,
)

DIRECTED = (device, gibbs, directed)
UNDIRECTED = (device, gibbs, statistics, flips, annealing, enumerate, nce)
