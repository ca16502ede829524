"""How much memory a process has held at most."""

import re
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak() -> int | None:
    """Bytes of this process that were in memory at once, at most; None where the system does not tell.

    Linux counts anew for a process that is started; what `getrusage` says there begins with the peak
    of the process that started it.
    """
    if _STATUS.is_file():
        found = re.search(r"^VmHWM:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
