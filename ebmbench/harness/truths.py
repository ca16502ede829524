"""Small models that are known: data are drawn from them exactly, and a fit is held against them.

Binary units are on about half of the time, since the biases centre them at 1/2: then the data say
something about every parameter, and none is learned much more slowly than the others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ebmbench.models import bayes_net, boltzmann, elimination, enumerate, gaussian_enumerate
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.graph import lattice
from ebmbench.models.markov_field import ising
from ebmbench.models.rbm import RBM, free_energy
from ebmbench.randomness import Key, Stream, normals

Array = np.ndarray


@dataclass(frozen=True)
class Truth:
    """A model, and the functions of its kind.

    draws(model, count, key): exact rows; log_z(model): exact, nats; error(truth, fit): what a fit is
    judged by, whose name in a row is `measure`; fixed: names of parameters that are not fitted.
    """

    model: Any
    draws: Callable[[Any, int, Key], Array]
    log_z: Callable[[Any], float]
    measure: str
    error: Callable[[Any, Any], float]
    fixed: tuple[str, ...] = ()


def rbm() -> Truth:
    """6 visible and 2 hidden units. Judged by its law: hidden units may be flipped and permuted."""
    key = Key(128, Stream.INITIAL_PARAMETERS)
    W = 2.0 * normals(key, 6, 2)
    bias = 0.5 * normals(key._replace(chain=6), 2, 6)
    model = RBM(W, bias[0] - W.sum(axis=1) / 2, bias[1, :2] - W.sum(axis=0) / 2)
    return Truth(model, enumerate.draws, enumerate.log_z, "kl", kl_divergence)


def boltzmann_machine() -> Truth:
    """6 visible units. Judged by its parameters, which the law determines."""
    key = Key(3, Stream.INITIAL_PARAMETERS)
    R = np.triu(normals(key, 6, 6), 1)
    b = 0.5 * normals(key._replace(chain=6), 1, 6)[0] - (R + R.T).sum(axis=1) / 2
    model = BoltzmannMachine(R, b)
    return Truth(model, boltzmann.draws, boltzmann.log_z, "parameter_error", parameter_error)


def bayes() -> Truth:
    """6 units, each with all those before it as parents. Judged as the Boltzmann machine."""
    machine = boltzmann_machine().model
    model = BayesNet(machine.R, -machine.R.sum(axis=0) / 2)
    return Truth(model, bayes_net.draws, bayes_net.log_z, "parameter_error", parameter_error)


def field() -> Truth:
    """A grid of 3 x 3 units, each of which hears up to 4 others. Judged as the Boltzmann machine."""
    key, graph = Key(7, Stream.INITIAL_PARAMETERS), lattice(3, 3)
    J, h = normals(key, 1, len(graph.edges))[0] / 4, normals(key._replace(chain=1), 1, graph.n)[0] / 4
    model = ising(graph, J, h)  # without a field units are on half of the time
    return Truth(model, elimination.draws, elimination.log_z, "parameter_error", parameter_error)


def gaussian() -> Truth:
    """3 independent normals: a Gaussian RBM without weights. Judged by means and precisions."""
    mean, precision = np.array([-1.0, 0.0, 2.0]), np.array([0.5, 1.0, 2.0])
    model = GaussianRBM(np.zeros((3, 1)), mean, np.zeros(1), precision)
    draws, log_z = gaussian_enumerate.draws, gaussian_enumerate.log_z
    return Truth(model, draws, log_z, "parameter_error", parameter_error, ("W", "c"))


FAMILIES = {
    "rbm": rbm,
    "boltzmann_machine": boltzmann_machine,
    "bayes_net": bayes,
    "markov_field": field,
    "gaussian": gaussian,
}


def noised(model: Any, noise: float) -> Any:
    """The law of v + noise e of independent normals, e standard normal: precision 1/(1/B + noise²).

    Denoising score matching (Vincent 2011) fits it, and not the data's own law: its loss
    E|psi(v + noise e) + e/noise|²/2 with psi(x) = -B(x - b) is least where b is the data's mean and
    1/B their variance plus noise². Without noise any model is itself.
    """
    return model if noise == 0.0 else replace(model, precision=1.0 / (1.0 / model.precision + noise**2))


def kl_divergence(truth: RBM, fit: RBM) -> float:
    """KL(truth || fit) of the visible units by enumeration, nats; at least 0 but for rounding."""
    v = enumerate.states(truth.n_visible)
    log_p, log_q = (-free_energy(model, v) - enumerate.log_z(model) for model in (truth, fit))
    return float(np.exp(log_p) @ (log_p - log_q))


def parameter_error(truth: Any, fit: Any) -> float:
    """Euclidean norm of the difference of all parameters."""
    parts = [getattr(fit, name) - getattr(truth, name) for name in truth.names]
    return float(np.sqrt(sum((part**2).sum() for part in parts)))
