"""Numba kernels for the processor: parallel over chains, sparse in the states that are off."""

from ebmbench.kernels.api import assemble
from ebmbench.kernels.cpu import (
    adam,
    annealing,
    contrastive,
    dense,
    device,
    enumerate,
    field,
    flips,
    gaussian,
    gibbs,
    graph,
    losses,
    meanfield,
    nce,
    noise,
    posterior,
    statistics,
    tempering,
    update,
)
from ebmbench.kernels.cpu.room import explained
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.mlp import MLP
from ebmbench.models.rbm import RBM

_BINARY = (
    device, gibbs, posterior, statistics, flips, enumerate, annealing, tempering, nce, update,
    contrastive, meanfield,
)  # fmt: skip

BACKEND = explained(
    assemble(
        "cpu",
        device.FUNCTIONS | noise.FUNCTIONS,
        {
            RBM.kind: _BINARY,
            GaussianRBM.kind: gaussian.FILES,
            MLP.kind: (dense, losses, adam),
            BoltzmannMachine.kind: graph.UNDIRECTED,
            BayesNet.kind: graph.DIRECTED,
            MarkovField.kind: field.FILES,
        },
    )
)
