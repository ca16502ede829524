"""`python -m benchmarks.gate [BASE]`: this working tree against a commit.

Exit status: 0 PASS, 1 REGRESSED, 3 AMBIGUOUS (suspect, but not surely), 4 NOT MEASURED, 2 a mistake in
what was given.
"""

import json
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.gate.measure import QUALITY, SPEED
from benchmarks.gate.run import PAIRS, gate
from benchmarks.gate.verdict import LEAST, THRESHOLD, worst
from benchmarks.gate.versions import export, working_tree
from ebmbench.errors import UserError
from ebmbench.files import check_writable


def main(
    base: Annotated[str, typer.Argument(help="The commit to compare with.")] = "HEAD^",
    new: Annotated[str, typer.Option(help="Another commit instead of the working tree.")] = "",
    only: Annotated[
        list[str] | None, typer.Option(help=f"Only this figure: {', '.join([*SPEED, *QUALITY])}.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=LEAST, help="Processes of each version.")] = PAIRS,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="What slowdown counts, as a share: 0.05 is 5 %.")
    ] = THRESHOLD,
    quality_decides: Annotated[
        bool,
        typer.Option("--quality-decides", help="Tell speed, but exit by quality alone."),
    ] = False,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write the findings there, too.")] = None,
) -> None:
    """Say whether this version is slower or wronger than another one."""
    known = [*SPEED, *QUALITY]
    for name in only or []:
        if name not in known:
            raise typer.BadParameter(f"{name} is none of {', '.join(known)}", param_hint="--only")
    chosen = only or known
    if quality_decides and not set(QUALITY) & set(chosen):
        raise typer.BadParameter("no figure of quality is chosen, so none decides", param_hint="--only")
    if as_json:
        try:
            check_writable(as_json)
        except UserError as error:
            raise typer.BadParameter(str(error), param_hint="--json") from None
    with TemporaryDirectory(prefix="gate-") as folder:
        try:
            old = export(base, Path(folder) / "base")
            young = export(new, Path(folder) / "new") if new else working_tree(Path(folder) / "new")
        except ValueError as error:
            print(f"gate: {error}", file=sys.stderr)
            raise typer.Exit(2) from None
        print(f"{young.name} against {old.name}", flush=True)
        findings = gate(
            old, young, [n for n in SPEED if n in chosen], [n for n in QUALITY if n in chosen], pairs,
            threshold, _progress,
        )  # fmt: skip
    _progress("")
    for finding in findings:
        print(finding)
    if as_json:
        fields = [one._asdict() | {"verdict": one.verdict.words} for one in findings]
        as_json.write_text(json.dumps(fields, indent=2))
    deciding = [one for one in findings if one.kind == "quality" or not quality_decides]
    verdict = worst([one.verdict for one in deciding])
    print(verdict.words)
    raise typer.Exit(verdict.value)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leaves no folder behind
    typer.run(main)
