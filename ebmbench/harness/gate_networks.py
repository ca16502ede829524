# ruff: noqa: D102 (each method is the job of its name in kernels.api)
"""The gate's jobs for feed-forward networks.

Weights have the size 1.5 / sqrt(inputs) and inputs that of 1, so that pre-activations have a size of
about 1 to 2 in every layer. A sum of up to 1,100 terms rounds its partial sums, below 4, as often, each
by at most 2**-23; as roundings go either way, that is 1,100**0.5 * 2**-23 = 4e-6, and the next layer adds
as much and hands on 1.5 times what the one below had. Three layers stay below 2e-5. On the way back sums
are of the same size, as the derivative that they start from is divided by the root of the outputs, and
that of a mean over rows by their number. No pre-activation with the seeds below is so near to 0 that a
unit is cut off here and not there. Adam divides by the size of a gradient: with this epsilon an error of
the gradient comes back times rate / epsilon = 1 at most.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ebmbench.kernels.api import Backend, Handle, Loss, Rows
from ebmbench.models.dropout import Dropout
from ebmbench.models.mlp import MLP
from ebmbench.randomness import Key, Stream, normals, uniforms
from ebmbench.scalar import ACTIVATIONS

_WEIGHT, _BIAS = 1.5, 0.5
_SIGNS = [(inner, outer) for inner in (1.0, -1.0) for outer in (1.0, -1.0)]
_RATE = _EPSILON = 0.05


def network(sizes: tuple[int, ...], activations: tuple[str, ...], seed: int = 9) -> MLP:
    """Normal parameters: weights of size 1.5 / sqrt(inputs), biases of a third of that."""
    key, weights, biases = Key(seed, Stream.INITIAL_PARAMETERS), [], []
    for below, above in pairwise(sizes):
        drawn = normals(key, below + 1, above)
        weights.append(_WEIGHT / np.sqrt(below) * drawn[:below])
        biases.append(_BIAS * drawn[below])
        key = key._replace(chain=key.chain + below + 1)
    return MLP(tuple(weights), tuple(biases), activations)


class NetworkJobs:
    """Every job on one backend from fixed inputs; each gives a list of host arrays.

    Networks take the units of the first layer to those of the second and back, in every activation.
    """

    tolerances = {
        "forward": 2e-5,
        "cross_entropy": 4e-5,
        "logistic": 2e-5,
        "payoff": 2e-5,
        "backward": 4e-5,
        "input_delta": 4e-5,
        "dropout": 8e-5,  # what is kept counts twice
        "add_noise": 2e-6,  # of normal numbers below 6, whose functions end in a few roundings
        "train_adam": 4e-5,
        "train_sgd": 4e-5,
    }

    def __init__(self, k: Backend, size: tuple[int, int, int], v: np.ndarray) -> None:
        n_in, n_hidden, rows = size
        self.summed_units = 0
        self.k, self.n_in, self.n_hidden = k, n_in, n_hidden
        self.x = [k.put_rows(v), k.put_rows(normals(Key(7, Stream.SAMPLES), rows, n_in))]
        self.delta = k.put_rows(normals(Key(8, Stream.SAMPLES), rows, n_in) / (rows * np.sqrt(n_in)))
        soft = uniforms(Key(6, 0), rows, n_in)
        hot = np.eye(n_in, dtype=np.uint8)[np.arange(rows) % n_in]
        self.targets = [k.put_rows(hot), k.put_rows(soft / soft.sum(axis=1, keepdims=True))]

    def forward(self) -> list:
        k = self.k
        return [k.get_rows(k.outputs(model, k.forward(model, x))) for model, x in self._all()]

    def cross_entropy(self) -> list:
        model = self._there_and_back("tanh", "linear")
        found = [
            self.k.cross_entropy(model, self.k.forward(model, x), targets)
            for x in self.x
            for targets in self.targets
        ]
        return [part for loss in found for part in self._told(loss)]

    def logistic(self) -> list:
        model = self.k.put(network((self.n_in, self.n_hidden, 1), ("leaky_relu", "linear")))
        found = [
            self.k.logistic(model, self.k.forward(model, x), *signs) for x in self.x for signs in _SIGNS
        ]
        return [part for loss in found for part in self._told(loss)]

    def payoff(self) -> list:
        """Of rows of both kinds in one batch, as a GAN's discriminator sees them."""
        k = self.k
        model = k.put(network((self.n_in, self.n_hidden, 1), ("leaky_relu", "linear")))
        data, fakes = self.x
        found = [
            k.payoff(model, k.forward(model, k.stack(*both)), len(both[0]))
            for both in ((data, fakes), (fakes, data))
        ]
        return [part for loss in found for part in self._told(loss)]

    def backward(self) -> list:
        k, found = self.k, []
        for model, x in self._all():
            tree = k.get_tree(model, k.backward(model, k.forward(model, x), self.delta))
            found += [tree[name] for name in sorted(tree)]
        return found

    def input_delta(self) -> list:
        k = self.k
        return [
            k.get_rows(k.input_delta(model, k.forward(model, x), self.delta)) for model, x in self._all()
        ]

    def dropout(self) -> list:
        """Forward and back with units of the input and of the hidden layer left out."""
        k = self.k
        found: list = []
        left = Dropout((0.25, 0.5), Key(5, Stream.DROPOUT, 2**33 + 1, 3))
        for name in ("leaky_relu", "sigmoid"):
            model = self._there_and_back(name, "linear")
            for x in self.x:
                through = k.forward(model, x, left)
                tree = k.get_tree(model, k.backward(model, through, self.delta))
                by_input = k.input_delta(model, through, self.delta)
                found += map(k.get_rows, (k.outputs(model, through), by_input))
                found += [tree[name] for name in ("W1", "c1", "W2")]
        return found

    def add_noise(self) -> list:
        """To rows of both kinds."""
        key = Key(5, Stream.INSTANCE_NOISE, 2**33 + 1, 3)
        return [self.k.get_rows(self.k.add_noise(x, 0.5, key)) for x in self.x]

    def train_adam(self) -> list:
        """Three steps up the likelihood of two kinds of targets, and an average of what comes out."""
        k, model = self.k, self._classifier()
        first, second, mean = (k.zeros(model) for _ in range(3))
        for step in (1, 2, 3):
            gradient = self._gradient(model, step)
            if not k.adam(model, first, second, gradient, step, _RATE, 0.9, 0.99, _EPSILON):
                return [np.nan]
            k.average(model, mean, 0.25)
        averaged = k.get_tree(model, mean)
        return [*self._parameters(model), *(averaged[name] for name in sorted(averaged))]

    def train_sgd(self) -> list:
        """Three steps with momentum and decay, the last one of the weights of the first layer alone."""
        k, model = self.k, self._classifier()
        velocity = k.zeros(model)
        for step in (1, 2, 3):
            gradient = self._gradient(model, step)
            if step == 3:
                gradient = {"W1": gradient["W1"]}
            if not k.update(model, velocity, gradient, _RATE, 0.5, 0.01):
                return [np.nan]
        return self._parameters(model)

    def _there_and_back(self, *activations: str) -> Handle:
        return self.k.put(network((self.n_in, self.n_hidden, self.n_in), activations))

    def _all(self) -> Iterator[tuple[Handle, Rows]]:
        for name in ACTIVATIONS:
            model = self._there_and_back(name, name)
            for x in self.x:
                yield model, x

    def _classifier(self) -> Handle:
        sizes = self.n_in, self.n_hidden, self.n_hidden, self.n_in
        return self.k.put(network(sizes, ("leaky_relu", "sigmoid", "linear")))

    def _gradient(self, model: Handle, step: int) -> dict:
        k, which = self.k, step % 2
        activations = k.forward(model, self.x[which])
        loss = k.cross_entropy(model, activations, self.targets[which])
        return k.backward(model, activations, loss.delta)

    def _parameters(self, model: Handle) -> list:
        """And what the network gives: copies of W that some backends keep must have followed."""
        k = self.k
        after = list(k.get(model).parameters.values())
        through = k.forward(model, self.x[1])
        delta = k.input_delta(model, through, self.delta)
        return [*after, k.get_rows(k.outputs(model, through)) * 0.5, k.get_rows(delta) * 0.5]

    def _told(self, loss: Loss) -> list:
        return [self.k.get_rows(loss.delta), self.k.get_rows(loss.tally)]
