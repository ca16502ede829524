"""From a table of options, as a TOML file or a command line gives it, to a frozen config."""

import dataclasses
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
        wanted = hints[name]
        if typing.get_origin(wanted) is dict:
            wanted = dict
        accepted = (int, float) if wanted is float else wanted
        if isinstance(value, bool) != (wanted is bool) or not isinstance(value, accepted):
            kind = getattr(wanted, "__name__", str(wanted))
            raise UserError(f"{name} of {what} must be of type {kind}, but is {value!r}")
    return config(**options)


def require(condition: bool, sentence: str) -> None:
    """Raise `UserError(sentence)` unless the condition holds."""
    if not condition:
        raise UserError(sentence)
