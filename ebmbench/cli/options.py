"""Options that several commands share, and which of those given play no part."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ebmbench.errors import UserError

Backend = Annotated[str, typer.Option(help="Where to compute: reference, cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Of all random numbers, 0 to 4294967295.")]
Data = Annotated[
    str,
    typer.Option(
        help="A data set's name or file, if wanted with :train or :test behind it. Otherwise its test "
        "rows, or all rows of a file with one array."
    ),
]
ModelFile = Annotated[Path, typer.Argument(help="A model's .npz file, such as W, b, c (and precision).")]


def given(context: typer.Context) -> set[str]:
    """The names of the options that stand on the command line."""
    sources = ((name, context.get_parameter_source(name)) for name in context.params)
    return {name for name, source in sources if str(source).endswith("COMMANDLINE")}


def check_applicable(given: set[str], applies: Mapping[str, tuple[bool, str]]) -> None:
    """`UserError` for an option that was given and plays no part.

    applies: by an option's name whether it plays one, and where it does, to follow "only where".
    """
    for name, (applied, where) in applies.items():
        if name in given and not applied:
            raise UserError(f"{shown(name)} has a meaning only where {where}")


def shown(name: str) -> str:
    """An option of this name as a person types it."""
    return "--set" if name == "setting" else f"--{name.replace('_', '-')}"


def whole_numbers(option: str, texts: list[str]) -> list[int]:
    """Numbers given one by one or with commas between them."""
    return [_number(option, text, int, "a whole number") for text in _split(texts)]


def numbers(option: str, texts: list[str]) -> list[float]:
    """As `whole_numbers`, of any numbers."""
    return [_number(option, text, float, "a number") for text in _split(texts)]


def one_or_each(found: list[Any]) -> Any:
    """One number for all layers, where only one is given."""
    return found[0] if len(found) == 1 else found


def _split(texts: list[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",")]


def _number(option: str, text: str, kind: type, what: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"--{option} must be {what}, or several as 500,1000, but is {text!r}") from None
