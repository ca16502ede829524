"""The built-in datasets, found by walking this folder."""

import functools
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ebmbench.errors import UserError


def names() -> list[str]:
    """Return the names of the built-in datasets, sorted."""
    return sorted(registered())


def describe(name: str) -> str:
    """Return the one-line description of the built-in dataset `name`."""
    return registered()[name].DESCRIPTION


@functools.cache
def registered() -> dict[str, ModuleType]:
    """Return the module of every built-in dataset, by the dataset's name."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    stems = [module.name for module in found if not module.name.startswith("_")]
    return by_name(importlib.import_module(f"{__package__}.{stem}") for stem in stems)


def by_name(modules: Iterable[ModuleType]) -> dict[str, ModuleType]:
    """Return `modules` by their ``NAME``.

    Raises
    ------
    UserError
        If two of them have the same name: one would silently hide the other.
    """
    table: dict[str, ModuleType] = {}
    for module in modules:
        if module.NAME in table:
            first = table[module.NAME].__name__
            raise UserError(
                f"The dataset name {module.NAME!r} is used by both {first} and {module.__name__}; "
                "give one of them another name."
            )
        table[module.NAME] = module
    return table
