"""What `ebmbench train` makes of its options, one kind of model a file; a new file is found by itself.

A file has NAME, as --model calls it; TAKES, the options that it looks at, of those that not all do; and
`make(options, k) -> Run`, k being the loaded backend.
"""

from types import ModuleType

from ebmbench.discovery import registry


def known() -> dict[str, ModuleType]:
    """The recipes by name."""
    return registry(__name__, ("TAKES", "make"))


def applicable(model: str) -> dict[str, tuple[bool, str]]:
    """For `check_applicable`: whether a model takes each of the options that not all take."""
    some = sorted(set().union(*(recipe.TAKES for recipe in known().values())))
    takers = {name: [kind for kind, recipe in known().items() if name in recipe.TAKES] for name in some}
    return {name: (model in who, f"--model is {' or '.join(who)}") for name, who in takers.items()}
