"""Jobs of feed-forward networks: forward, losses, back-propagation, Adam (see `models.mlp`)."""

import math

from ebmbench.errors import UserError
from ebmbench.kernels.api.device import Device, Handle, Rows, Tree
from ebmbench.models.dropout import Dropout, rates_of
from ebmbench.models.mlp import Activations, Loss
from ebmbench.randomness import check_seed


class Layers(Device):
    """See the module."""

    def forward(self, model: Handle, x: Rows, dropout: Dropout | None = None) -> Activations:
        """All layers' activations for the rows x, [B, sizes[0]], binary or any numbers.

        dropout: which units are left out, also on the way back through what this returns; its layers
        are the input and all but the last.
        """
        self._check(x, model.sizes[0], "x")
        if len(x) == 0:
            raise UserError("a network needs at least one row")
        layers = len(model.sizes) - 1
        if dropout is None:
            dropout = Dropout.none(layers)
        else:
            dropout = dropout._replace(rates=rates_of(dropout.rates, layers))
            check_seed(dropout.key.seed)
        return self._job("forward", model)(model, x, dropout)

    def outputs(self, model: Handle, activations: Activations) -> Rows:
        """The last layer's, float32 [B, sizes[-1]]."""
        return self._job("outputs", model)(model, activations)

    def cross_entropy(self, model: Handle, activations: Activations, targets: Rows) -> Loss:
        """See `models.mlp.cross_entropy`; targets: rows [B, sizes[-1]]; what it returns is on the device.

        The tally is fetched with `get_rows`; its second number counts rows that are told wrong.
        """
        self._check(targets, model.sizes[-1], "targets")
        return self._job("cross_entropy", model)(model, activations, targets)

    def logistic(self, model: Handle, activations: Activations, inner: float, outer: float) -> Loss:
        """See `models.mlp.logistic`, of a network with one output; inner, outer: 1 or -1.

        The tally is fetched with `get_rows`; its second number counts rows whose output is above 0.
        """
        if model.sizes[-1] != 1:
            raise UserError(f"a logistic loss needs one output, but the network has {model.sizes[-1]}")
        return self._job("logistic", model)(model, activations, inner, outer)

    def payoff(self, model: Handle, activations: Activations, data: int) -> Loss:
        """See `models.gan.payoff`, of a network with one output; data: 1 to B - 1, the rows of data.

        The tally is fetched with `get_rows`.
        """
        if model.sizes[-1] != 1:
            raise UserError(f"a payoff needs one output, but the network has {model.sizes[-1]}")
        return self._job("payoff", model)(model, activations, data)

    def backward(self, model: Handle, activations: Activations, delta: Rows) -> Tree:
        """The gradient, a tree, where delta [B, sizes[-1]] is the objective's by the outputs."""
        self._check(delta, model.sizes[-1], "delta")
        return self._job("backward", model)(model, activations, delta)

    def input_delta(self, model: Handle, activations: Activations, delta: Rows) -> Rows:
        """As `backward`, but the objective's derivative by x, float32 [B, sizes[0]], and no gradient."""
        self._check(delta, model.sizes[-1], "delta")
        return self._job("input_delta", model)(model, activations, delta)

    def adam(
        self,
        model: Handle,
        first: Tree,
        second: Tree,
        gradient: Tree,
        step: int,
        rate: float,
        beta1: float,
        beta2: float,
        epsilon: float,
    ) -> bool:
        """One step of Adam (Kingma & Ba 2015, algorithm 1), upwards and in place; step counts from 1.

        first <- beta1 first + (1 - beta1) g, second <- beta2 second + (1 - beta2) g²; with m = first /
        (1 - beta1**step), s = second / (1 - beta2**step): parameters += rate m / (sqrt(s) + epsilon).
        Returns as `update` does.
        """
        if step < 1 or not (0 <= beta1 < 1 and 0 <= beta2 < 1 and epsilon > 0 and math.isfinite(rate)):
            raise UserError(
                f"Adam needs a step from 1, betas in [0, 1) and an epsilon > 0, "
                f"not {step}, {beta1}, {beta2}, {epsilon}"
            )
        return self._job("adam", model)(model, first, second, gradient, step, rate, beta1, beta2, epsilon)

    def average(self, model: Handle, mean: Tree, sliding: float) -> None:
        """mean <- mean + sliding (parameters - mean), a tree, in place; sliding: in [0, 1]."""
        if not 0 <= sliding <= 1:
            raise UserError(f"an average slides by a share from 0 to 1, not by {sliding}")
        self._job("average", model)(model, mean, sliding)
