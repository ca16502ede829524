"""A process of its own that measures one case: see `interleaved.in_processes`."""

import ctypes
import json
import signal
import sys

from ebmbench.harness import tasks


def main() -> None:
    """Read a case from the standard input, print what `measure` of its task says as a line of JSON."""
    end_with_parent()
    given = json.load(sys.stdin)
    module = tasks.known()[given["task"]]
    print(json.dumps(module.measure(module.Case(**given["case"]))))


def end_with_parent() -> None:
    """End where the process ends that started this one, as far as the system can: Linux.

    A killed run must not leave a process that works beside the next one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    main()
