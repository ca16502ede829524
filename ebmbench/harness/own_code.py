"""Code of the user's own by its name: FILE.py, FILE.py:ATTRIBUTE or MODULE:ATTRIBUTE."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from ebmbench.errors import UserError
from ebmbench.options import require

_LONG = 32  # letters
FORMS = ("MODULE:ATTRIBUTE", "FILE.py")  # as sentences name them


def is_own(name: str) -> bool:
    """Whether a name is that of a file or of a module's attribute, there or not."""
    return ":" in name or name.endswith(".py")


def called(name: str) -> str:
    """The name as tables and figures have it: the end of a long path."""
    return name if len(name) <= _LONG else f"…{name[1 - _LONG :]}"


def load(name: str) -> Any:
    """The module, or its attribute; `UserError` that names what is missing."""
    place, _, attribute = name.partition(":")
    try:
        module = _file(place) if place.endswith(".py") else _module(place)
    except UserError:
        raise
    except SystemExit as end:
        raise UserError(f"{place} ends the program with status {end.code} as it is imported") from None
    except Exception as error:
        raise UserError(f"{place} cannot be imported: {type(error).__name__}: {error}") from None
    if not attribute:
        return module
    require(hasattr(module, attribute), f"{place} has no {attribute}")
    return getattr(module, attribute)


def function(name: str, signature: str) -> Callable[..., Any]:
    """A function of the code; `UserError` that shows what it takes where there is none."""
    found = getattr(load(name), signature.partition("(")[0], None)
    if not callable(found):
        raise UserError(f"{name} has no function {signature}")
    return found


def digests(name: str) -> dict[str, str]:
    """That of the file that holds the code, as a row names it; of what it imports nothing is known.

    Nothing where the name is empty.
    """
    if not name:
        return {}
    place = name.partition(":")[0]
    path = place if place.endswith(".py") else getattr(load(place), "__file__", None)
    require(path is not None and Path(path).is_file(), f"there is no file {path or place}")
    return {"software_digest": sha256(Path(str(path)).read_bytes()).hexdigest()[:16]}


def _file(place: str) -> ModuleType:
    require(Path(place).is_file(), f"there is no file {place}")
    spec = importlib.util.spec_from_file_location(Path(place).stem, place)
    require(spec is not None and spec.loader is not None, f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def _module(place: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` has it
        sys.path.insert(0, here)
    return importlib.import_module(place)
