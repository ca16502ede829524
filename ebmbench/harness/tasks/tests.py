"""The package's own tests of one marker, run by pytest in a process of its own."""

import importlib.util
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

from ebmbench.compile import PACKAGE
from ebmbench.errors import Unavailable
from ebmbench.harness import tasks
from ebmbench.harness.clock import Stopwatch, Timeout
from ebmbench.harness.gate import Red
from ebmbench.kernels import api

NAME = "tests"
FOLDER = PACKAGE.parent / "tests"
_COUNTED = {"failure": "failed", "skipped": "skipped", "error": "errors"}
_TAIL = 4000  # letters that are kept of what pytest said
_NOTHING_SELECTED = 5  # pytest's exit status
_GRACE_S = 20.0  # to end after the limit
# A process that was started in the background inherits that interrupts are ignored.
_PYTEST = (
    "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "sys.exit(pytest.main(sys.argv[1:]))"
)


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """The tests with this marker, as `gpu`."""

    task = NAME
    seeded = False
    kinds = ()  # a red backend is tested all the more

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
    """Fill in how many passed, failed and were skipped; raises `Red` where one failed or none was run."""
    if not (FOLDER / "conftest.py").is_file():
        raise Unavailable("the tests are not installed with the package; run this from a checkout")
    if importlib.util.find_spec("pytest") is None:
        raise Unavailable("the tests need the package pytest")
    watch = Stopwatch(api.load(case.backend), case.timeout_s)
    with TemporaryDirectory() as folder:
        counted = Path(folder) / "counts.xml"
        said, status = watch.time(lambda: _pytest(case, counted))
        row |= {"tests_s": watch.seconds, "tail": said[-_TAIL:] if status != 0 else ""}
        if status == _NOTHING_SELECTED:
            raise Unavailable(f"no test is marked {case.marker}")
        found = counts(counted) if counted.is_file() else None
    row |= found or {}
    if status is None:
        told = f"of those before it {listed(found)}" if found else "nothing was counted"
        raise Timeout(f"the tests did not end within {case.timeout_s:g} s; {told}")
    if found is None:
        raise Red(f"pytest ended with status {status} and no counts; the row has the end of the output")
    if status:
        wrong = found["failed"] + found["errors"]
        raise Red(f"{wrong} of the tests marked {case.marker} failed; the row has the end of the output")
    if not found["passed"]:
        raise Red(f"none of the tests marked {case.marker} was run: {listed(found)}")


def _pytest(case: Case, counted: Path) -> tuple[str, int | None]:
    """What pytest said, and its status; None where it was stopped at the limit."""
    command = [sys.executable, "-c", _PYTEST, "-m", case.marker, "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [*command, f"--junitxml={counted}", str(FOLDER)], cwd=FOLDER.parent, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            return process.communicate(timeout=case.timeout_s)[0], process.returncode
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # upon which pytest still writes what it counted
        try:
            return process.communicate(timeout=_GRACE_S)[0], None
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0], None


def counts(path: Path) -> dict[str, int]:
    """passed, failed, skipped and errors, from pytest's JUnit XML file.

    A test that was interrupted stands there without an outcome, as one that passed does, but is not
    among the suite's number of tests.
    """
    root = ElementTree.parse(path)
    found = [
        (test.get("classname"), test.get("name"), _COUNTED[part.tag])
        for test in root.iter("testcase")
        for part in test
        if part.tag in _COUNTED
    ]
    ended = sum(int(suite.get("tests", "0")) for suite in root.iter("testsuite"))
    passed = ended - len({(place, name) for place, name, _ in found})
    return {"passed": passed} | {
        word: sum(outcome == word for *_, outcome in found) for word in _COUNTED.values()
    }


def listed(found: dict[str, int]) -> str:
    """The counts in words."""
    return ", ".join(f"{count} {name}" for name, count in found.items())
