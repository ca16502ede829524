"""Two versions of the package side by side, and processes that measure one or the other."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
_LIMIT_S = 300  # of a process


class Version(NamedTuple):
    """name: as it is told; folder: holds its `ebmbench` and nothing else that Python would import."""

    name: str
    folder: Path

    def measure(self, what: str, names: Sequence[str]) -> dict[str, Any] | str:
        """What `benchmarks.gate.measure` prints in a process of its own, or why it printed nothing.

        Versions whose kernels have the same sources share their machine code (see `ebmbench.compile`).
        """
        environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(self.folder), str(ROOT)))}
        command = [sys.executable, "-P", "-m", "benchmarks.gate.measure", what, *names]
        try:
            done = subprocess.run(
                command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False,
                timeout=_LIMIT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"{self.name} took over {_LIMIT_S} s"
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["nothing was said"]
            return f"{self.name} failed: {said[-1]}"
        return json.loads(done.stdout.splitlines()[-1])


def export(revision: str, folder: Path) -> Version:
    """A commit's package in a folder; `ValueError` in one sentence where git does not know it."""
    done = subprocess.run(
        ["git", "archive", revision, "ebmbench"], cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(
            f"git has no commit {revision} with a package in it ({' '.join(said[-1:])}); "
            "a shallow clone lacks the commits before, which `git fetch --unshallow` brings"
        )
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    short = subprocess.run(
        ["git", "rev-parse", "--short", revision], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return Version(short.stdout.strip(), folder)


def working_tree(folder: Path) -> Version:
    """The package as it stands in the working tree, in a folder."""
    shutil.copytree(ROOT / "ebmbench", folder / "ebmbench", ignore=shutil.ignore_patterns("__pycache__"))
    return Version("working tree", folder)
