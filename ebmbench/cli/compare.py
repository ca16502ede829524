"""`ebmbench compare`: two results folders held against each other."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ebmbench.cli.console import answer, print_table

_STYLES = {
    "worse": "bold red", "maybe worse": "yellow", "same": "dim", "maybe better": "cyan",
    "better": "bold green",
}  # fmt: skip
_DRAWN = (".png", ".svg")
_PAGE = (".html",)


def compare(
    a: Annotated[Path, typer.Argument(metavar="DIR_A", help="A results folder: what was before.")],
    b: Annotated[Path, typer.Argument(metavar="DIR_B", help="Another one, which is held against it.")],
    across: Annotated[
        str,
        typer.Option(
            help="Hold different backends against each other: `backend` where each folder has one, "
            "or which of A and of B, such as cpu:cuda."
        ),
    ] = "",
    threshold: Annotated[float, typer.Option(help="Per cent of speed by which a change counts.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    figure: Annotated[Path | None, typer.Option(help="Draw the ratios of speeds, .png or .svg.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write figures and tables as a page, .html.")] = None,
) -> int:
    """Compare two results folders: two machines, two commits, two backends.

    Rows are of one case where everything that decides it agrees but code
    version and machine. A ratio of speeds is of the medians. Its 95 % interval
    comes from processes where each side has three or more; with fewer from
    runs or turns, and 5 % a process is added for what one process cannot show
    of others, so that a slowdown of less than about 15 % is not proven. A
    change of quality (nats, bias, error of log Z) has an interval from the
    seeds, or from its own standard error.

    Worse: slower by more than the threshold or of worse quality, and the
    interval excludes no change; or done in A, but in B it diverged, failed,
    took too long or was red at the gate. Maybe worse: by as much, but not
    proven, or too few samples for an interval. Better and maybe better:
    likewise. Not comparable: of other data, or not done. Missing: in one
    folder only.

    Exit status: 1 where a case is worse, 0 otherwise, 2 for a mistake. The
    folders were measured one after the other, so a machine that was busy
    during one of them looks like a change.
    """
    from ebmbench.errors import UserError
    from ebmbench.files import check_writable
    from ebmbench.harness import comparison
    from ebmbench.report.comparison import page as pages
    from ebmbench.report.comparison import tables

    for path, suffixes in ((figure, _DRAWN), (page, _PAGE)):
        if path is None:
            continue
        if path.suffix not in suffixes:
            raise UserError(f"{path} must end in {' or '.join(suffixes)}")
        check_writable(path)
    found = comparison.compare(a, b, threshold / 100, across)
    frame = found.frame()
    if figure:
        _draw(frame, found.threshold, figure)
    if page:
        pages.write(page, frame, found.tables, (a, b), found.threshold)
    if as_json:
        print(json.dumps(found.as_json(), indent=2, allow_nan=False))
    else:
        for sheet in tables.sheets(frame):
            _print(sheet)
        for table, name, folder in zip(found.tables, "AB", (a, b), strict=True):
            answer.print(*pages.described(table, name, folder), sep="\n  ", markup=False)
        for line in _told(found, frame):
            answer.print(line)
    return 1 if found.regression else 0


def _print(sheet: Any) -> None:
    """A task's table: what was worked on stands above its cases; the reasons take lines of their own."""
    from ebmbench.report.comparison.tables import BACKEND, CASE, ON, WHY

    columns = {name: [row[place] for row in sheet.rows] for place, name in enumerate(sheet.columns)}
    del columns[WHY]
    places, names, backends = (
        [cell.text for cell in columns.pop(column)] for column in (ON, CASE, BACKEND)
    )
    table = Table(box=None, header_style="bold", title=sheet.name, title_justify="left")
    table.add_column(CASE, overflow="fold", min_width=24)
    for column, cells in columns.items():
        justified: Any = "left" if cells[0].value is None else "right"
        table.add_column(column, justify=justified, overflow="fold")
    for number, (place, name, backend) in enumerate(zip(places, names, backends, strict=True)):
        if place and (number == 0 or place != places[number - 1]):
            table.add_row(Text(place, style="bold"))
        told = [f"{cells[number].text} {cells[number].note}".strip() for cells in columns.values()]
        called = f"  {name}, {backend}" if len(set(backends)) > 1 else f"  {name}"
        table.add_row(Text(called), *(Text(one, style=_STYLES.get(one, "")) for one in told))
    print_table(table)
    answer.print()


def _told(found: Any, frame: Any) -> Iterator[str]:
    """Why cases are worse or cannot be compared, and the counts."""
    from ebmbench.report.comparison import tables

    for case in found.cases:
        if case.reason and case.verdict in ("worse", "not comparable"):
            on = tables.backends(case.backends)
            yield f"{case.verdict}: {case.task}, {case.where}, {case.name} on {on}: {case.reason}"
    yield from tables.together(frame, found.threshold)
    yield from tables.chance(frame)
    yield tables.counted(found.counts)


def _draw(frame: Any, threshold: float, path: Path) -> None:
    from ebmbench.errors import UserError
    from ebmbench.files import write_atomically
    from ebmbench.report import style
    from ebmbench.report.comparison import figure

    if figure.drawable(frame).empty:
        raise UserError(f"{path} was not written: no case has speeds in both folders")
    with style.applied():
        drawn = style.render(figure.draw(frame, threshold, figure.WIDE), path.suffix.removeprefix("."))
    try:
        write_atomically(path, drawn)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
