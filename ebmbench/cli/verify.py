"""`ebmbench verify`: whether somebody else's sampler, trainer and scores do what they say."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ebmbench.cli.console import answer, busy, print_table


def verify(
    name: Annotated[
        str,
        typer.Argument(help="A peer (see `ebmbench list`), MODULE:ATTRIBUTE, or FILE.py[:ATTRIBUTE]."),
    ],
    precision: Annotated[str, typer.Option(help="Of a peer: float32 or bfloat16.")] = "float32",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Check somebody's sampler, trainer and scores of binary RBMs against exact enumeration.

    Code of your own has any of these functions. Arrays are float64: W has a row a visible and a column a
    hidden unit, v, h, batch and chains have a row a chain; states are 0 and 1, seed is an integer.

    sweep(W, b, c, v, seed) returns v, h: one sweep, h drawn given v, then v given that h.

    update(W, b, c, batch, chains, rate, seed) returns W, b, c, chains: one update of SML, the chains a
    sweep on, then each parameter moved by rate times its mean over the batch less that over these chains.

    free_energy(W, b, c, v) and log_likelihood(W, b, c, v) return a number a row, in nats.

    pseudolikelihood(W, b, c, v, seed) does too, or their mean, and may be an unbiased estimate.

    Each check tells how often a right program fails it, and what it finds 99 times of 100.

    Exit status: 0 nothing failed, 1 a check failed, 2 a mistake in what was given.
    """
    from ebmbench.harness import verify as harness

    one = harness.target(name, precision)
    with busy(f"verifying {name}"):
        found = harness.findings(one)
    verdict = harness.verdict(found)
    if as_json:
        checks = [asdict(f) | {"finds": f.finds} for f in found]
        facts = {"name": one.name, "version": one.version, "precision": one.precision}
        print(json.dumps(facts | {"verdict": verdict, "checks": checks}, indent=2))
    else:
        table = Table(box=None, header_style="bold")
        for heading in ("check", "", "what was seen", "false alarm", "finds"):
            table.add_column(heading)
        for f in found:
            state = {True: "passed", False: "FAILED", None: "\u2013"}[f.passed]
            chances = ("", "") if f.passed is None else (f"{f.false_alarm:.0e}", f.finds)
            table.add_row(f.check, state, escape(f.said), *chances)
        print_table(table)
        told = f"{one.version or one.name}, {one.precision}" if one.version else one.name
        answer.print(f"{told}: {verdict}", markup=False, emoji=False)
    return 1 if any(f.passed is False for f in found) else 0
