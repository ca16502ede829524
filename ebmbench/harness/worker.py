"""A process of its own that measures one case: see `interleaved.in_processes`."""

import json
import sys

from ebmbench.harness import tasks


def main() -> None:
    """Read a case from the standard input, print what `measure` of its task says as a line of JSON."""
    given = json.load(sys.stdin)
    module = tasks.known()[given["task"]]
    print(json.dumps(module.measure(module.Case(**given["case"]))))


if __name__ == "__main__":
    main()
