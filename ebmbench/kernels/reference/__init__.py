"""The oracle: every job in plain float64 NumPy, thin over `models`."""

from ebmbench.kernels.api import assemble
from ebmbench.kernels.reference import (
    annealing,
    bayes_net,
    boltzmann,
    dense,
    device,
    enumerate,
    flips,
    gaussian,
    gibbs,
    markov_field,
    meanfield,
    nce,
    statistics,
    tempering,
    update,
)
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.mlp import MLP
from ebmbench.models.rbm import RBM

BACKEND = assemble(
    "reference",
    device.FUNCTIONS,
    {
        RBM.kind: (
            device,
            gibbs,
            statistics,
            flips,
            enumerate,
            annealing,
            tempering,
            nce,
            update,
            meanfield,
        ),
        GaussianRBM.kind: gaussian.FILES,
        BoltzmannMachine.kind: (device, boltzmann),
        BayesNet.kind: (device, bayes_net),
        MarkovField.kind: (device, markov_field),
        MLP.kind: (dense,),
    },
)
