"""A model that climbs: what an optimiser makes of gradients, and what it remembers between them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ebmbench.errors import NotFinite
from ebmbench.kernels.api import Backend, Batched, Handle, Negative, Rows, Steps, Tree
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.kinds import from_arrays, to_arrays
from ebmbench.models.mlp import MLP
from ebmbench.models.rbm import RBM
from ebmbench.options import like, require
from ebmbench.scalar import LARGEST_PARAMETER
from ebmbench.training.adam import Adam
from ebmbench.training.sgd import CENTRING_SLIDING, SGD
from ebmbench.training.states import State, joined, part

NOT_CENTRED = "the centred gradient is for binary visible units, not for Gaussian ones"


class Diverged(ArithmeticError):
    """A parameter is NaN or beyond `LARGEST_PARAMETER`; the text names the update."""


def _sliding(number: int) -> float:
    """How far the offsets of centring slide at an update of this number: the first one starts them."""
    return CENTRING_SLIDING if number else 1.0


def check_centred(kind: str) -> None:
    """`UserError` for a kind of model whose gradient is not centred."""
    sentence = f"the centred gradient is for RBMs and Boltzmann machines, not for a {kind}"
    require(kind in (RBM.kind, BoltzmannMachine.kind), sentence)


class Ascent:
    """A model on a device, and its optimiser's memory: velocity, offsets of centring, Adam's moments.

    steps: how many updates the schedule spans; fixed: names of parameters that stay as they are; mask:
    0 and 1 of the shape of W, whose zeros stay exactly zero in W from the start on. `UserError` for a
    network that is to be centred.
    """

    def __init__(
        self,
        k: Backend,
        model: Any,
        optimiser: SGD | Adam,
        steps: int,
        fixed: tuple[str, ...] = (),
        mask: np.ndarray | None = None,
    ) -> None:
        centred = isinstance(optimiser, SGD) and optimiser.centred
        network = isinstance(model, MLP)
        require(not (centred and network), "centring is for models of energies, not for networks")
        require(not (centred and isinstance(model, GaussianRBM)), NOT_CENTRED)
        if centred:
            check_centred(model.kind)
        self.k, self.optimiser, self.steps = k, optimiser, steps
        self.done = 0
        self.handle: Handle = k.put(model)
        self._fixed = fixed
        self._mask: Tree | None = None
        if mask is not None:
            self._mask = k.put_mask(self.handle, mask)
            model = replace(model, W=model.W * mask)
            self.handle = k.put(model)
        self.start = model
        remembered = ["first", "second"] if isinstance(optimiser, Adam) else ["velocity"]
        if centred:
            remembered.append("offsets")
        self._memory: dict[str, Tree] = {name: k.zeros(self.handle) for name in remembered}

    @property
    def model(self) -> Any:
        """The model as it stands, on the host; raises `Diverged` where it has left all bounds."""
        try:
            model = self.k.get(self.handle)
        except NotFinite as error:
            raise Diverged(f"{error} after {self.done} updates") from None
        if any(np.abs(x).max() > LARGEST_PARAMETER for x in model.parameters.values()):
            raise self._diverged()
        return model

    def _diverged(self) -> Diverged:
        return Diverged(f"a parameter is not within ±{LARGEST_PARAMETER:g} after {self.done} updates")

    def climb(self, gradient: Tree, means: Tree | None = None) -> None:
        """One update along the gradient; means: of both phases (see `Phases`), for centring.

        Raises `Diverged` where a parameter leaves all bounds.
        """
        k = self.k
        if "offsets" in self._memory:
            assert means is not None
            offsets, sliding = self._memory["offsets"], _sliding(self.done)
            k.centre(self.handle, gradient, means, offsets, sliding, self._mask)
        elif self._mask is not None:
            k.mask(self.handle, gradient, self._mask)
        gradient = {name: x for name, x in gradient.items() if name not in self._fixed}
        healthy = self._move(gradient, self.optimiser.rate_at(self.done, self.steps))
        self.done += 1
        if not healthy:
            raise self._diverged()

    def climb_many(self, batches: Batched, negative: Negative) -> tuple[Rows | None, int] | None:
        """An update along the contrast of each batch and a negative phase, or fewer, in one call.

        Returns where the negative phase ended and how many were done; None where `climb` must do it.
        Raises `Diverged`.
        """
        if self._fixed or self._mask is not None or not isinstance(self.optimiser, SGD):
            return None
        how, memory = self.optimiser, self._memory
        numbers = range(self.done, self.done + len(batches.starts) - 1)
        rates = np.array([how.rate_at(number, self.steps) for number in numbers])
        slidings = np.array([_sliding(number) for number in numbers])
        steps = Steps(rates, how.momentum, how.decay, slidings)
        trees = memory["velocity"], memory.get("offsets")
        found = self.k.contrastive_updates(self.handle, trees, batches, negative, steps)
        if found is None:
            return None
        v, done, healthy = found
        self.done += done
        if not healthy:
            raise self._diverged()
        return v, done

    def _move(self, gradient: Tree, rate: float) -> bool:
        how, memory = self.optimiser, self._memory
        if isinstance(how, Adam):
            trees = memory["first"], memory["second"], gradient
            step = self.done + 1
            return self.k.adam(self.handle, *trees, step, rate, how.beta1, how.beta2, how.epsilon)
        return self.k.update(self.handle, memory["velocity"], gradient, rate, how.momentum, how.decay)

    def state(self) -> State:
        """All that decides how it goes on; raises `Diverged` where nothing good is left to keep."""
        model = self.model
        arrays = to_arrays(model)
        if isinstance(model, GaussianRBM):
            arrays["log_precision"] = model.log_precision
        trees = {name: self.k.get_tree(self.handle, tree) for name, tree in self._memory.items()}
        return {"done": np.array(self.done), **joined(model=arrays, **trees)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state`; `UserError` where it is of another model or optimiser."""
        arrays = part(state, "model")
        model = from_arrays(arrays)
        for name, values in self.start.parameters.items():
            like(name, model.parameters.get(name, np.empty(0)), values.shape)
        if isinstance(model, GaussianRBM):
            model = model.with_log_precision(arrays["log_precision"])
        self.handle = self.k.put(model)
        self._memory = {name: self.k.put_tree(self.handle, part(state, name)) for name in self._memory}
        self.done = int(state["done"])
