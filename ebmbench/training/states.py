"""A trainer's state as one flat table of arrays: the arrays of a part have its name before theirs."""

from collections.abc import Mapping

import numpy as np

from ebmbench.errors import UserError

State = dict[str, np.ndarray]


def joined(**parts: Mapping[str, np.ndarray]) -> State:
    """The arrays of all parts, each under `part.name`."""
    return {f"{part}.{name}": x for part, arrays in parts.items() for name, x in arrays.items()}


def part(state: Mapping[str, np.ndarray], name: str, optional: bool = False) -> State:
    """The arrays of a part under their own names; `UserError` where there is none, unless optional."""
    found = {key.removeprefix(f"{name}."): x for key, x in state.items() if key.startswith(f"{name}.")}
    if not found and not optional:
        raise UserError(f"the state holds no {name}: it is of another run")
    return found
