"""`python -m benchmarks.gate.calibrate`: how often the gate is wrong on this machine.

Runs it on identical versions, and on versions with faults planted in the text of the package: a kernel
that does 1.3 times the work, and a gradient with a wrong sign at unchanged speed.
"""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, NamedTuple

import typer

from benchmarks.gate.measure import SPEED
from benchmarks.gate.run import PAIRS, gate
from benchmarks.gate.verdict import Verdict, worst
from benchmarks.gate.versions import Version, working_tree


class Plant(NamedTuple):
    """A fault: in this file `old` becomes `new`; sought: the kind of figure that must show it."""

    file: str
    old: str
    new: str
    sought: str


PLANTS = {
    "slower": Plant(
        "kernels/cpu/gibbs.py",
        '"""See `Backend.gibbs`."""\n',
        '"""See `Backend.gibbs`."""\n    steps += 3 * steps // 10\n',
        "speed",
    ),
    # Not in a kernel, so that both versions share their machine code.
    "wrong-sign": Plant(
        "training/sgd.py",
        "return scheduled_rate(",
        "return -scheduled_rate(",
        "quality",
    ),
}


def planted(version: Version, plant: Plant) -> Version:
    """The version with the fault in it; `ValueError` where its text is not found exactly once."""
    path = version.folder / "ebmbench" / plant.file
    text = path.read_text(encoding="utf-8")
    if text.count(plant.old) != 1:
        raise ValueError(f"{plant.file} does not hold the text that is to be changed exactly once")
    path.write_text(text.replace(plant.old, plant.new), encoding="utf-8")
    return version


def main(
    runs: Annotated[int, typer.Option(min=1, help="Of the gate, of each kind.")] = 20,
    kinds: Annotated[list[str] | None, typer.Option("--kind")] = None,
    pairs: Annotated[int, typer.Option(help="Of processes.")] = PAIRS,
) -> None:
    """Print, for identical versions and each planted fault, how many runs ended in which verdict."""
    for kind in kinds or ["identical", *PLANTS]:
        verdicts: Counter[Verdict] = Counter()
        started = perf_counter()
        # Made and compiled once: what varies from run to run is the machine, not the code.
        with TemporaryDirectory(prefix="calibrate-") as folder:
            base = working_tree(Path(folder) / "base")
            new = working_tree(Path(folder) / "new")
            sought = "both"
            if kind != "identical":
                new, sought = planted(new, PLANTS[kind]), PLANTS[kind].sought
            for _ in range(runs):
                findings = gate(base, new, SPEED if sought != "quality" else (), pairs=pairs)
                verdict = worst([one.verdict for one in findings if sought in ("both", one.kind)])
                verdicts[verdict] += 1
                print(kind, verdict.words, *map(str, findings), sep="\n  ", flush=True)
        counts = ", ".join(f"{count} {verdict.words}" for verdict, count in verdicts.most_common())
        print(
            f"{kind}: {counts} of {runs} runs, {(perf_counter() - started) / runs:.0f} s each", flush=True
        )


if __name__ == "__main__":
    typer.run(main)
