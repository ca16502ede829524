"""The jobs of models whose units are joined among themselves, and none of which is hidden.

Directed, a Bayesian network, or undirected, a Boltzmann machine: W[i, j] is what unit i adds to the input
of unit j, x = b + vW, strictly upper triangular or symmetric without a diagonal.
"""

from ebmbench.kernels.cpu.graph import (
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
