"""Feed-forward networks: where they live, forward, backward, losses, SGD and Adam."""

from typing import Any

import numpy as np

from ebmbench.kernels.reference import device
from ebmbench.kernels.reference.update import ascend
from ebmbench.models import gan, mlp
from ebmbench.models.mlp import MLP
from ebmbench.scalar import LARGEST_PARAMETER


class Network:
    """A network whose parameters, attributes by name, an update may change in place."""

    kind = MLP.kind

    def __init__(self, model: MLP, arithmetic: str) -> None:
        self.activations, self.sizes, self.names = model.activations, model.sizes, model.names
        self.arithmetic = arithmetic
        for name, values in model.parameters.items():
            setattr(self, name, values.copy())

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """By name."""
        return {name: getattr(self, name) for name in self.names}


def get(model: Network) -> MLP:
    """See `Backend.get`."""
    copies = {name: values.copy() for name, values in model.parameters.items()}
    return MLP.of(copies, model.activations)


def _host(model: Network) -> MLP:
    return MLP.of(model.parameters, model.activations)


def backward(model: Network, activations: Any, delta: np.ndarray) -> dict[str, np.ndarray]:
    """See `Backend.backward`."""
    return mlp.backward(_host(model), activations, delta)[0]


def input_delta(model: Network, activations: Any, delta: np.ndarray) -> np.ndarray:
    """See `Backend.input_delta`."""
    return mlp.backward(_host(model), activations, delta)[1]


def adam(model, first, second, gradient, step, rate, beta1, beta2, epsilon) -> bool:
    """See `Backend.adam`."""
    for name, g in gradient.items():
        m, s = first[name], second[name]
        m += (1 - beta1) * (g - m)
        s += (1 - beta2) * (g**2 - s)
        denominator = np.sqrt(s / (1 - beta2**step)) + epsilon
        parameter = getattr(model, name)
        parameter += rate * (m / (1 - beta1**step)) / denominator
    return all((np.abs(getattr(model, name)) < LARGEST_PARAMETER).all() for name in gradient)


def average(model, mean, sliding) -> None:
    """See `Backend.average`."""
    for name, values in model.parameters.items():
        mean[name] += sliding * (values - mean[name])


JOBS = {
    "put": Network,
    "get": get,
    "get_tree": device.get_tree,
    "put_tree": device.put_tree,
    "zeros": lambda model: {name: np.zeros_like(x) for name, x in model.parameters.items()},
    "update": ascend,
    "adam": adam,
    "average": average,
    "forward": lambda model, x, dropout: mlp.forward(_host(model), x, dropout),
    "outputs": lambda model, activations: activations.outputs.copy(),
    "cross_entropy": lambda model, activations, targets: mlp.cross_entropy(activations.outputs, targets),
    "logistic": lambda model, activations, inner, outer: mlp.logistic(activations.outputs, inner, outer),
    "payoff": lambda model, activations, data: gan.payoff(activations.outputs, data),
    "backward": backward,
    "input_delta": input_delta,
}
