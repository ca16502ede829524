"""The package's own tests of one marker, run by pytest in a process of its own."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from ebmbench.compile import PACKAGE
from ebmbench.errors import Unavailable
from ebmbench.harness import tasks
from ebmbench.harness.clock import Stopwatch, Timeout
from ebmbench.harness.gate import Red
from ebmbench.kernels import api

NAME = "tests"
FOLDER = PACKAGE.parent / "tests"
_COUNTED = ("passed", "failed", "skipped", "error")
_TAIL = 4000  # letters that are kept of what pytest said
_NOTHING_SELECTED = 5  # pytest's exit status


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """The tests with this marker, as `gpu`."""

    task = NAME
    gated = False  # a red backend is tested all the more

    marker: str

    @property
    def label(self) -> str:
        """The marker."""
        return f"marked {self.marker}"

    @property
    def heading(self) -> str:
        """The same, as a line begins."""
        return f"tests {self.label},"

    def facts(self) -> dict[str, Any]:
        """The fields, and what was looked at."""
        return super().facts() | {"subject": "the checkout"}

    def summary(self, row: dict[str, Any]) -> str:
        """The counts and the seconds."""
        return f"{row['passed']} passed, {row['skipped']} skipped in {row['tests_s']:.0f} s"


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in how many passed, failed and were skipped; raises `Red` where one failed."""
    if not (FOLDER / "conftest.py").is_file():
        raise Unavailable("the tests are not installed with the package; run this from a checkout")
    if importlib.util.find_spec("pytest") is None:
        raise Unavailable("the tests need the package pytest")
    command = [sys.executable, "-m", "pytest", "-q", "-m", case.marker, "-p", "no:cacheprovider"]
    watch = Stopwatch(api.load(case.backend), case.timeout_s)
    try:
        done = watch.time(
            lambda: subprocess.run(
                [*command, str(FOLDER)], capture_output=True, text=True, check=False,
                cwd=FOLDER.parent, timeout=case.timeout_s,
            )
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        row["tail"] = _text(error.stdout)[-_TAIL:]
        raise Timeout(f"the tests did not end within {case.timeout_s:g} s") from None
    row |= counts(done.stdout) | {"tests_s": watch.seconds, "tail": ""}
    if done.returncode == _NOTHING_SELECTED:
        raise Unavailable(f"no test is marked {case.marker}")
    if done.returncode:
        row["tail"] = (done.stdout + done.stderr)[-_TAIL:]
        wrong = row["failed"] + row["errors"]
        raise Red(f"{wrong} of the tests marked {case.marker} failed; the row has the end of the output")


def counts(output: str) -> dict[str, int]:
    """passed, failed, skipped and errors, from the last line of pytest's output."""
    last = (output.strip().splitlines() or [""])[-1]
    found = {word.removesuffix("s"): int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", last)}
    return {("errors" if word == "error" else word): found.get(word, 0) for word in _COUNTED}


def _text(output: Any) -> str:
    """What a process said before it was stopped, which comes as bytes, a text or nothing."""
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
