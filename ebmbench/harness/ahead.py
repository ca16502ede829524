"""A second process that compiles from the gate's other end: two cores share the wait of a first start.

What either has compiled the other finds in the cache, so the two meet somewhere in the middle.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ebmbench.compile import cache_folder
from ebmbench.harness import gate, machine
from ebmbench.harness.compiling import watched
from ebmbench.harness.worker import end_with_parent
from ebmbench.kernels import api


@contextmanager
def helped(backend: str) -> Iterator[None]:
    """As soon as something must be compiled, have a second process begin; it ends with the block."""
    helpers: list[subprocess.Popen[bytes]] = []

    def begin(place: str) -> None:
        if place and not helpers:
            command = [sys.executable, "-m", "ebmbench.harness.ahead", backend]
            quiet = subprocess.DEVNULL
            with suppress(OSError):  # it compiles alone, then
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


def main(backend: str) -> None:
    """Compile what the gate calls, the last jobs first."""
    end_with_parent()
    k = api.load(backend)
    for size in gate.SIZES:
        for job in reversed(gate.labels()):
            list(gate.findings(k, [size], [job]))


if __name__ == "__main__":
    main(*sys.argv[1:])
