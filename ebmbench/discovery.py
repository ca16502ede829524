"""How a folder's files become a registry: a new file is found because it exists."""

import importlib
import pkgutil
from difflib import get_close_matches
from functools import cache
from types import ModuleType

from ebmbench.errors import UserError


def registry(package: str, required: tuple[str, ...]) -> dict[str, ModuleType]:
    """The modules of a package by their NAME, sorted; the folder is walked once a process.

    Raises `TypeError` where a module lacks NAME or one of the `required` attributes, or where two
    have the same NAME: a mistake of the file's author, not of the user.
    """
    return dict(_walk(package, required))


@cache
def _walk(package: str, required: tuple[str, ...]) -> dict[str, ModuleType]:
    found: dict[str, ModuleType] = {}
    folder = importlib.import_module(package).__path__
    for info in sorted(pkgutil.iter_modules(folder), key=lambda m: m.name):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{info.name}")
        for attribute in ("NAME", *required):
            if not hasattr(module, attribute):
                raise TypeError(f"{module.__name__} does not define {attribute}")
        if module.NAME in found:
            raise TypeError(f"{module.__name__} and {found[module.NAME].__name__} share their NAME")
        found[module.NAME] = module
    return dict(sorted(found.items()))


def unknown(what: str, name: object, known: list[str]) -> UserError:
    """The error for a name that is not known, with the nearest one that is."""
    near = get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown {what} {name!r}; {hint}known are {', '.join(known)}")
