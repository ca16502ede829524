"""Processes that compile from elsewhere in the gate, backwards: cores share the wait of a first start.

What one has compiled the others find in the cache. With two cores the second begins at the other end, and
the two meet somewhere in the middle; more begin at even distances.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ebmbench.compile import cache_folder
from ebmbench.harness import gate, machine
from ebmbench.harness.compiling import watched
from ebmbench.harness.worker import end_with_parent
from ebmbench.kernels import api

_MOST = 7  # processes: each takes some 300 MB


@contextmanager
def helped(backend: str, kinds: Sequence[str]) -> Iterator[None]:
    """As soon as something must be compiled, have more processes begin; they end with the block.

    kinds: of models, whose jobs they run.
    """
    helpers: list[subprocess.Popen[bytes]] = []

    def begin(place: str) -> None:
        if not place or helpers:
            return
        count, quiet = min(machine.cores() - 1, _MOST), subprocess.DEVNULL
        for number in range(1, count + 1):
            command = [
                sys.executable,
                "-m",
                "ebmbench.harness.ahead",
                backend,
                f"{number}/{count}",
                *kinds,
            ]
            with suppress(OSError):  # the others compile alone, then
                helpers.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet))

    if backend != "cpu" or machine.cores() < 2 or cache_folder() is None:
        yield  # other backends keep no machine code on disk
        return
    with watched(begin):
        try:
            yield
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()


def main(backend: str, share: str, *kinds: str) -> None:
    """Compile what the gate calls for these kinds, backwards from the end of a share of jobs, as 2/3."""
    end_with_parent()
    k, jobs = api.load(backend), gate.labels(kinds)
    number, count = map(int, share.split("/"))
    first = len(jobs) * number // count
    for size in gate.SIZES:
        for job in reversed(jobs[first:] + jobs[:first]):
            list(gate.findings(k, [size], [job]))


if __name__ == "__main__":
    main(*sys.argv[1:])
