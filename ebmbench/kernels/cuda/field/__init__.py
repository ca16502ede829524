"""The jobs of the Markov field, as `cpu.field`; here a thread draws four units of one colour."""

from ebmbench.kernels.cuda.field import annealing, device, gibbs, posterior, statistics

FILES = (device, gibbs, posterior, statistics, annealing)
