"""Where networks start: weights whose size keeps that of the activations from layer to layer.

And where models of joined units do: independent of each other.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gan import GAN
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.graph import Graph
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.mlp import MLP
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import base_rates
from ebmbench.randomness import Key, Stream, check_seed, normals
from ebmbench.scalar import LEAK

# The inverse of the mean of f'(x)**2 over a symmetric law of x: He et al. 2015, eq. 10 and 15.
_GAIN = {"relu": 2.0, "leaky_relu": 2.0 / (1.0 + LEAK**2)}


def initial_network(sizes: Sequence[int], activations: Sequence[str], seed: int, first: int = 0) -> MLP:
    """W^l from a normal of variance gain / n_{l-1}, c^l = 0.

    sizes: units of each layer, the input's first; the gain is 2 for relu units, 2 / (1 + leak²) for leaky
    ones (He et al. 2015, eq. 10 and 15), else 1 (Glorot & Bengio 2010, eq. 10); first: numbers of
    steps of the stream that other networks of this seed have taken.
    """
    require(len(sizes) >= 2, "a network needs the size of its input and of at least one layer")
    for n in sizes:
        require(isinstance(n, int) and n >= 1, f"a layer must have at least 1 unit, not {n}")
    require(len(activations) == len(sizes) - 1, f"{len(sizes) - 1} layers need as many activations")
    key = Key(check_seed(seed), Stream.INITIAL_PARAMETERS, first)
    weights = [
        np.sqrt(_GAIN.get(name, 1.0) / below) * normals(key.advance(n), below, above)
        for n, ((below, above), name) in enumerate(zip(pairwise(sizes), activations, strict=True))
    ]
    return MLP(tuple(weights), tuple(np.zeros(n) for n in sizes[1:]), tuple(activations))


def check_hidden(*sizes: int) -> None:
    """`UserError` where one of these hidden layers has no unit."""
    for n in sizes:
        whole = isinstance(n, int | np.integer)
        require(whole, f"the number of hidden units must be a whole one, but is {n!r}")
        require(n >= 1, f"the number of hidden units must be at least 1, but is {n}")


def initial_boltzmann_machine(rows: np.ndarray) -> BoltzmannMachine:
    """Units that are independent and on as often as in the rows [n, n_visible] (see `base_rates`).

    Nothing is random about it: exact learning and pseudolikelihood climb a concave objective.
    """
    return _independent(BoltzmannMachine, rows)


def initial_general_boltzmann_machine(
    rows: np.ndarray, n_hidden: int, seed: int, scale: float = 0.01
) -> GeneralBoltzmannMachine:
    """W from normals of standard deviation `scale`, so that no two hidden units are alike.

    R, S and c are 0, and b makes visible units be on as often as in the rows [n, n_visible].
    """
    bias = _bias(rows)
    n = len(bias)
    check_hidden(n_hidden)
    W = scale * normals(Key(check_seed(seed), Stream.INITIAL_PARAMETERS), n, n_hidden)
    S = np.zeros((n_hidden, n_hidden))
    return GeneralBoltzmannMachine(np.zeros((n, n)), W, S, bias, np.zeros(n_hidden))


def initial_bayes_net(rows: np.ndarray) -> BayesNet:
    """As `initial_boltzmann_machine`: units without parents; the log-likelihood is concave."""
    return _independent(BayesNet, rows)


def initial_markov_field(rows: np.ndarray, graph: Graph) -> MarkovField:
    """As `initial_boltzmann_machine`, on a graph of as many units; `UserError` where that has others."""
    bias = _bias(rows)
    return MarkovField(graph, np.zeros(len(graph.edges)), bias)


def _independent(kind: Any, rows: np.ndarray) -> Any:
    bias = _bias(rows)
    return kind(np.zeros((len(bias), len(bias))), bias)


def _bias(rows: np.ndarray) -> np.ndarray:
    return base_rates(check_rows(rows), "data").bias


def initial_gan(
    n_visible: int,
    n_latent: int = 100,
    hidden_generator: Sequence[int] = (256, 256),
    hidden_discriminator: Sequence[int] = (256, 256),
    seed: int = 0,
    output: str = "sigmoid",
) -> GAN:
    """Players as `initial_network` gives them: tanh units in G, leaky ones in D (Radford et al. 2016).

    The mean of a tanh unit over noise is zero, so that a step of the weights above moves samples apart
    rather than all alike: with relu units, and without batch normalisation, a generator of two hidden
    layers gives one sample to all noise from the first epoch on. Its first weights are sqrt(3) times as
    large, since noise has the variance 1/3. output: activation of what the generator gives: sigmoid for
    data in [0, 1], linear for real ones.
    """
    hidden = tuple(hidden_generator)
    activations = ("tanh",) * len(hidden) + (output,)
    generator = initial_network((n_latent, *hidden, n_visible), activations, seed)
    first, *weights = generator.weights
    generator = replace(generator, weights=(np.sqrt(3.0) * first, *weights))
    hidden = tuple(hidden_discriminator)
    ends = ("leaky_relu",) * len(hidden) + ("linear",)
    return GAN(generator, initial_network((n_visible, *hidden, 1), ends, seed, len(generator.weights)))
