"""From a table of options, as a TOML file or a command line gives it, to a frozen config."""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from ebmbench.discovery import unknown
from ebmbench.errors import UserError

T = TypeVar("T")


def build(config: type[T], options: Mapping[str, Any], what: str) -> T:
    """`config(**options)` where every option exists and has its field's type.

    An int passes for a float. Raises `UserError` that names the option and what it belongs to.
    """
    hints = typing.get_type_hints(config)
    known = [f.name for f in dataclasses.fields(config)]  # type: ignore[arg-type]
    for name, value in options.items():
        if name not in known:
            raise unknown(f"option of {what}", name, known or ["none"])
        wanted = _types(hints[name])
        accepted = (*wanted, int) if float in wanted else wanted
        if (isinstance(value, bool) and bool not in wanted) or not isinstance(value, accepted):
            kind = " or ".join(one.__name__ for one in wanted)
            inner = "; a list within a table or a list is no axis" if isinstance(value, list) else ""
            raise UserError(f"{name} of {what} must be of type {kind}, but is {value!r}{inner}")
    return config(**options)


def parse(text: str) -> tuple[str, Any]:
    """A name and its value from NAME=VALUE; what TOML does not read as a value is a text."""
    name, equals, value = text.partition("=")
    require(
        bool(name and equals and value) and "\n" not in text,
        f"a setting must read NAME=VALUE, but is {text!r}",
    )
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _types(hint: Any) -> tuple[type, ...]:
    """The types that a field takes: those of a union, dict[str, Any] as dict."""
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return tuple(typing.get_origin(part) or part for part in parts)


def require(condition: bool, sentence: str) -> None:
    """Raise `UserError(sentence)` unless the condition holds."""
    if not condition:
        raise UserError(sentence)


def like(what: str, array: Any, shape: tuple[int, ...]) -> Any:
    """The array, which must have this shape."""
    require(array.shape == shape, f"{what} must have the shape {shape}, but is given {array.shape}")
    return array
