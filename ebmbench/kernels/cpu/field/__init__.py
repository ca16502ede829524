"""The jobs of the Markov field, whose units hear but their neighbours on a graph.

Sixteen rows lie side by side, so that a vector holds what as many chains know of a unit: its neighbours'
states are whole vectors wherever they stand in the graph, and nothing is gathered.
"""

from ebmbench.kernels.cpu.field import annealing, device, gibbs, posterior, statistics

FILES = (device, gibbs, posterior, statistics, annealing)
