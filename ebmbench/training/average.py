"""The mean of a network's parameters over its updates, in which the latest may count most.

Of a GAN's generator it makes better rows than any of the generators that it is the mean of, as those go
round about where the players would rest (Yazıcı et al. 2019).
"""

from collections.abc import Mapping

import numpy as np

from ebmbench.kernels.api import Backend, Handle
from ebmbench.models.mlp import MLP
from ebmbench.options import require
from ebmbench.training.states import State


def check_averaging(share: float) -> None:
    """`UserError` unless it is 0, for no average, or an `Average`'s share."""
    require(0.0 <= share <= 1.0, f"averaging must be a share of the updates from 0 to 1, not {share}")


class Average:
    """After n updates it moves by 1 / (share n) towards what the network is then, or all the way.

    share: in (0, 1], see `check_averaging`. At 1 all updates count alike; below it the latest count most,
    as many as are that share of all, however long the training goes on (as Shamir & Zhang 2013, section
    4, with 1 / share - 1 for their eta).
    """

    def __init__(self, k: Backend, handle: Handle, start: MLP, share: float) -> None:
        self._k, self._share, self._activations = k, share, start.activations
        self._tree = k.put_tree(handle, start.parameters)

    def follow(self, handle: Handle, updates: int) -> None:
        """Take in the network after so many updates."""
        self._k.average(handle, self._tree, min(1.0, 1.0 / (self._share * updates)))

    def model(self, handle: Handle) -> MLP:
        """The network of these parameters, on the host."""
        return MLP.of(self.state(handle), self._activations)

    def state(self, handle: Handle) -> State:
        """All that decides how it goes on, on the host."""
        return self._k.get_tree(handle, self._tree)

    def restore(self, handle: Handle, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state`."""
        self._tree = self._k.put_tree(handle, state)
