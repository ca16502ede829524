"""Code of the user's by its name: FILE.py, FILE.py:ATTRIBUTE or MODULE:ATTRIBUTE."""

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from ebmbench.errors import UserError
from ebmbench.options import require

FORMS = ("MODULE:ATTRIBUTE", "FILE.py")  # as sentences name them
_FILE = re.compile(r"(?P<place>.+\.py)(?::(?P<attribute>\w+))?", re.DOTALL)
_MODULE = re.compile(r"(?P<place>\w+(?:\.\w+)*):(?P<attribute>\w+)")
_LONG = 32  # letters


def is_users(name: str) -> bool:
    """Whether a name is that of a file or of a module's attribute, there or not."""
    return _parts(name) is not None


def called(name: str) -> str:
    """The name as tables and figures have it: of a long path its end, and what tells it from others."""
    if len(name) <= _LONG:
        return name
    return f"{Path(name).name} #{sha256(name.encode()).hexdigest()[:4]}"


def load(name: str) -> Any:
    """The module, or its attribute; `UserError` that names what is missing."""
    return _found(name)[0]


def function(name: str, signature: str, settings: Mapping[str, Any]) -> Callable[..., Any]:
    """The code's function, which takes what the signature, as `f(a, b)`, and the settings name.

    `UserError` where it is not there or does not take them.
    """
    what, _, taken = signature.removesuffix(")").partition("(")
    found = getattr(load(name), what, None)
    if not callable(found):
        raise UserError(f"{name} has no function {signature}")
    given = taken.split(", ")
    twice = sorted(set(given) & settings.keys())
    require(not twice, f"{', '.join(twice)} of {name} is given to it already, so no setting can name it")
    try:
        inspect.signature(found).bind(**dict.fromkeys([*given, *settings]))
    except TypeError as error:
        told = ", ".join([signature, *settings])
        raise UserError(f"{what} of {name} does not take {told}: {error}") from None
    except ValueError:  # of compiled code nothing may be known
        pass
    return found


def steps(name: str, signature: str, settings: Mapping[str, Any], **given: Any) -> Iterator[Any]:
    """What a generator of the code's yields, given what its signature names; `UserError` at its end."""
    what = signature.partition("(")[0]
    made = function(name, signature, settings)(**given, **settings)
    require(hasattr(made, "__next__"), f"{what} of {name} must be a generator: it has no yield")
    count = 0
    for one in made:
        count += 1
        yield one
    raise UserError(f"{what} of {name} ended after {count} yields; it must go on without end")


def version(name: str) -> dict[str, str]:
    """A digest of the file that holds the code, as a row names it; what it imports is not looked at.

    Nothing where the name is empty.
    """
    return {"software": _found(name)[1]} if name else {}


def _parts(name: str) -> tuple[str, str | None] | None:
    """The file or module, and the attribute where one is named; None for names of another kind."""
    found = _FILE.fullmatch(name) or _MODULE.fullmatch(name)
    return (found["place"], found["attribute"]) if found else None


def _found(name: str) -> tuple[Any, str]:
    """What `load` gives, and the digest of the file that holds it."""
    parts = _parts(name)
    if parts is None:
        raise UserError(f"{name} is none of {', '.join(FORMS)}")
    place, attribute = parts
    try:
        module, digest = _file(place) if place.endswith(".py") else _module(place)
    except UserError:
        raise
    except SystemExit as end:
        raise UserError(f"{place} ends the program with status {end.code} as it is imported") from None
    except Exception as error:
        raise UserError(f"{place} cannot be imported: {type(error).__name__}: {error}") from None
    if not attribute:
        return module, digest
    require(hasattr(module, attribute), f"{place} has no {attribute}")
    return getattr(module, attribute), digest


def _file(place: str) -> tuple[ModuleType, str]:
    """The module and the file's digest; a file is run once, and again once it has changed."""
    path = Path(place)
    require(path.is_file(), f"there is no file {place}")
    digest = sha256(path.read_bytes()).hexdigest()[:16]
    return _executed(path.resolve(), digest), digest


@cache
def _executed(path: Path, digest: str) -> ModuleType:
    name = f"_ebmbench_{path.stem}_{digest}"  # pickles, and dataclasses, look their module up by its name
    spec = importlib.util.spec_from_file_location(name, path)
    require(spec is not None and spec.loader is not None, f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    _import_from(path.parent)  # as `python FILE.py` has it
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    except BaseException:
        del sys.modules[name]
        raise
    return module


@cache
def _module(place: str) -> tuple[ModuleType, str]:
    """The module and its file's digest when it was imported, which Python does once."""
    _import_from(Path.cwd())  # as `python -m` has it
    module = importlib.import_module(place)
    file = getattr(module, "__file__", None)
    return module, sha256(Path(file).read_bytes()).hexdigest()[:16] if file else place


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
