"""`ebmbench run` and `ebmbench report`: suites in, tables and pages out."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from ebmbench.cli.console import answer, console, steps


def run(
    suite: Annotated[
        str, typer.Argument(help="A suite's name (see `ebmbench list`) or a TOML file.")
    ] = "quick",
    out: Annotated[Path | None, typer.Option(help="Results folder; by default results/SUITE.")] = None,
    backend: Annotated[
        list[str] | None, typer.Option(help="Run on this backend only; may be given several times.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Run the cases of this data set only; one that the suite does not name takes the place "
            "of digits."
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, instead of the suite's.")] = None,
) -> int:
    """Train, evaluate and time every case of a suite, then draw the report.

    A rerun repeats only what is not finished: delete the results folder to start afresh.
    """
    from ebmbench import datasets
    from ebmbench.harness import run as harness
    from ebmbench.harness import spec
    from ebmbench.harness.naming import names
    from ebmbench.harness.tasks import Case
    from ebmbench.kernels import api
    from ebmbench.report import write

    for name in backend or []:
        api.load(name)
    if dataset:
        datasets.check_name(dataset)
    chosen = spec.load(suite, backend, dataset, seeds)
    folder = out or Path("results") / chosen.name
    total, called = len(chosen.cases), names(chosen.cases)
    cases = "1 case; it" if total == 1 else f"{total} cases; the first"
    opening = [f"{chosen.title}: {cases} checks the kernels"]
    if chosen.instead_of:
        told = f"{dataset} is used where the suite names {chosen.instead_of}; other tables are left out"
        console.print(told, markup=False, highlight=False)
    with steps(total, "checking the kernels", spoken=True) as shown:

        def started(number: int, case: Case) -> None:
            if opening and not console.is_terminal:
                shown.line(opening.pop())
            shown.now(called[number])

        def finished(number: int, case: Case, row: dict[str, Any], again: bool) -> None:
            shown.advance()
            told = f"{called[number]}: {_came_to(case, row)}{' (kept)' if again else ''}"
            shown.line(f"[{number + 1}/{total}] {told}")

        rows = harness.run(chosen, folder, harness.Progress(started, finished))
    page = write(folder)
    counts = Counter(row["status"] for row in rows)
    answer.print(", ".join(f"{n} {status}" for status, n in counts.most_common()))
    answer.print(f"table {folder / 'rows.jsonl'}", f"page  {page}", sep="\n")
    return 1 if counts["failed"] or counts["red"] else 0


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
) -> None:
    """Draw the report of a results folder again, from its table alone."""
    from ebmbench.report import write

    answer.print(f"page  {write(folder)}")


def _came_to(case: Any, row: dict[str, Any]) -> str:
    from ebmbench.harness.measures import CROWDED

    if row["status"] != "done":
        return f"{row['status']}: {row['reason']}"
    if row["backend"] != case.backend:
        return f"done on {row['backend']}, without times"
    told = str(case.summary(row))
    others = row.get("others_cores") or 0.0
    return told + (f"; other programs kept {others:.1f} cores busy" if others >= CROWDED else "")
