"""The jobs of models whose units are joined among themselves, and none of which is hidden.

Directed, a Bayesian network, or undirected, a Boltzmann machine: W[i, j] is what unit i adds to the input
of unit j, x = b + vW, strictly upper triangular or symmetric without a diagonal.
"""

from ebmbench.kernels.cpu.graph import (
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
