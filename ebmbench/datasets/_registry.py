"""The built-in datasets, found by walking this folder."""

import functools
from types import ModuleType

from ebmbench.discovery import registry


def names() -> list[str]:
    """Return the names of the built-in datasets, sorted."""
    return sorted(registered())


def describe(name: str) -> str:
    """Return the one-line description of the built-in dataset `name`."""
    return registered()[name].DESCRIPTION


@functools.cache
def registered() -> dict[str, ModuleType]:
    """Return the module of every built-in dataset, by the dataset's name."""
    return registry("ebmbench.datasets", ("DESCRIPTION", "load"))
