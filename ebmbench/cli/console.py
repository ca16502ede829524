"""What a person sees: bars with the time left on a terminal, plain lines when piped."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
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


def print_table(table: Table) -> None:
    """Print a table of figures; on a narrow terminal lines fold, but no figure is shortened."""
    Console(highlight=False, width=max(answer.width, 90)).print(table)


class Steps:
    """A count of finished steps: a bar on a terminal; when piped, only the lines that are printed."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def now(self, text: str) -> None:
        """Say what is being done."""
        self._bar.update(self._task, description=text)

    def advance(self, count: int = 1) -> None:
        """Count steps as done."""
        self._bar.advance(self._task, count)

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)


@contextmanager
def steps(total: int, text: str) -> Iterator[Steps]:
    """Show progress over `total` steps while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield Steps(bar, bar.add_task(text, total=total))


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show that something of unknown length runs; silent when piped."""
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        yield
