"""The mean of a network's parameters over its updates, in which later ones may count more.

Of a GAN's generator it often makes better rows than any of the generators that it is the mean of, as
those go round about where the players would rest (Yazıcı et al. 2019).
"""

from collections.abc import Mapping

import numpy as np

from ebmbench.kernels.api import Backend, Handle
from ebmbench.models.mlp import MLP
from ebmbench.options import require
from ebmbench.training.states import State

_MOST = 1024  # steps of the mean, or up to twice as many


def check_averaging(share: float) -> None:
    """`UserError` unless it is 0, for no average, or an `Average`'s share."""
    require(0.0 <= share <= 1.0, f"averaging must be a share of the updates from 0 to 1, not {share}")


class Average:
    """Polynomial-decay averaging (Shamir & Zhang 2013, section 4, whose eta is 1 / share - 1).

    After n updates the mean moves by 1 / (1 + share (n - 1)) of the way to what the network is then.
    share: in (0, 1], see `check_averaging`. At 1 all updates count alike; below it later ones count more,
    the last one 1 / (share n), however long the training goes on. Of long runs every second, fourth, ...
    update counts for as many, so that a step is not so short that float32 rounds it to nothing.
    """

    def __init__(self, k: Backend, handle: Handle, start: MLP, share: float) -> None:
        self._k, self._share, self._activations = k, share, start.activations
        self._names = start.names
        self._tree = k.put_tree(handle, start.parameters)

    def follow(self, handle: Handle, updates: int) -> None:
        """Take in the network after so many updates."""
        stride = 1 << max(0, updates.bit_length() - _MOST.bit_length())
        if updates % stride == 0:
            self._k.average(handle, self._tree, 1.0 / (1.0 + self._share * (updates // stride - 1)))

    def model(self, handle: Handle) -> MLP:
        """The network of these parameters, on the host."""
        return MLP.of(self.state(handle), self._activations)

    def state(self, handle: Handle) -> State:
        """All that decides how it goes on, on the host."""
        return self._k.get_tree(handle, self._tree)

    def restore(self, handle: Handle, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state`; `UserError` where it is not of this network."""
        require(set(state) == set(self._names), f"the state holds an average of {sorted(state)}")
        self._tree = self._k.put_tree(handle, state)
