"""What a person sees: bars with the time left on a terminal, plain lines when piped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

# Progress goes to stderr, so that what a command answers can be piped. Lines are never folded when
# piped, so that one case stays one line.
console = Console(stderr=True, soft_wrap=True)
answer = Console(soft_wrap=True, highlight=False)

_WIDEST = 1000  # columns of what is piped


def print_table(table: Table) -> None:
    """Print a table of figures; on a narrow terminal lines fold, but no figure is shortened."""
    if answer.is_terminal:
        width = max(answer.width, 90)
    else:  # as wide as it is
        width = Measurement.get(answer, answer.options.update(max_width=_WIDEST), table).maximum
    Console(highlight=False, width=width).print(table)


class Steps:
    """A count of finished steps: a bar on a terminal; when piped, only the lines that are printed.

    The bar says so while kernels are compiled, and so does a line when piped; spoken: lines that stay say
    when it is done, too.
    """

    def __init__(self, bar: Progress, task: TaskID, text: str, spoken: bool) -> None:
        self._bar, self._task, self._text, self._spoken = bar, task, text, spoken
        self._compilations: Any = None
        self._told = 0  # functions that a line has told of

    @contextmanager
    def watching_compiler(self) -> Iterator[None]:
        """While the block runs, say when kernels are compiled, and say nothing where none is."""
        from ebmbench.harness.compiling import watched  # not before a command runs

        with watched(self._compiling) as self._compilations:
            yield
            self._compiled()

    def now(self, text: str) -> None:
        """Say what is being done."""
        self._text = text
        self._bar.update(self._task, description=text)

    def advance(self, count: int = 1) -> None:
        """Count steps as done."""
        self._compiled()
        self._bar.advance(self._task, count)

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def _compiling(self, place: str) -> None:
        lasting = self._spoken or not console.is_terminal
        if place and lasting and self._compilations.functions == 1:
            self.line("compiling kernels that are not in the cache yet")
        self._bar.update(self._task, description=_doing(place, self._text))

    def _compiled(self) -> None:
        found = self._compilations
        if not self._spoken or found.functions == self._told:
            return
        from ebmbench.compile import cache_folder
        from ebmbench.report.text import count

        kept = "the next start finds them there" if cache_folder() else "no folder can keep them"
        self.line(
            f"compiled {count(found.functions - self._told, 'function')} of {', '.join(found.places)}, "
            f"{found.seconds:.0f} s so far; {kept}"
        )
        self._told = found.functions


def _doing(place: str, otherwise: str) -> str:
    """What is being done while the kernels of a place are compiled, and otherwise."""
    if not place:
        return otherwise
    from ebmbench.compile import cache_folder

    return f"compiling {place} ({'not in the cache yet' if cache_folder() else 'no folder can keep it'})"


@contextmanager
def steps(total: int, text: str, spoken: bool = False) -> Iterator[Steps]:
    """Show progress over `total` steps while the block runs; spoken: see `Steps`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        shown = Steps(bar, bar.add_task(text, total=total), text, spoken)
        with shown.watching_compiler():
            yield shown


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show that something of unknown length runs; when piped, only that kernels are compiled."""
    if not console.is_terminal:
        with steps(1, text):
            yield
        return
    from ebmbench.harness.compiling import watched

    with console.status(text) as status, watched(lambda place: status.update(_doing(place, text))):
        yield
