"""What all kinds of models have in common."""

from typing import ClassVar, Protocol

import numpy as np

from ebmbench.errors import NotFinite, UserError

Array = np.ndarray


class Model(Protocol):
    """A frozen dataclass of float64 arrays; samples are rows of its visible units."""

    kind: ClassVar[str]  # by which backends find their jobs
    visible: ClassVar[str]  # what the visible units are, for a person
    names: ClassVar[tuple[str, ...]]  # of the parameters: weights, and biases b and c

    @property
    def parameters(self) -> dict[str, Array]:
        """By name."""

    @property
    def b(self) -> Array:
        """Visible biases, [n_visible]."""

    @property
    def n_visible(self) -> int:
        """Number of visible units."""

    @property
    def n_hidden(self) -> int:
        """Number of hidden units, 0 where there are none."""

    @property
    def summed_units(self) -> int:
        """Number of binary units over whose states exact enumeration sums."""


class Named:
    """A model whose parameters are its attributes of these names."""

    names: ClassVar[tuple[str, ...]]

    @property
    def parameters(self) -> dict[str, Array]:
        """By name."""
        return {name: getattr(self, name) for name in self.names}


def real_array(name: str, value: object) -> Array:
    """A parameter as a float64 array; `UserError` that names it where it is not one of finite numbers."""
    try:
        value = np.asarray(value)
        if np.iscomplexobj(value):
            raise TypeError("complex")
        value = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} must hold real numbers") from error
    if not np.isfinite(value).all():
        raise NotFinite(f"{name} holds a value that is not finite")
    return value
